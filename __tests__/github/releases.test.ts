import { describe, expect, test } from "vitest";
import { OperationError } from "../../src/errors.ts";
import { createGitHubClient } from "../../src/github/client.ts";
import { listReleases, readFileAtTag } from "../../src/github/releases.ts";
import { silentLog } from "../../src/log/log.ts";
import { type ScriptedAnswer, scriptedFetch } from "./scripted-fetch.ts";

const repository = { owner: "goharbor", name: "harbor" };

async function scripted(
  answers: readonly (ScriptedAnswer | Error)[],
  given: { token?: string; apiUrl?: string } = {},
) {
  const { fetch, requests } = scriptedFetch(...answers);
  const apiUrl = new URL(given.apiUrl ?? "https://api.github.com");
  const userAgent = "harbor-release-mirror/0.0.0";
  const client = await createGitHubClient({ fetch, apiUrl, token: given.token, userAgent, log: silentLog });
  return { client, requests };
}

function released(tag: string, more: Readonly<Record<string, unknown>> = {}) {
  return { tag_name: tag, draft: false, prerelease: false, published_at: "2026-07-01T02:52:00Z", ...more };
}

async function failureOf(work: Promise<unknown>): Promise<OperationError> {
  const outcome = await work.then(
    () => "no failure",
    (error: unknown) => error,
  );
  if (outcome instanceof OperationError) return outcome;
  throw new Error(`not an OperationError: ${String(outcome)}`);
}

describe("listReleases", () => {
  test("reads every page and leaves drafts out", async () => {
    const next = { link: '<https://api.github.com/repositories/1/releases?page=2>; rel="next"' };
    const { client, requests } = await scripted([
      {
        headers: next,
        body: [released("v2.15.2"), released("v2.16.0", { draft: true, published_at: null })],
      },
      { body: [released("v2.15.0-rc1", { prerelease: true })] },
    ]);
    expect(await listReleases(client, repository)).toEqual([
      { tag: "v2.15.2", prerelease: false, publishedAt: Date.UTC(2026, 6, 1, 2, 52) },
      { tag: "v2.15.0-rc1", prerelease: true, publishedAt: Date.UTC(2026, 6, 1, 2, 52) },
    ]);
    expect(requests.map((request) => request.url.href)).toEqual([
      "https://api.github.com/repos/goharbor/harbor/releases?per_page=100&page=1",
      "https://api.github.com/repos/goharbor/harbor/releases?per_page=100&page=2",
    ]);
  });

  test("a release that moves onto the next page meanwhile counts once", async () => {
    const { client } = await scripted([
      { headers: { link: '<https://api.github.com/x>; rel="next"' }, body: [released("a"), released("b")] },
      { body: [released("b"), released("c")] },
    ]);
    expect((await listReleases(client, repository)).map((one) => one.tag)).toEqual(["a", "b", "c"]);
  });

  test("the token never follows a link to another host", async () => {
    const { client, requests } = await scripted(
      [{ headers: { link: '<https://evil.example/releases?page=2>; rel="next"' }, body: [] }, { body: [] }],
      { token: "ghs_secret" },
    );
    await listReleases(client, repository);
    expect(requests.map((request) => request.url.host)).toEqual(["api.github.com", "api.github.com"]);
  });

  test("a list that never ends is a failure", async () => {
    const page = { headers: { link: '<https://api.github.com/x>; rel="next"' }, body: [] };
    const { client, requests } = await scripted(Array.from({ length: 101 }, () => page));
    expect((await failureOf(listReleases(client, repository))).message).toContain("more than 100 pages");
    expect(requests).toHaveLength(100);
  });

  test("says who it is, which API version it means, and sends the token where there is one", async () => {
    const anonymous = await scripted([{ body: [] }]);
    await listReleases(anonymous.client, repository);
    expect(anonymous.requests[0]?.headers).not.toHaveProperty("authorization");
    const { client, requests } = await scripted([{ body: [] }], {
      token: "ghs_x",
      apiUrl: "https://ghe.example:8443/api/v3/",
    });
    await listReleases(client, repository);
    expect(requests[0]?.url.href).toMatch(
      /^https:\/\/ghe\.example:8443\/api\/v3\/repos\/goharbor\/harbor\/releases\?/,
    );
    expect(requests[0]?.headers).toMatchObject({
      authorization: "token ghs_x",
      "user-agent": expect.stringMatching(/^harbor-release-mirror\/0\.0\.0 /),
      "x-github-api-version": "2022-11-28",
    });
  });

  test.each([
    ["no list", { message: "hello" }],
    ["null", null],
    ["a number", 7],
    ["broken JSON", "[{"],
    ["a tag that is no text", [released("v1", { tag_name: 1 })]],
    ["an empty tag", [released("")]],
    ["a date that is none", [released("v1", { published_at: "yesterday" })]],
    ["no date on a published release", [released("v1", { published_at: null })]],
    ["no draft flag", [released("v1", { draft: undefined })]],
  ])("%s instead of releases is a failure, not an empty list", async (_what, body) => {
    const { client } = await scripted([{ body }]);
    const failure = await failureOf(listReleases(client, repository));
    expect(failure.details).toMatchObject({
      side: "GitHub",
      host: "api.github.com",
      repository: "goharbor/harbor",
    });
  });

  test("a web page with status 200 is a failure that points at the API's address", async () => {
    const { client } = await scripted([
      { headers: { "content-type": "text/html" }, body: "<html>login</html>" },
    ]);
    const { message } = await failureOf(listReleases(client, repository));
    expect(message).toContain("not JSON");
    expect(message).toContain("github-api-url");
    expect(message).not.toContain("<html>");
  });

  test("an answer beyond the limit is given up", async () => {
    const { client } = await scripted([{ body: Buffer.alloc(32 * 1024 * 1024 + 1, " ") }]);
    expect((await failureOf(listReleases(client, repository))).message).toContain(
      "larger than 33554432 bytes",
    );
  });
});

describe("failures of GitHub", () => {
  const reset = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1782874320" };
  test.each<[string, ScriptedAnswer, string | undefined, readonly string[], boolean]>([
    [
      "401",
      { status: 401, body: { message: "Bad credentials" } },
      "t",
      ["status 401", "Bad credentials", "renew"],
      false,
    ],
    ["403", { status: 403, body: { message: "Resource not accessible" } }, "t", ["contents: read"], false],
    [
      "403 by rate limit, anonymous",
      { status: 403, headers: reset, body: { message: "API rate limit" } },
      undefined,
      ["2026-07-01T02:52:00.000Z", "Set github-token"],
      true,
    ],
    [
      "403 by rate limit, with token",
      { status: 403, headers: reset, body: {} },
      "t",
      ["2026-07-01T02:52:00.000Z", "Run again"],
      true,
    ],
    [
      "403 by secondary limit",
      { status: 403, headers: { "retry-after": "60" }, body: {} },
      "t",
      ["rate limit"],
      true,
    ],
    [
      "429 with odd headers",
      { status: 429, headers: { "x-ratelimit-reset": "9e99", "retry-after": "soon" }, body: {} },
      "t",
      ["rate limit of GitHub is used up."],
      true,
    ],
    ["404", { status: 404, body: { message: "Not Found" } }, "t", ['"repository"', "token may read"], false],
    [
      "404, anonymous",
      { status: 404, body: { message: "Not Found" } },
      undefined,
      ["set github-token"],
      false,
    ],
    ["409", { status: 409, body: { message: "Conflict" } }, "t", ["status 409", "Conflict"], false],
    [
      "502 page",
      { status: 502, headers: { "content-type": "text/html" }, body: "<html>Unicorn!" },
      "t",
      ["status 502", "web page", "run again"],
      true,
    ],
  ])("%s", async (_name, answer, token, parts, temporary) => {
    const { client } = await scripted([answer], token === undefined ? {} : { token });
    const failure = await failureOf(listReleases(client, repository));
    for (const part of parts) expect(failure.message).toContain(part);
    expect(failure.message).not.toContain("<html>");
    expect(failure.message).toContain("GitHub api.github.com/goharbor/harbor: listing the releases failed");
    expect(failure.temporary).toBe(temporary);
  });

  test("Retry-After is handed on in milliseconds", async () => {
    const { client } = await scripted([{ status: 429, headers: { "retry-after": "60" }, body: {} }]);
    expect((await failureOf(listReleases(client, repository))).details.retryAfterMs).toBe(60_000);
  });

  test("a broken connection tells the reason that fetch hides in its cause", async () => {
    const broken = new TypeError("fetch failed", {
      cause: new Error("getaddrinfo ENOTFOUND api.github.com"),
    });
    const { client } = await scripted([broken]);
    const failure = await failureOf(listReleases(client, repository));
    expect(failure.message).toContain("ENOTFOUND");
    expect(failure.status).toBeUndefined();
    expect(failure.temporary).toBe(true);
  });

  test("an abort stays an abort", async () => {
    const abort = new DOMException("This operation was aborted", "AbortError");
    const { client } = await scripted([abort]);
    await expect(listReleases(client, repository)).rejects.toHaveProperty("name", "AbortError");
  });

  test("neither the token nor a control character of the answer gets into the message", async () => {
    const { client } = await scripted([{ status: 400, body: { message: "no\n::error::\u001b[31m" } }], {
      token: "ghs_secret",
    });
    const { message } = await failureOf(listReleases(client, repository));
    expect(message).not.toMatch(/ghs_secret|\n|\u001b|::error::/);
  });
});

describe("readFileAtTag", () => {
  const raw = { "content-type": "application/vnd.github.raw; charset=utf-8" };
  const path = "make/photon/Makefile";

  test("asks for the raw text at the tag, with the path as it is", async () => {
    const { client, requests } = await scripted([{ headers: raw, body: "grüße: 你好\n" }]);
    expect(await readFileAtTag(client, repository, path, "v2.15.2")).toBe("grüße: 你好\n");
    expect(requests[0]?.url.href).toBe(
      "https://api.github.com/repos/goharbor/harbor/contents/make/photon/Makefile?ref=v2.15.2",
    );
    expect(requests[0]?.headers.accept).toBe("application/vnd.github.raw");
  });

  test("takes bytes for UTF-8 when the answer does not say so", async () => {
    const { client } = await scripted([
      { headers: { "content-type": "application/vnd.github.raw" }, body: Buffer.from("你好") },
    ]);
    expect(await readFileAtTag(client, repository, path, "v1")).toBe("你好");
  });

  test("an empty file is an empty text", async () => {
    const { client } = await scripted([{ headers: raw, body: "" }]);
    expect(await readFileAtTag(client, repository, path, "v1")).toBe("");
  });

  test("a tag with characters of their own meaning stays within the parameter", async () => {
    const { client, requests } = await scripted([{ headers: raw, body: "x" }]);
    await readFileAtTag(client, repository, path, "v1&per_page=2#x");
    expect([...(requests[0]?.url.searchParams ?? [])]).toEqual([["ref", "v1&per_page=2#x"]]);
  });

  test("no such file is undefined", async () => {
    const { client } = await scripted([{ status: 404, body: { message: "Not Found" } }]);
    expect(await readFileAtTag(client, repository, path, "v1")).toBeUndefined();
  });

  test.each<[string, ScriptedAnswer, string]>([
    ["a folder", { body: [{ type: "file" }] }, "not the text of a file"],
    ["more than 1 MiB", { headers: raw, body: "x".repeat(1024 * 1024 + 1) }, "larger than 1048576 bytes"],
    ["no permission", { status: 403, body: {} }, "status 403"],
  ])("%s is a failure", async (_what, answer, part) => {
    const { client } = await scripted([answer]);
    expect((await failureOf(readFileAtTag(client, repository, path, "v1"))).message).toContain(part);
  });
});
