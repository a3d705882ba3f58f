import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { HttpResponse, Transport } from "../../src/http/http.ts";
import { Authenticator } from "../../src/oci/auth.ts";
import { anonymous, type Credential, type Credentials } from "../../src/oci/credentials.ts";
import { refusedLogin } from "../../src/oci/refused-login.ts";
import type { Scope } from "../../src/oci/scope.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";
import { routedTransport, type Scripted, type SentRequest } from "../support/scripted-transport.ts";
import { failureOf } from "./failure-of.ts";

const registry = "registry.example.com";
const realm = "https://auth.example.com/token";
const bearer = `Bearer realm="${realm}",service="registry"`;
const login: Credential = { username: "bot", password: "secret" };
const basicForm = Buffer.from("bot:secret").toString("base64");

const pull: readonly Scope[] = [{ repository: "goharbor/harbor-core", actions: ["pull"] }];
const push: readonly Scope[] = [{ repository: "goharbor/harbor-core", actions: ["pull", "push"] }];

interface Options {
  /** Answer to `/v2/`; default: a bearer challenge. */
  readonly support?: Scripted;
  /** Answers of the token server; default: tokens with numbers. */
  readonly token?: (request: SentRequest, count: number) => Scripted;
  readonly credentials?: Credentials;
}

/** An authenticator with a registry and a token server that are functions. */
function authenticatorOf(options: Options = {}) {
  const { support = challenged(bearer), credentials = () => Promise.resolve(login) } = options;
  const token =
    options.token ?? ((_request, count) => ({ json: { token: `token-${count}`, expires_in: 300 } }));
  const clock = fakeClock();
  const log = recordingLog();
  /** What was masked when each request left. */
  const maskedBefore: (readonly string[])[] = [];
  let tokens = 0;
  const transport = routedTransport((request) => {
    maskedBefore.push([...log.masked]);
    if (request.url === `https://${registry}/v2/`) return support;
    if (!request.url.startsWith(realm)) throw new Error(`unexpected ${request.url}`);
    tokens += 1;
    return token(request, tokens);
  });
  const authenticator = new Authenticator({
    registry,
    vendor: vendorOf(registry),
    side: "destination",
    credentials,
    transport,
    clock,
    log,
  });
  return { authenticator, transport, clock, log, maskedBefore, tokenRequests: () => tokens };
}

function challenged(header?: string): Scripted {
  return { status: 401, ...(header === undefined ? {} : { headers: { "www-authenticate": header } }) };
}

/** A refused request, as `forget` is told of it. */
async function refusal(header?: string): Promise<HttpResponse> {
  const transport = routedTransport(() => challenged(header));
  return transport.send({ method: "GET", url: new URL(`https://${registry}/v2/a/b/tags/list`) });
}

describe("how a registry wants to be asked", () => {
  test("without any login, where /v2/ is open", async () => {
    const { authenticator, transport } = authenticatorOf({ support: {} });
    expect(await authenticator.header(pull, undefined)).toBeUndefined();
    expect(await authenticator.header(push, undefined)).toBeUndefined();
    expect(transport.sent.map(({ url }) => url)).toEqual([`https://${registry}/v2/`]);
    expect(transport.sent[0]?.headers).toEqual({});
  });

  test("by Basic", async () => {
    const { authenticator, tokenRequests } = authenticatorOf({ support: challenged('Basic realm="x"') });
    expect(await authenticator.header(push, undefined)).toBe(`Basic ${basicForm}`);
    expect(tokenRequests()).toBe(0);
  });

  test("by Basic, without a login", async () => {
    const support = challenged('Basic realm="x"');
    const { authenticator } = authenticatorOf({ support, credentials: anonymous });
    expect(await authenticator.header(pull, undefined)).toBeUndefined();
  });

  test("by Bearer, with the login for the token server alone", async () => {
    const { authenticator, transport } = authenticatorOf();
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-1");
    const [first, second] = transport.sent;
    expect(first?.headers).toEqual({});
    expect(second).toMatchObject({ method: "GET", headers: { authorization: `Basic ${basicForm}` } });
    const url = new URL(second?.url ?? "");
    expect(url.origin + url.pathname).toBe(realm);
    expect([...url.searchParams]).toEqual([
      ["service", "registry"],
      ["scope", "repository:goharbor/harbor-core:pull,push"],
    ]);
  });

  test("by Bearer, without a login", async () => {
    const { authenticator, transport } = authenticatorOf({ credentials: anonymous });
    expect(await authenticator.header(pull, undefined)).toBe("Bearer token-1");
    expect(transport.sent[1]?.headers ?? {}).toEqual({});
  });

  test("by Bearer before Basic, and with the realm's own query", async () => {
    const support = challenged(`Basic realm="x", Bearer realm="${realm}?a=b"`);
    const { authenticator, transport } = authenticatorOf({ support });
    await authenticator.header(pull, undefined);
    expect([...new URL(transport.sent[1]?.url ?? "").searchParams.keys()]).toEqual(["a", "scope"]);
  });

  test("an identity token goes by POST, and no Basic with it", async () => {
    const identityToken = "refresh+me";
    const { authenticator, transport, log, maskedBefore } = authenticatorOf({
      credentials: () => Promise.resolve({ username: "", password: "", identityToken }),
      token: () => ({ json: { access_token: "access-1", expires_in: 300 } }),
    });
    expect(await authenticator.header(push, undefined)).toBe("Bearer access-1");
    const sent = transport.sent[1];
    expect(sent).toMatchObject({ method: "POST", url: realm });
    expect(sent?.headers).toEqual({ "content-type": "application/x-www-form-urlencoded" });
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      service: "registry",
      grant_type: "refresh_token",
      refresh_token: identityToken,
      client_id: "harbor-release-mirror",
      scope: "repository:goharbor/harbor-core:pull,push",
    });
    expect(maskedBefore[1]).toContain(identityToken);
    expect(log.masked).toContain("access-1");
  });
});

describe("a login that is refused", () => {
  const refuses = (details: unknown) => ({ token: () => ({ status: 401, json: { details } }) });

  test.each([
    ["docker.io", "destination", "access token has insufficient scopes", '"Repo Read & Write"'],
    ["docker.io", "source", "access token has insufficient scopes", '"Repo Read-only"'],
    ["docker.io", "destination", "incorrect username or password", "Check the user name and the token"],
  ] as const)("at %s as %s (%s)", async (name, side, details, advice) => {
    const refusal = await refusedLogin(responseWith(401, JSON.stringify({ details })), login, {
      registry: name,
      vendor: vendorOf(name),
      side,
    });
    expect(refusal.problem).toBe(`the login was refused (${details})`);
    expect(refusal.advice).toContain(advice);
    expect(refusal.temporary).toBe(false);
  });

  test("at a destination that is only read needs the right to pull", async () => {
    const details = "access token has insufficient scopes";
    const refusal = await refusedLogin(responseWith(401, JSON.stringify({ details })), login, {
      registry: "docker.io",
      vendor: vendorOf("docker.io"),
      side: "destination",
      readOnly: true,
    });
    expect(refusal.advice).toContain('"Repo Read-only"');
  });

  test("tells the token server's words, on one line and without the secret", async () => {
    const { authenticator } = authenticatorOf(refuses("no\n::set-output name=x::y"));
    const error = await authenticator.header(push, undefined).catch(String);
    expect(error).toContain("the login was refused (no : :set-output");
    expect(error).not.toContain("\n");
  });

  test.each([
    ["no JSON", "<html>"],
    ["no words", "{}"],
    ["endless", `{"details":"${"x".repeat(70_000)}"}`],
  ])("with %s: told without", async (_name, body) => {
    const refusal = await refusedLogin(responseWith(403, body), undefined, {
      registry,
      vendor: vendorOf(registry),
      side: "source",
    });
    expect(refusal.problem).toBe("the login was refused");
    expect(refusal.advice).toContain("No login is known");
  });
});

describe("a login that Harbor takes for none", () => {
  const harbor = challenged(`Bearer realm="${realm}",service="harbor-registry"`);
  const tokenOf = (sub: string | undefined, actions: readonly string[]) => {
    const access = [{ type: "repository", name: "goharbor/harbor-core", actions }];
    const parts = [{ alg: "RS256" }, { sub, access }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    return { token: `${parts.join(".")}.signature`, expires_in: 300 };
  };

  test.each([undefined, ""])("is told before anything is read (sub: %j)", async (sub) => {
    const { authenticator } = authenticatorOf({
      support: harbor,
      token: () => ({ json: tokenOf(sub, ["pull"]) }),
    });
    const failure = await failureOf(authenticator.header(push, undefined));
    expect(failure.details.problem).toContain("the login was not taken");
    expect(failure.details.advice).toContain(`docker login ${registry}`);
  });

  test.each<[string, Options, readonly Scope[]]>([
    ["a token of somebody", { token: () => ({ json: tokenOf("robot$bot", ["pull"]) }) }, push],
    [
      "a token that is good for a push",
      { token: () => ({ json: tokenOf(undefined, ["pull", "push"]) }) },
      push,
    ],
    ["a token for reading alone", { token: () => ({ json: tokenOf(undefined, ["pull"]) }) }, pull],
    ["no login", { token: () => ({ json: tokenOf(undefined, []) }), credentials: anonymous }, push],
    ["an opaque token", {}, push],
    [
      "another registry",
      { support: challenged(bearer), token: () => ({ json: tokenOf(undefined, ["pull"]) }) },
      push,
    ],
  ])("is not what %s means", async (_case, options, scopes) => {
    const { authenticator } = authenticatorOf({ support: harbor, ...options });
    expect(await authenticator.header(scopes, undefined)).toMatch(/^Bearer /);
  });
});

describe("a token", () => {
  test("serves all requests of its scopes, in whatever order those are named", async () => {
    const { authenticator, tokenRequests } = authenticatorOf();
    const other: Scope = { repository: "goharbor/base", actions: ["pull"] };
    expect(await authenticator.header([...push, other], undefined)).toBe("Bearer token-1");
    expect(await authenticator.header([other, ...push], undefined)).toBe("Bearer token-1");
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-2");
    expect(await authenticator.header(pull, undefined)).toBe("Bearer token-3");
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-2");
    expect(tokenRequests()).toBe(3);
  });

  test("is asked for once by all who need it at the same moment", async () => {
    const { authenticator, transport } = authenticatorOf();
    const headers = await Promise.all(Array.from({ length: 8 }, () => authenticator.header(push, undefined)));
    expect(headers).toEqual(Array(8).fill("Bearer token-1"));
    expect(transport.sent).toHaveLength(2);
  });

  test.each([
    [300, 270],
    [3600, 3570],
    // Not believed: less than a minute, absent, and more than a day.
    [0, 30],
    [-5, 30],
    [1, 30],
    [null, 30],
    [undefined, 30],
    [1e15, 24 * 3600 - 30],
  ])("that lives for %j s is renewed after %i s", async (expires_in, life) => {
    const { authenticator, clock } = authenticatorOf({
      token: (_request, count) => ({ json: { token: `token-${count}`, expires_in } }),
    });
    await authenticator.header(push, undefined);
    clock.advance(life * 1000 - 1);
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-1");
    clock.advance(1);
    const renewed = await Promise.all([1, 2, 3].map(() => authenticator.header(push, undefined)));
    expect(renewed).toEqual(Array(3).fill("Bearer token-2"));
  });

  test("that was refused is asked for anew, once for all who were refused with it", async () => {
    const { authenticator, tokenRequests } = authenticatorOf();
    const refused = await authenticator.header(push, undefined);
    const again = async () => {
      authenticator.forget(push, await refusal(bearer), refused);
      return authenticator.header(push, undefined);
    };
    expect(await Promise.all([again(), again(), again()])).toEqual(Array(3).fill("Bearer token-2"));
    expect(await again()).toBe("Bearer token-2");
    expect(tokenRequests()).toBe(2);
  });

  test("that was refused leaves those of other scopes alone", async () => {
    const { authenticator } = authenticatorOf();
    const refused = await authenticator.header(push, undefined);
    await authenticator.header(pull, undefined);
    authenticator.forget(push, await refusal(), refused);
    expect(await authenticator.header(pull, undefined)).toBe("Bearer token-2");
  });

  test("comes with a login that is asked for again each time: logins run out, too", async () => {
    let count = 0;
    const { authenticator, transport, clock } = authenticatorOf({
      credentials: () => {
        count += 1;
        return Promise.resolve({ username: "bot", password: `secret-${count}` });
      },
    });
    await authenticator.header(push, undefined);
    clock.advance(600_000);
    await authenticator.header(push, undefined);
    const passwords = transport.sent
      .slice(1)
      .map(({ headers }) => Buffer.from(headers.authorization?.split(" ")[1] ?? "", "base64").toString());
    expect(passwords).toEqual(["bot:secret-1", "bot:secret-2"]);
  });

  test("one caller's giving up does not fail those who wait for the same", async () => {
    const gone = new AbortController();
    const { authenticator } = authenticatorOf({
      credentials: async (signal) => {
        if (signal === gone.signal) {
          gone.abort(new Error("cancelled"));
          signal.throwIfAborted();
        }
        return login;
      },
    });
    const leaving = authenticator.header(push, gone.signal);
    const staying = authenticator.header(push, new AbortController().signal);
    await expect(leaving).rejects.toThrow("cancelled");
    expect(await staying).toBe("Bearer token-1");
  });
});

describe("a login by Basic", () => {
  test("is asked for once, and anew after it was refused", async () => {
    let count = 0;
    const { authenticator } = authenticatorOf({
      support: challenged('Basic realm="x"'),
      credentials: () => {
        count += 1;
        return Promise.resolve({ username: "bot", password: `secret-${count}` });
      },
    });
    const first = await authenticator.header(push, undefined);
    expect(await authenticator.header(pull, undefined)).toBe(first);
    authenticator.forget(push, await refusal('Basic realm="x"'), first);
    authenticator.forget(push, await refusal('Basic realm="x"'), first);
    const second = await authenticator.header(push, undefined);
    expect(second).not.toBe(first);
    expect(await authenticator.header(push, undefined)).toBe(second);
    expect(count).toBe(2);
  });
});

describe("a challenge of a refused request", () => {
  test("wins over an open /v2/", async () => {
    const { authenticator } = authenticatorOf({ support: {} });
    const header = await authenticator.header(push, undefined);
    authenticator.forget(push, await refusal(bearer), header);
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-1");
  });

  test("may be absent: then the one of /v2/ goes on", async () => {
    const { authenticator } = authenticatorOf();
    authenticator.forget(push, await refusal(), await authenticator.header(push, undefined));
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-2");
  });

  test("that names a foreign token server is refused, and changes nothing", async () => {
    const { authenticator } = authenticatorOf();
    const header = await authenticator.header(push, undefined);
    const hostile = await refusal('Bearer realm="https://evil.example/token"');
    expect(() => authenticator.forget(push, hostile, header)).toThrow("evil.example");
    expect(await authenticator.header(push, undefined)).toBe("Bearer token-2");
  });
});

describe("a failure", () => {
  test.each([
    [401, login, "the login was refused", "Check the user name and the token", false],
    [403, login, "the login was refused", "Check the user name and the token", false],
    [401, undefined, "the login was refused", "No login is known for this registry", false],
    [500, login, "no token was given", "Try again later", true],
    [307, login, "no token was given", "Try again later", true],
  ])(
    "of the token server (%i) says where and what to do",
    async (status, credential, problem, advice, temporary) => {
      const { authenticator } = authenticatorOf({
        credentials: () => Promise.resolve(credential),
        token: () => ({ status, headers: { location: "https://evil.example/" }, body: "bot:secret" }),
      });
      const error = await failureOf(authenticator.header(push, undefined));
      expect(error.message).toContain(`destination ${registry}: asking its token server (auth.example.com)`);
      expect(error.message).toContain(problem);
      expect(error.message).toContain(advice);
      expect(error.message).not.toContain("secret");
      expect(error.details).toMatchObject({ status, temporary });
    },
  );

  test.each([
    ["no token", { json: {} }],
    ["an empty token", { json: { token: "", access_token: "" } }],
    ["a token with a line break", { json: { token: "a\r\nX-Evil: b" } }],
    ["a token with a space", { json: { token: "a b" } }],
    ["a number", { json: { token: 12 } }],
    ["a web page", { body: "<html>" }],
    ["no end", { body: `{"token":"${"a".repeat(200_000)}"}` }],
  ])("is an answer with %s", async (_name, answer) => {
    const { authenticator } = authenticatorOf({ token: () => answer });
    const error = await failureOf(authenticator.header(push, undefined));
    expect(error.message).toContain("asking its token server (auth.example.com) failed: ");
  });

  test("is not remembered", async () => {
    const { authenticator } = authenticatorOf({
      token: (_request, count) => (count === 1 ? { status: 500 } : { json: { token: "token" } }),
    });
    await failureOf(authenticator.header(push, undefined));
    expect(await authenticator.header(push, undefined)).toBe("Bearer token");
  });

  test.each([
    [challenged("Negotiate"), "no known way", undefined],
    [challenged(), "no known way", undefined],
    [{ status: 404 }, "does not answer as a registry", "Check the host name"],
    [{ status: 403 }, "does not answer as a registry", "allowlist"],
    [
      { status: 302, headers: { location: "https://evil.example" } },
      "does not answer as a registry",
      undefined,
    ],
    [new Error("connect ECONNREFUSED"), "connect ECONNREFUSED", undefined],
  ])("is a registry that answers /v2/ with %j", async (support, problem, advice = "") => {
    const { authenticator, transport } = authenticatorOf({ support });
    const error = await failureOf(authenticator.header(push, undefined));
    expect(error.details.host).toBe(registry);
    expect(error.message).toContain(problem);
    expect(error.message).toContain(advice);
    expect(transport.sent.every(({ headers }) => !("authorization" in headers))).toBe(true);
  });

  test.each([
    // One that may be asked without a login: whether there is one has to be known.
    ["https://evil.example/token", 1],
    ["https://169.254.169.254/latest/meta-data", 1],
    ["http://auth.example.com/token", 0],
    ["https://user:word@auth.example.com/token", 0],
    ["", 0],
  ])("is the token server %j: no login is sent", async (evil, lookups) => {
    let asked = 0;
    const { authenticator, transport } = authenticatorOf({
      support: challenged(`Bearer realm="${evil}"`),
      credentials: () => {
        asked += 1;
        return Promise.resolve(login);
      },
    });
    const error = await failureOf(authenticator.header(push, undefined));
    expect(error.message).toContain("No login was sent.");
    expect(asked).toBe(lookups);
    expect(transport.sent.map(({ url }) => url)).toEqual([`https://${registry}/v2/`]);
  });

  test("is no failure when the caller gave up: the reason comes through", async () => {
    const cancel = new AbortController();
    cancel.abort(new Error("cancelled"));
    const { authenticator } = authenticatorOf();
    await expect(authenticator.header(push, cancel.signal)).rejects.toBe(cancel.signal.reason);
  });
});

describe("secrets are masked before their first use", () => {
  test("the password and its Basic form, then the token", async () => {
    const { authenticator, log, maskedBefore } = authenticatorOf();
    const header = await authenticator.header(push, undefined);
    expect(maskedBefore).toEqual([[], ["secret", basicForm]]);
    expect(log.masked).toEqual(["secret", basicForm, "token-1"]);
    expect(header).toBe("Bearer token-1");
  });

  test("where Basic goes to the registry itself", async () => {
    const { authenticator, log } = authenticatorOf({ support: challenged("Basic") });
    await authenticator.header(push, undefined);
    expect(log.masked).toEqual(["secret", basicForm]);
  });

  test("an empty password is none", async () => {
    const credentials = () => Promise.resolve({ username: "bot", password: "" });
    const { authenticator, log } = authenticatorOf({ support: challenged("Basic"), credentials });
    await authenticator.header(push, undefined);
    expect(log.masked).not.toContain("");
  });
});

function responseWith(status: number, body: string): HttpResponse {
  const url = new URL(realm);
  return {
    status,
    url,
    header: () => undefined,
    headers: () => [],
    body: Readable.from([Buffer.from(body)]),
  };
}

describe("a token server on another host", () => {
  const elsewhere = "https://token.elsewhere.example/token";

  function askedBy(credentials: Credentials, foreign = elsewhere, tokenServer?: URL) {
    const transport = routedTransport(({ url }) =>
      url === `https://${registry}/v2/`
        ? challenged(`Bearer realm="${foreign}"`)
        : { json: { token: "token" } },
    );
    const options = {
      registry,
      vendor: vendorOf(registry),
      tokenServer,
      side: "source",
      clock: fakeClock(),
    } as const;
    const namedBy: (URL | undefined)[] = [];
    const noting: Transport = {
      send: (request) => {
        namedBy.push(request.namedBy);
        return transport.send(request);
      },
    };
    return {
      authenticator: new Authenticator({ ...options, credentials, transport: noting, log: recordingLog() }),
      transport,
      namedBy,
    };
  }

  test("is asked by who has no login", async () => {
    const { authenticator, transport, namedBy } = askedBy(anonymous);
    expect(await authenticator.header(pull, undefined)).toBe("Bearer token");
    expect(transport.sent.at(-1)?.url).toMatch(/^https:\/\/token\.elsewhere\.example\/token\?/);
    expect(transport.sent.at(-1)?.headers).toEqual({});
    expect(namedBy.at(-1)?.host).toBe(registry);
  });

  test("gets no login, and is not even asked with one", async () => {
    const { authenticator, transport } = askedBy(() => Promise.resolve(login));
    const { message } = await failureOf(authenticator.header(pull, undefined));
    expect(message).toContain("names a token server on another host, token.elsewhere.example");
    expect(message).toContain("No login was sent.");
    expect(message).toContain(
      "on its line of `source`: `registry.example.com/…,token-server=token.elsewhere.example`",
    );
    expect(transport.sent).toHaveLength(1);
  });

  test("gets the login where the line names it, wherever it is", async () => {
    const { authenticator, transport, namedBy } = askedBy(
      () => Promise.resolve(login),
      elsewhere,
      new URL("https://token.elsewhere.example"),
    );
    expect(await authenticator.header(pull, undefined)).toBe("Bearer token");
    expect(transport.sent.at(-1)?.headers).toEqual({ authorization: `Basic ${basicForm}` });
    expect(namedBy).toEqual([undefined, undefined]);
  });

  test("gets no login where the line names another", async () => {
    const { authenticator, transport } = askedBy(
      () => Promise.resolve(login),
      elsewhere,
      new URL("https://token.example.com"),
    );
    expect((await failureOf(authenticator.header(pull, undefined))).message).toContain("No login was sent.");
    expect(transport.sent).toHaveLength(1);
  });

  test("says nothing of an attribute that would not help", async () => {
    const { authenticator } = askedBy(() => Promise.resolve(login), "http://token.elsewhere.example/token");
    expect((await failureOf(authenticator.header(pull, undefined))).message).not.toContain("token-server=");
  });

  test("is not asked in the clear", async () => {
    const { authenticator, transport } = askedBy(anonymous, "http://token.elsewhere.example/token");
    expect((await failureOf(authenticator.header(pull, undefined))).message).toContain("not on https");
    expect(transport.sent).toHaveLength(1);
  });
});
