import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { systemClock } from "../../src/clock.ts";
import { InputError, OperationError } from "../../src/errors.ts";
import { createIdTokens } from "../../src/github/id-token.ts";
import { createTransport } from "../../src/http/transport.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { load } from "../support/given-inputs.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type Scripted, scriptedTransport } from "../support/scripted-transport.ts";

const clock = fakeClock();

const request = { url: new URL("https://runner.example/idtoken?api-version=2.0"), token: "request-secret" };
const audience = "https://identity.docker.com";
const asked = "GET https://runner.example/idtoken?api-version=2.0&audience=https%3A%2F%2Fidentity.docker.com";

async function failureOf(answer: Scripted): Promise<OperationError> {
  const transport = scriptedTransport([asked, answer]);
  const idTokens = createIdTokens({ request, transport, clock, log: recordingLog() });
  const failure = await idTokens(audience).catch((thrown: unknown) => thrown);
  transport.finish();
  if (!(failure instanceof OperationError)) throw new Error("no OperationError", { cause: failure });
  return failure;
}

describe("an id token", () => {
  it("is asked for with the job's own query, the audience and the request token", async () => {
    const transport = scriptedTransport([asked, { json: { count: 9, value: "aa.bb.cc" } }]);
    const log = recordingLog();
    expect(await createIdTokens({ request, transport, clock, log })(audience)).toBe("aa.bb.cc");
    expect(transport.sent[0]?.headers.authorization).toBe("Bearer request-secret");
    expect(log.masked).toEqual(["request-secret", "aa.bb.cc"]);
    transport.finish();
  });

  it("is a new one each time", async () => {
    await using runner = await startGitHubOidc();
    const log = recordingLog();
    const network = createTransport(log, systemClock);
    const { idTokenRequest } = load({}, runner.variables);
    const idTokens = createIdTokens({ request: idTokenRequest, transport: network, clock, log });
    const [first, second] = [await idTokens("sts.example"), await idTokens("sts.example")];
    expect(first).not.toBe(second);
    expect(runner.issued).toEqual([first, second]);
    expect(runner.check(first, "sts.example")).toMatchObject({ repository: "goharbor/harbor" });
    expect(runner.check(first, "other.example")).toBeUndefined();
    await network.close();
  });

  it("is not there without the permission, and the message says which", async () => {
    const transport = scriptedTransport();
    const idTokens = createIdTokens({ request: undefined, transport, clock, log: recordingLog() });
    await expect(idTokens(audience)).rejects.toThrow(InputError);
    await expect(idTokens(audience)).rejects.toThrow("permissions: id-token: write");
    transport.finish();
  });
});

describe("what is no id token", () => {
  it.each<[what: string, answer: Scripted, problem: RegExp, temporary: boolean]>([
    ["401", { status: 401 }, /status 401: GitHub refuses .*id-token: write/, false],
    ["403", { status: 403 }, /status 403: GitHub refuses/, false],
    ["500", { status: 500 }, /status 500: GitHub gave no id token/, true],
    ["a redirect", { status: 302, headers: { location: "https://elsewhere.example/" } }, /status 302/, true],
    ["no JSON", { body: "<html>" }, /not JSON/, false],
    ["no value", { json: {} }, /not of the expected form/, false],
    ["no JWT", { json: { value: "aa.bb" } }, /no usable id token/, false],
    ["another line", { json: { value: "aa.bb.cc\r\nx: y" } }, /no usable id token/, false],
    ["too much", { body: `"${"x".repeat(70_000)}"` }, /larger than 65536 bytes/, false],
    [
      "a broken connection",
      Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }),
      /socket hang up/,
      true,
    ],
  ])("%s: told with host and operation", async (_what, answer, problem, temporary) => {
    const failure = await failureOf(answer);
    expect(failure.message).toMatch(/^GitHub runner\.example: asking for an id token failed/);
    expect(failure.message).toMatch(problem);
    expect(failure.temporary).toBe(temporary);
  });

  it("no answer: given up after the time limit", async () => {
    const transport = {
      send: async ({ signal }: { signal?: AbortSignal | undefined }): Promise<never> => {
        await delay(60_000, undefined, signal === undefined ? {} : { signal });
        throw new Error("nobody gave up");
      },
    };
    const idTokens = createIdTokens({ request, transport, clock, log: recordingLog() });
    const asking = idTokens(audience);
    clock.advance(60_000);
    await expect(asking).rejects.toThrow("no answer came within 60 seconds");
    const cancelled = new AbortController();
    cancelled.abort(new Error("the run was cancelled"));
    await expect(idTokens(audience, cancelled.signal)).rejects.toThrow("the run was cancelled");
  });
});

describe("the request in the runner's variables", () => {
  const variables = {
    ACTIONS_ID_TOKEN_REQUEST_URL: request.url.href,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: request.token,
  };

  it.each<[what: string, variables: Record<string, string>, expected: unknown]>([
    ["both", variables, request],
    [
      "loopback",
      { ...variables, ACTIONS_ID_TOKEN_REQUEST_URL: "http://127.0.0.1:8/t" },
      { url: new URL("http://127.0.0.1:8/t"), token: request.token },
    ],
    ["neither", {}, undefined],
    ["no token", { ...variables, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "" }, undefined],
    ["no address", { ...variables, ACTIONS_ID_TOKEN_REQUEST_URL: "idtoken" }, undefined],
    ["in the clear", { ...variables, ACTIONS_ID_TOKEN_REQUEST_URL: "http://runner.example/t" }, undefined],
  ])("%s", (_what, given, expected) => {
    expect(load({}, given).idTokenRequest).toEqual(expected);
  });
});
