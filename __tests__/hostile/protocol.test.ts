import { describe, expect, test } from "vitest";
import { type Artifact, buildImage, pushTo } from "../../sandbox/images.ts";
import { fullAccess, startRegistry } from "../../sandbox/registry.ts";
import { createHubApi } from "../../src/destinations/docker-hub/docker-hub-api.ts";
import { retrying } from "../../src/http/retry.ts";
import { silentLog } from "../../src/log/log.ts";
import { failureOf } from "../oci/failure-of.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { login, loginForms, openNetwork, repositoryOver } from "./clients.ts";
import type { Tamper } from "./front.ts";
import { type Mirror, type MirrorResult, startMirror, versions } from "./mirror.ts";
import { hostileServer, loginsSeen } from "./servers.ts";

const small = buildImage({ seed: "small" });

/** One layer beyond the least chunk: an upload of it that breaks goes on in chunks of a mebibyte. */
const large = buildImage({ seed: "large", layers: [{ size: 4 * 1024 * 1024 }] });

async function mirrorThrough(
  image: Artifact,
  tamperDestination: Tamper,
  prepare: (mirror: Mirror) => void = () => undefined,
): Promise<{ mirror: Mirror; result: MirrorResult }> {
  const mirror = await startMirror({ tamperDestination });
  pushTo(mirror.source, "goharbor/app", image, versions[0]);
  prepare(mirror);
  return { mirror, result: await mirror.run() };
}

/** Whatever the registry says: it has the whole image and its tag, or no tag at all. */
function expectAllOrNothing(mirror: Mirror, image: Artifact, done: boolean): void {
  const tags = Object.values(mirror.destination.state()).flatMap((tagged) => Object.entries(tagged));
  if (!done) expect(tags).toEqual([]);
  else {
    expect(tags).toEqual([[versions[0], image.digest]]);
    expect(mirror.destination.completeness("mirror/app", versions[0])).toEqual([]);
  }
}

/** Requests of one kind at the destination's front. */
function requestsOf(mirror: Mirror, method: string, path: RegExp): number {
  return mirror.destinationFront.requests.filter((seen) => seen.method === method && path.test(seen.path))
    .length;
}

describe("case 14: an upload whose progress cannot be", () => {
  /** Breaks the first upload in its middle; so the rest goes in chunks, after a question how far it is. */
  const breakFirst = (mirror: Mirror): void =>
    mirror.destination.fault({
      when: { method: "PUT", path: /\/blobs\/uploads\// },
      effect: { resetRequestAfter: 3_000_000 },
    });

  test.each<[what: string, range: string | undefined]>([
    ["beyond what was sent", "0-99999999999"],
    ["beyond all numbers", `0-${"9".repeat(300)}`],
    ["that goes backwards", "0-0"],
    ["that starts in the middle", "1000-2000"],
    ["that is negative", "0--1"],
    ["that is no range", "bytes */*"],
    ["that is missing", undefined],
  ])("a range %s, in every answer: the upload ends, whole or not at all", async (_what, range) => {
    const lie: Tamper = ({ method, path }, { headers }) => {
      if (!path.includes("/blobs/uploads/") || (method !== "PATCH" && method !== "GET")) return undefined;
      const { range: _true, ...others } = headers;
      return { headers: range === undefined ? others : { ...others, range } };
    };
    const { mirror, result } = await mirrorThrough(large, lie, breakFirst);
    await using _closed = mirror;
    expectAllOrNothing(mirror, large, result.done);
    const transfers = requestsOf(mirror, "PUT", /uploads/) + requestsOf(mirror, "PATCH", /uploads/);
    expect(transfers).toBeGreaterThan(1);
    expect(transfers).toBeLessThan(40);
    expect(requestsOf(mirror, "POST", /uploads/)).toBeLessThan(15);
  });

  test("416 for ever: bounded tries, then a failure that says so", async () => {
    const { mirror, result } = await mirrorThrough(
      large,
      () => undefined,
      ({ destination }) =>
        destination.fault({
          when: { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// },
          times: Infinity,
          effect: { status: 416 },
        }),
    );
    await using _closed = mirror;
    expect(result.lines.join("\n")).toMatch(/uploading the blob .* failed with status 416/);
    expect(mirror.destination.tagWrites).toEqual([]);
    expect(requestsOf(mirror, "POST", /uploads/)).toBeLessThan(15);
  });
});

describe("case 15: limits and pauses that nobody can keep", () => {
  test.each(["9000000000000000", "-1", "0", "1e9", "x", "99999999999999999999999"])(
    "OCI-Chunk-Min-Length: %s: the upload goes well all the same",
    async (least) => {
      const { mirror, result } = await mirrorThrough(small, ({ method }, { headers }) =>
        method === "POST" ? { headers: { ...headers, "oci-chunk-min-length": least } } : undefined,
      );
      await using _closed = mirror;
      expect(result.done).toBe(true);
      expectAllOrNothing(mirror, small, true);
    },
  );

  const fiveMinutes = 5 * 60_000;
  const pauses: readonly (readonly [retryAfter: string, isKept: boolean])[] = [
    ["999999", false],
    ["9".repeat(400), false],
    ["Fri, 31 Dec 9999 23:59:59 GMT", false],
    ["Thu, 01 Jan 1970 00:00:00 GMT", true],
    ["-5", true],
    ["0", true],
    ["soon", true],
    ["1e9", true],
    ["", true],
  ];
  const stages: readonly (readonly [what: string, method: string, path: RegExp])[] = [
    ["/v2/", "GET", /^\/v2\/$/],
    ["looking up a manifest", "HEAD", /\/manifests\//],
    ["uploading a blob", "PUT", /\/blobs\/uploads\//],
    ["writing a manifest", "PUT", /\/manifests\//],
  ];

  describe.each(stages)("429 at %s", (_what, method, path) => {
    test.each(pauses)("with Retry-After: %s, three times", async (retryAfter, isKept) => {
      let left = 3;
      const { mirror, result } = await mirrorThrough(small, (seen) => {
        if (left === 0 || seen.method !== method || !path.test(seen.path)) return undefined;
        left -= 1;
        return { status: 429, headers: { "retry-after": retryAfter }, body: Buffer.from("") };
      });
      await using _closed = mirror;
      expect(result.done).toBe(isKept);
      expectAllOrNothing(mirror, small, result.done);
      expect(Math.max(0, ...result.slept)).toBeLessThanOrEqual(fiveMinutes);
    });
  });

  test.each(["99999999999", "0", "1", "-1", "9".repeat(300), "soon"])(
    "the Hub API's X-Retry-After: %s: no pause beyond five minutes, and an end",
    async (time) => {
      const hub = await hostileServer((incoming, response) => {
        if (incoming.url?.includes("/auth/")) response.end(JSON.stringify({ access_token: "t0ken" }));
        else response.writeHead(429, { "x-retry-after": time }).end();
      });
      const clock = fakeClock();
      const transport = retrying(openNetwork(), { clock, log: silentLog });
      const api = createHubApi({
        transport,
        clock,
        log: silentLog,
        url: new URL(hub.origin),
        kind: "personal token",
        credentials: async () => login,
      });
      const deletion = api.deleteTag({ namespace: "a", name: "b" }, "v1.0.0", new AbortController().signal);
      expect((await failureOf(deletion)).message).toContain("rate limit is used up");
      expect(Math.max(0, ...clock.slept)).toBeLessThanOrEqual(fiveMinutes);
      expect(hub.requests.length).toBeLessThan(30);
    },
  );
});

describe("case 20: a challenge header that is not what it should be", () => {
  const realm = 'realm="/token"';
  /** A registry with a token server of its own, which lets in who has a token. */
  function challenging(headers: readonly string[]) {
    return hostileServer((incoming, response) => {
      if (incoming.url?.startsWith("/token")) response.end('{"token":"t0ken"}');
      else if (incoming.headers.authorization === "Bearer t0ken") response.end('{"tags":["v1.0.0"]}');
      else response.writeHead(401, { "www-authenticate": [...headers] }).end();
    });
  }

  test.each<[what: string, headers: readonly string[]]>([
    ["an unterminated quote", ['Bearer realm="/token']],
    ["an unterminated escape", ['Bearer realm="\\']],
    ["12 kB of quotes", ['"'.repeat(12_000)]],
    ["12 kB of parameters", [`Bearer ${"a=b,".repeat(3_000)}`]],
    ["a thousand unknown challenges", ["Negotiate ,".repeat(1_000)]],
    ["nothing", [""]],
    ["no realm", ['Bearer service="x"']],
  ])("%s: told as a login that nobody can make, after one request", async (_what, headers) => {
    const registry = await challenging(headers);
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toMatch(/logging in .*failed/);
    expect(registry.requests).toHaveLength(1);
    expect(loginsSeen(registry)).toEqual([]);
  });

  test.each<[what: string, headers: readonly string[]]>([
    ["after a hundred others", [`${"Negotiate, ".repeat(100)}Bearer ${realm}`]],
    ["in the last of many headers", [...Array.from({ length: 50 }, () => "Digest x=y"), `Bearer ${realm}`]],
    ["with a realm that is relative", [`bearer ${realm},service="x"`]],
  ])("a usable one %s is used", async (_what, headers) => {
    const registry = await challenging(headers);
    expect(await repositoryOver(openNetwork(), registry.host).tags()).toEqual(["v1.0.0"]);
  });

  test("a megabyte of it ends the request, not the process", async () => {
    const registry = await hostileServer((_incoming, response) => {
      response.writeHead(401, { "www-authenticate": `Bearer ${"x".repeat(1024 * 1024)}` }).end();
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toContain("reaching the registry");
    expect(failure.message.length).toBeLessThan(500);
    expect(loginsSeen(registry)).toEqual([]);
  });

  test("a scope of another repository, or of all rights, is not asked for", async () => {
    const registry = await challenging([
      `Bearer ${realm},scope="repository:victim/secret:pull,push,delete registry:catalog:*"`,
    ]);
    await repositoryOver(openNetwork(), registry.host).tags();
    const scopes = registry.requests
      .filter(({ path }) => path.startsWith("/token"))
      .map(({ path }) => new URL(path, registry.origin).searchParams.getAll("scope"));
    expect(scopes).toEqual([["repository:goharbor/harbor-core:pull,push"]]);
  });
});

describe("case 21: a registry that is never content with a login", () => {
  test("401 for ever, each with a fresh challenge: one more login a request, and an end", async () => {
    let count = 0;
    const registry = await hostileServer((incoming, response) => {
      count += 1;
      if (incoming.url?.startsWith("/token")) response.end(JSON.stringify({ token: `token${count}` }));
      else
        response
          .writeHead(401, { "www-authenticate": `Bearer realm="/token",service="s${count}",error="again"` })
          .end();
    });
    const repository = repositoryOver(openNetwork(), registry.host);
    for (let round = 1; round <= 3; round += 1) {
      expect((await failureOf(repository.tags())).status).toBe(401);
      const tokens = registry.requests.filter(({ path }) => path.startsWith("/token"));
      expect(tokens.length).toBeLessThanOrEqual(2 * round);
    }
    expect(registry.requests.filter(({ path }) => path.includes("tags/list"))).toHaveLength(6);
    // The login went to the token server alone, the tokens to the registry.
    const basic = registry.requests.filter(({ headers }) => headers.authorization?.startsWith("Basic"));
    expect(basic.every(({ path }) => path.startsWith("/token"))).toBe(true);
    expect(basic[0]?.headers.authorization).toBe(`Basic ${loginForms[1]}`);
  });

  test.each<[what: string, life: unknown]>([
    ["0", 0],
    ["-1", -1],
    ["absent", undefined],
    ["null", null],
    ["1e308", 1e308],
    ["a fraction", 0.001],
  ])("tokens whose expires_in is %s: one serves all requests of a moment", async (_what, life) => {
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url?.startsWith("/token"))
        response.end(JSON.stringify({ token: "t0ken", expires_in: life, issued_at: "1970-01-01T00:00:00Z" }));
      else if (incoming.headers.authorization === "Bearer t0ken") response.end('{"tags":[]}');
      else response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
    });
    const repository = repositoryOver(openNetwork(), registry.host);
    for (let round = 0; round < 5; round += 1) await repository.tags();
    expect(registry.requests.filter(({ path }) => path.startsWith("/token"))).toHaveLength(1);
  });

  test.each([
    "",
    "[]",
    "null",
    "{}",
    '{"token":""}',
    '{"token":7}',
    '{"token":"a\\r\\nx-injected: 1"}',
    '{"token":"ü"}',
    '{"expires_in":"soon","token":"t"}',
  ])("a token answer of %j: told, and no request goes out with it", async (body) => {
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url?.startsWith("/token")) response.end(body);
      else response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toContain("asking its token server");
    expect(registry.requests.map(({ path }) => path.split("?")[0])).toEqual(["/v2/", "/token"]);
  });

  test("a token that the registry forgets after each use does not keep a run from its end", async () => {
    const users = [fullAccess(login.username, login.password)];
    await using registry = await startRegistry({
      authentication: { kind: "bearer", users, tokenSeconds: 0 },
    });
    const repository = repositoryOver(openNetwork(), registry.host);
    expect((await failureOf(repository.tags())).status).toBe(401);
    expect(registry.requests.length).toBeLessThanOrEqual(4);
  });
});
