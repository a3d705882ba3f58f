import { describe, expect, test } from "vitest";
import type { OperationError, Side } from "../../src/errors.ts";
import { refusal } from "../../src/oci/registry-error.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { routedTransport, type ScriptedAnswer } from "../support/scripted-transport.ts";

/** The failure that an answer means. */
async function failureOf(
  answer: ScriptedAnswer,
  side: Side = "destination",
  operation = "listing the tags",
  readOnly?: true,
): Promise<OperationError> {
  const transport = routedTransport(() => ({ status: 400, ...answer }));
  const response = await transport.send({ method: "GET", url: new URL("https://registry.example/v2/a/b") });
  const vendor = vendorOf("registry.example");
  const of = { side, readOnly, registry: "registry.example", vendor, repository: "a/b", operation };
  return refusal(response, of, fakeClock());
}

function errors(...list: readonly unknown[]): ScriptedAnswer {
  return { json: { errors: list } };
}

describe("the words of a refusal", () => {
  test.each([
    [
      "the specification's form",
      errors({ code: "DENIED", message: "not yours", detail: [1] }),
      "DENIED",
      "not yours ([1])",
    ],
    [
      "all of several",
      errors({ code: "A", message: "one" }, { code: "B", message: "two" }),
      "A",
      "one; B: two",
    ],
    [
      "the reason in the second error",
      errors({ code: "UNKNOWN", message: "unknown error" }, { code: "DENIED", message: "no plan" }),
      "DENIED",
      "unknown error; no plan",
    ],
    [
      "the same error several times",
      errors({ code: "A", message: "one" }, { code: "A", message: "one" }),
      "A",
      "one",
    ],
    [
      "more errors than anybody reads",
      errors(...Array.from({ length: 7 }, (_, index) => ({ code: "A", message: `error ${index}` }))),
      "A",
      "error 0; error 1; error 2; error 3; error 4; and 2 more",
    ],
    [
      "a reason in the detail",
      errors({
        code: "UNKNOWN",
        message: "unknown error",
        detail: { DriverName: "s3", Enclosed: "no such bucket" },
      }),
      "UNKNOWN",
      'unknown error ({"DriverName":"s3","Enclosed":"no such bucket"})',
    ],
    ["a detail alone", errors({ code: "DENIED", message: "", detail: "disk full" }), "DENIED", "disk full"],
    [
      "a detail that is known",
      errors({ code: "A", message: "no such tag v1", detail: { name: "a/b", tag: "v1" } }),
      "A",
      "no such tag v1",
    ],
    [
      "a detail of any length",
      errors({ code: "A", message: "no", detail: "x".repeat(5000) }),
      "A",
      `no (${"x".repeat(200)}…)`,
    ],
    [
      "null everywhere",
      errors({ code: null, message: null, detail: null }),
      undefined,
      "the registry gave no reason",
    ],
    ["no message", errors({ code: "DENIED" }), "DENIED", "the registry gave no reason"],
    ["a null message", errors({ code: "DENIED", message: null }), "DENIED", "the registry gave no reason"],
    ["a code that is none", errors({ code: "x y", message: "why" }), undefined, "why"],
    ["an empty list", errors(), undefined, "the registry gave no reason"],
    ["no body, as of a HEAD", {}, undefined, "the registry gave no reason"],
    ["white space", { body: "\r\n \t" }, undefined, "the registry gave no reason"],
    ["plain text", { body: "404 page not found\n" }, undefined, "404 page not found"],
    ["JSON of another form", { json: { details: "no" } }, undefined, '{"details":"no"}'],
    [
      "a web page",
      { body: "<html>\n<head><title>502\nBad Gateway</title></head><body><h1>502</h1>\n</body></html>" },
      undefined,
      "502 Bad Gateway 502",
    ],
    ["an angle bracket that opens no tag", { body: "1 < 2, <b>so</b> no" }, undefined, "1 < 2, so no"],
    [
      "control characters",
      errors({ code: "A", message: "a\u001b[31mb\r\nc\u0007\u202ed" }),
      "A",
      "a [31mb c d",
    ],
    [
      "a workflow command",
      { body: "x\n::set-output name=a::b\n##[error]c" },
      undefined,
      "x : :set-output name=a: :b # #[error]c",
    ],
    ["a workflow command in JSON", errors({ code: "A", message: "::add-mask::x" }), "A", ": :add-mask: :x"],
  ] as const)("%s", async (_name, answer, code, problem) => {
    const { details, message } = await failureOf(answer);
    expect(details).toMatchObject({ status: 400, problem });
    expect(details.code).toBe(code);
    expect(message).toContain("destination registry.example/a/b: listing the tags failed with status 400");
    expect(message).not.toMatch(/[\u0000-\u001f]|::/);
  });

  test("are cut to a line's length", async () => {
    expect((await failureOf({ body: "x".repeat(5000) })).message.length).toBeLessThan(500);
  });

  test("are not waited for without end", async () => {
    expect((await failureOf({ body: "x".repeat(100_000) })).details.problem).toBe(
      "the registry gave no reason",
    );
  });
});

describe("what can be done", () => {
  test.each([
    [401, "source", "log in to its registry"],
    [403, "source", "log in to its registry"],
    [401, "destination", "may push to this repository"],
    [403, "destination", "may push to this repository"],
    [404, "destination", "the namespace exists"],
    [412, "source", "lets nobody pull this image now"],
    [413, "destination", "The request is too large for the registry, or for a proxy"],
    [429, "source", "limits requests"],
    [503, "destination", "run again later"],
  ] as const)("after status %i at the %s", async (status, side, advice) => {
    expect((await failureOf({ status }, side)).details.advice).toContain(advice);
  });

  test.each([401, 403])(
    "after status %i at a destination that is only read: the right to pull",
    async (status) => {
      const { details } = await failureOf({ status }, "destination", "looking up", true);
      expect(details.advice).toContain("log in to its registry");
    },
  );

  test("nothing has to be made at a destination that is only read", async () => {
    const { details } = await failureOf({ status: 404 }, "destination", "looking up", true);
    expect(details.advice).toBeUndefined();
  });

  test("after Docker Hub's pull limit: it takes hours, so it is not tried again", async () => {
    const message = "You have reached your pull rate limit.";
    const answer = { ...errors({ code: "TOOMANYREQUESTS", message }), status: 429 };
    const { details } = await failureOf(answer, "source");
    expect(details.advice).toContain("put another source first");
    expect(details.temporary).toBe(false);
  });
});

test("a project that is not there is to be made, whatever the status that Harbor tells it with", async () => {
  const answer = { ...errors({ code: "UNAUTHORIZED", message: "project nonesuch not found" }), status: 401 };
  expect((await failureOf(answer, "destination")).details.advice).toContain("Make the project there first");
});

test("blobs that are named are told as data", async () => {
  const digests = ["a", "b"].map((hex) => `sha256:${hex.repeat(64)}`);
  const unknown = digests.map((detail) => ({
    code: "MANIFEST_BLOB_UNKNOWN",
    message: "blob unknown",
    detail,
  }));
  expect((await failureOf(errors(...unknown))).details.digests).toEqual(digests);
});

test("an immutable tag is explained where it is written, and not where it is read", async () => {
  const answer = { ...errors({ code: "DENIED", message: "the tag is immutable" }), status: 403 };
  expect((await failureOf(answer, "destination")).details.advice).toContain("`overwrite: false`");
  expect((await failureOf(answer, "source")).details.advice).not.toContain("immutable");
  const ofDeletion = (await failureOf(answer, "destination", "deleting")).details.advice;
  expect(ofDeletion).toContain("`keep=all`");
  expect(ofDeletion).not.toContain("overwrite");
});

describe("whether to try again", () => {
  test.each([
    [400, undefined, false, undefined],
    [404, undefined, false, undefined],
    [429, undefined, true, undefined],
    [503, undefined, true, undefined],
    [429, "7", true, 7000],
    [503, "300", true, 300_000],
    [429, "Thu, 01 Jan 2026 00:01:00 GMT", true, 60_000],
    [429, "yesterday", true, undefined],
    // Nobody sleeps for hours, or for ever.
    [429, "21600", false, undefined],
    [503, "9".repeat(400), false, undefined],
  ])("after status %i with Retry-After %j: %j", async (status, header, temporary, retryAfterMs) => {
    const headers = header === undefined ? {} : { "retry-after": header };
    const { details } = await failureOf({ status, headers });
    expect(details.temporary).toBe(temporary);
    expect(details.retryAfterMs).toBe(retryAfterMs);
  });
});

describe("what to do about a registry that takes nothing", () => {
  const readOnly = "The system is in read only mode. Any modification is prohibited.";
  const quota =
    "adding 30.0 MiB of storage resource, which when updated to current usage of 80.0 MiB will exceed the configured upper limit of 100.0 MiB.";
  const images =
    "The repository with name 'core' already has the maximum allowed number of images which is '10000'";

  test.each<[string, ScriptedAnswer, string]>([
    [
      "Harbor's read-only mode",
      { status: 403, ...errors({ code: "DENIED", message: readOnly }) },
      "read-only mode",
    ],
    ["the same, as 503", { status: 503, ...errors({ code: "DENIED", message: readOnly }) }, "read-only mode"],
    ["distribution's, which has no words", { status: 405 }, "read-only mode"],
    [
      "a quota of Harbor, 403",
      { status: 403, ...errors({ code: "DENIED", message: quota }) },
      "one version more than `keep`",
    ],
    [
      "a quota of Harbor, 412",
      { status: 412, ...errors({ code: "PRECONDITION", message: quota }) },
      "one version more than `keep`",
    ],
    [
      "a quota of Amazon ECR",
      { status: 400, ...errors({ code: "LimitExceededException", message: images }) },
      "A quota",
    ],
  ])("%s", async (_case, answer, advice) => {
    const failure = await failureOf(answer, "destination", "starting an upload");
    expect(failure.details.advice).toContain(advice);
  });

  test.each<[Side, string]>([
    ["source", "starting an upload"],
    ["destination", "deleting"],
  ])("is not what a 405 at a %s while %s means", async (side, operation) => {
    const failure = await failureOf({ status: 405 }, side, operation);
    expect(failure.details.advice ?? "").not.toContain("read-only");
  });
});
