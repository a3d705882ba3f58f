import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { authorizationOf } from "../../../src/destinations/tencent/tencent-signature.ts";
import { OperationError } from "../../../src/errors.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { type Exchange, type Scripted, scriptedTransport } from "../../support/scripted-transport.ts";

const mainland = "https://tcr.tencentcloudapi.com/";
const key = { secretId: "AKIDexample", secretKey: "very-secret", sessionToken: undefined };
const instances = v.object({ TotalCount: v.number() });

const ok = { json: { Response: { TotalCount: 1, RequestId: "r-1" } } };

function refusal(code: string, message = "No."): Scripted {
  return { json: { Response: { Error: { Code: code, Message: message }, RequestId: "r-2" } } };
}

/** An API client at this URL that is answered like this, in this order. */
function scenario(answers: readonly Exchange[1][], { url = mainland, sessionToken = "" } = {}) {
  const exchanges = answers.map((answer): Exchange => [`POST ${url}`, answer]);
  const transport = scriptedTransport(...exchanges);
  const clock = fakeClock();
  const api = createTencentApi({
    transport,
    clock,
    url: new URL(url),
    keys: fixedKey(sessionToken === "" ? key : { ...key, sessionToken }),
  });
  const call = (signal?: AbortSignal) =>
    api.call(
      {
        action: "DescribeInstances",
        operation: "looking for the instance",
        region: "ap-guangzhou",
        parameters: { Limit: 20 },
        signal,
      },
      instances,
    );
  return { transport, clock, call };
}

async function failureOf(promise: Promise<unknown>): Promise<OperationError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof OperationError)) throw new Error("expected an OperationError", { cause: thrown });
  return thrown;
}

describe("a call to the Tencent Cloud API", () => {
  it("is a signed POST with action, version, region and time", async () => {
    const { transport, clock, call } = scenario([ok]);
    expect(await call()).toEqual({ TotalCount: 1 });
    const [sent] = transport.sent;
    const timestamp = Math.floor(clock.now() / 1000);
    expect(sent?.body).toBe('{"Limit":20}');
    expect(sent?.headers).toEqual({
      "content-type": "application/json; charset=utf-8",
      "x-tc-action": "DescribeInstances",
      "x-tc-version": "2019-09-24",
      "x-tc-region": "ap-guangzhou",
      "x-tc-timestamp": String(timestamp),
      authorization: authorizationOf(
        {
          service: "tcr",
          headers: {
            "content-type": "application/json; charset=utf-8",
            host: "tcr.tencentcloudapi.com",
            "x-tc-action": "DescribeInstances",
          },
          body: '{"Limit":20}',
          timestamp,
        },
        key,
      ),
    });
  });

  it.each([
    "https://tcr.intl.tencentcloudapi.com/",
    "https://tcr.ap-guangzhou.tencentcloudapi.com/",
    "http://127.0.0.1:5000/",
    "http://localhost:5000/",
    "http://[::1]:5000/",
  ])("is signed for the service tcr at %s", async (url) => {
    const { transport, call } = scenario([ok], { url });
    await call();
    expect(transport.sent[0]?.headers.authorization).toContain("/tcr/tc3_request, ");
  });

  it("carries the session token of a temporary key", async () => {
    const { transport, call } = scenario([ok], { sessionToken: "session" });
    await call();
    expect(transport.sent[0]?.headers["x-tc-token"]).toBe("session");
  });

  it("keeps 110 ms between requests, and waits no longer than needed", async () => {
    const { clock, call } = scenario([ok, ok, ok, ok]);
    await call();
    await call();
    expect(clock.slept).toEqual([110]);
    clock.advance(60);
    await call();
    expect(clock.slept).toEqual([110, 50]);
    clock.advance(110);
    await call();
    expect(clock.slept).toEqual([110, 50]);
  });

  it("gives callers of the same moment one turn after the other", async () => {
    const { clock, call } = scenario([ok, ok, ok]);
    const start = clock.now();
    await Promise.all([call(), call(), call()]);
    expect(clock.now() - start).toBe(220);
  });
});

describe("an error inside a 200", () => {
  it("is told with code, message, RequestId, host and operation, and without the key", async () => {
    const { call } = scenario([refusal("InternalError.DbError", "db \u001b[31mdown\n::error::")]);
    const { message, details } = await failureOf(call());
    expect(details).toMatchObject({ side: "destination", code: "InternalError.DbError" });
    expect(message).toContain("tcr.tencentcloudapi.com: looking for the instance failed");
    expect(message).toContain("(RequestId r-2)");
    expect(message).toContain("db  [31mdown : :error: :");
    expect(message).not.toContain(key.secretKey);
  });

  it.each([
    ["AuthFailure.SecretIdNotFound", "`tcr-secret-id`"],
    ["AuthFailure.SecretIdNotFound", "`api=https://tcr.intl.tencentcloudapi.com`"],
    ["AuthFailure.SignatureFailure", "`tcr-secret-key` does not belong"],
    ["AuthFailure.TokenFailure", "`tcr-session-token`"],
    ["AuthFailure.UnauthorizedOperation", "`tcr:DescribeInstances`"],
    ["UnauthorizedOperation", "`tcr:DescribeInstances`"],
    ["InternalError.ErrorTcrUnauthorized", "`tcr:DescribeInstances`"],
  ])("%s says what to change: %s", async (code, advice) => {
    const { transport, call } = scenario([refusal(code)]);
    expect((await failureOf(call())).message).toContain(advice);
    transport.finish();
  });

  it.each([
    [-12, "is 12 minutes ahead of"],
    [12, "is 12 minutes behind"],
  ])(
    "explains a signature out of time by the server's clock, %i minutes from ours",
    async (minutes, words) => {
      const date = new Date(fakeClock().now() + minutes * 60_000).toUTCString();
      const expired = { headers: { date }, ...refusal("AuthFailure.SignatureExpire") };
      const { call } = scenario([expired]);
      expect((await failureOf(call())).message).toContain(`The clock of this machine ${words}`);
    },
  );

  it("is tried again when it is the rate limit, after growing pauses", async () => {
    const { transport, clock, call } = scenario([
      refusal("RequestLimitExceeded"),
      refusal("RequestLimitExceeded.UinLimitExceeded"),
      ok,
    ]);
    expect(await call()).toEqual({ TotalCount: 1 });
    expect(clock.slept).toEqual([1000, 2000]);
    transport.finish();
  });

  it("ends after five tries over the rate limit", async () => {
    const { transport, call } = scenario(Array(5).fill(refusal("RequestLimitExceeded")));
    const failure = await failureOf(call());
    expect(failure.details.code).toBe("RequestLimitExceeded");
    expect(failure.temporary).toBe(true);
    transport.finish();
  });

  it.each(["LimitExceeded", "InternalError", "FailedOperation"])(
    "is not tried again when it is %s",
    async (code) => {
      const { transport, call } = scenario([refusal(code)]);
      expect((await failureOf(call())).details.code).toBe(code);
      transport.finish();
    },
  );
});

describe("anything else", () => {
  it("is a failure with the status, when it is not 200", async () => {
    const { call } = scenario([{ status: 502, body: "<html>" }]);
    expect(await failureOf(call())).toMatchObject({ status: 502 });
  });

  it.each([
    ["no JSON", { body: "<html>" }, "not JSON"],
    ["no Response", { json: {} }, "not of the expected form"],
    ["another result", { json: { Response: { RequestId: "r-3" } } }, "(RequestId r-3)"],
    ["a body without end", { body: "x".repeat(1024 * 1024 + 1) }, "larger than"],
  ])("is a failure, when it is %s", async (_name, answer, words) => {
    const { call } = scenario([answer]);
    expect((await failureOf(call())).message).toContain(words);
  });

  it("is a failure that names the host and the cause, when the connection breaks", async () => {
    const { call } = scenario([new Error("getaddrinfo ENOTFOUND")]);
    const failure = await failureOf(call());
    expect(failure.message).toContain(
      "tcr.tencentcloudapi.com: looking for the instance failed: getaddrinfo",
    );
    expect(failure.temporary).toBe(true);
  });

  it("ends with the signal's reason when it was aborted, and sends nothing", async () => {
    const { transport, call } = scenario([]);
    await expect(call(AbortSignal.abort(new Error("cancelled")))).rejects.toThrow("cancelled");
    expect(transport.sent).toEqual([]);
  });

  it("ends with the signal's reason when it is aborted while it waits for the answer", async () => {
    const controller = new AbortController();
    const cancel = () => {
      controller.abort(new Error("cancelled"));
      return new Error("socket closed");
    };
    const { transport, call } = scenario([cancel]);
    await expect(call(controller.signal)).rejects.toThrow("cancelled");
    transport.finish();
  });
});
