import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { type SandboxServer, startServer } from "../../sandbox/server.ts";
import { discard, type HttpResponse, type Transport } from "../../src/http/http.ts";
import { silentLog } from "../../src/log/log.ts";
import type { Credentials } from "../../src/oci/credentials.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { ociManifest } from "../../src/oci/media-types.ts";
import { Registry, type RegistryRequest } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { clientOf, repositoryName } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

const credentials: Credentials = () => Promise.resolve({ username: "bot", password: "secret" });
const users = [fullAccess("bot", "secret")];
const bearer = { authentication: { kind: "bearer", users } } as const;
const path = `/v2/${repositoryName}/tags/list`;

function listing(more: Partial<RegistryRequest> = {}): RegistryRequest {
  const scopes = [{ repository: repositoryName, actions: ["pull"] }] as const;
  return { method: "GET", target: path, scopes, operation: "listing the tags", ...more };
}

/** A registry with one tag. */
async function seeded(options: Parameters<typeof startRegistry>[0]): Promise<RegistryServer> {
  const server = await startRegistry(options);
  server.putManifest(repositoryName, Buffer.from("{}"), "text/plain", "v1");
  return server;
}

function requestsFor(server: SandboxServer, part: string): SandboxServer["requests"] {
  return server.requests.filter((request) => request.path.includes(part));
}

describe("a good login that is for other repositories", () => {
  const limited = {
    ...fullAccess("bot", "secret"),
    access: (name: string) => name.startsWith("team/"),
    refusesExcess: true,
  };
  const hub = { authentication: { kind: "bearer", users: [limited] }, anonymousPull: true } as const;

  test("does not keep a source from being read by everyone", async () => {
    await using server = await seeded(hub);
    const client = clientOf(server, { side: "source", credentials });
    await discard(await client.expect(listing(), 200));
    const logins = server.tokenServer?.requests.map(({ headers, status }) => [
      headers.authorization !== undefined,
      status,
    ]);
    expect(logins).toEqual([
      [true, 401],
      [false, 200],
    ]);
  });

  test("is a failure where nobody may read without one, and at a destination", async () => {
    await using server = await seeded(hub);
    await using closed = await seeded({ ...hub, anonymousPull: false });
    const destination = clientOf(server, { side: "destination", credentials });
    await expect(destination.expect(listing(), 200)).rejects.toThrow("insufficient scopes");
    expect(server.tokenServer?.requests).toHaveLength(1);
    const source = clientOf(closed, { side: "source", credentials });
    await expect(source.expect(listing(), 200)).rejects.toThrow("status 401");
  });

  test("is not confused with a wrong one, which is never left aside", async () => {
    await using server = await seeded(hub);
    const wrong: Credentials = () => Promise.resolve({ username: "bot", password: "wrong" });
    const client = clientOf(server, { side: "source", credentials: wrong });
    await expect(client.expect(listing(), 200)).rejects.toThrow("incorrect username or password");
    expect(server.tokenServer?.requests).toHaveLength(1);
  });
});

describe("authorization", () => {
  test("comes with every request, from one token", async () => {
    await using server = await seeded(bearer);
    const client = clientOf(server, { credentials });
    for (let count = 0; count < 3; count += 1) await discard(await client.expect(listing(), 200));
    expect(requestsFor(server, "tags").map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(server.tokenServer?.requests).toHaveLength(1);
  });

  test("by Basic", async () => {
    await using server = await seeded({ authentication: { kind: "basic", users } });
    const client = clientOf(server, { credentials });
    expect((await client.expect(listing(), 200)).status).toBe(200);
  });

  test("is renewed when the registry's clock is ahead: after a 401, once", async () => {
    let ahead = 0;
    await using server = await seeded({ ...bearer, now: () => Date.now() + ahead });
    const client = clientOf(server, { credentials });
    await discard(await client.expect(listing(), 200));
    ahead = 3_600_000;
    await discard(await client.expect(listing(), 200));
    expect(requestsFor(server, "tags").map(({ status }) => status)).toEqual([200, 401, 200]);
    expect(server.tokenServer?.requests).toHaveLength(2);
  });

  test("is renewed once for all requests that were refused at the same moment", async () => {
    let ahead = 0;
    await using server = await seeded({ ...bearer, now: () => Date.now() + ahead });
    const client = clientOf(server, { credentials });
    await discard(await client.expect(listing(), 200));
    ahead = 3_600_000;
    await Promise.all(Array.from({ length: 4 }, async () => discard(await client.expect(listing(), 200))));
    expect(server.tokenServer?.requests).toHaveLength(2);
  });

  test("is not tried for ever: a second 401 is the answer, whatever its challenge", async () => {
    await using server = await seeded(bearer);
    const challenge = `Bearer realm="${server.tokenServer?.realm}",service="sandbox"`;
    const effect = { status: 401, headers: { "www-authenticate": challenge } };
    server.fault({ when: { path: /tags/ }, times: Number.POSITIVE_INFINITY, effect });
    const error = await failureOf(clientOf(server, { credentials }).expect(listing(), 200));
    expect(error.status).toBe(401);
    expect(requestsFor(server, "tags")).toHaveLength(2);
    expect(server.tokenServer?.requests).toHaveLength(2);
  });

  const from = "the Docker configuration /home/me/.docker/config.json";
  const wrong: Credentials = () => Promise.resolve({ username: "bot", password: "wrong", from });
  const basic = { authentication: { kind: "basic", users } } as const;
  test.each<[string, "basic" | "bearer", Credentials, readonly string[]]>([
    [
      "no login by Basic",
      "basic",
      anonymous,
      ["No login is known for this registry", "`docker login 127.0.0.1:"],
    ],
    [
      "a wrong login by Basic",
      "basic",
      wrong,
      [`The login that was refused is from ${from}`, "`docker login 127.0.0.1:"],
    ],
    [
      "a wrong login by Bearer",
      "bearer",
      wrong,
      [`The login that was refused is from ${from}`, "`docker login 127.0.0.1:"],
    ],
  ])("%s: whether one was found, where, and how to log in", async (_what, kind, given, words) => {
    await using server = await seeded(kind === "basic" ? basic : bearer);
    for (const side of ["source", "destination"] as const) {
      const error = await failureOf(clientOf(server, { side, credentials: given }).expect(listing(), 200));
      expect(error.status).toBe(401);
      for (const word of words) expect(error.details.advice).toContain(word);
      expect(error.message).not.toMatch(/immutable|wrong/);
    }
  });

  test("a token that is refused again: which login it was made with", async () => {
    await using server = await seeded(bearer);
    server.fault({ when: { path: /tags/ }, times: Number.POSITIVE_INFINITY, effect: { status: 401 } });
    const known: Credentials = () => Promise.resolve({ username: "bot", password: "secret", from });
    const error = await failureOf(clientOf(server, { credentials: known }).expect(listing(), 200));
    expect(error.details.advice).toContain(`The login that was refused is from ${from}`);
    expect(error.message).not.toMatch(/immutable|secret/);
  });

  test("an empty challenge asks for nothing: the answer's own words are told, as Harbor's for a missing project", async () => {
    await using server = await seeded(bearer);
    const body = JSON.stringify({
      errors: [{ code: "UNAUTHORIZED", message: "project nonesuch not found" }],
    });
    const effect = { status: 401, headers: { "www-authenticate": "" }, body };
    server.fault({ when: { path: /tags/ }, times: Number.POSITIVE_INFINITY, effect });
    const error = await failureOf(clientOf(server, { credentials }).expect(listing(), 200));
    expect(error.details).toMatchObject({ status: 401, problem: "project nonesuch not found" });
    expect(error.details.advice).toContain("Make the project");
  });

  test("a refused stream is not sent again; the next request comes with a new token", async () => {
    await using server = await seeded(bearer);
    const client = clientOf(server, { credentials });
    server.fault({ when: { method: "PUT" }, effect: { status: 401 } });
    const body = Readable.from([Buffer.from("blob")]);
    const upload = listing({ method: "PUT", target: `/v2/${repositoryName}/blobs/uploads/x`, body });
    expect((await failureOf(client.expect(upload, 201))).status).toBe(401);
    await discard(await client.expect(listing(), 200));
    expect(server.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
    expect(server.tokenServer?.requests).toHaveLength(2);
  });
});

describe("a login stays where it belongs (P7)", () => {
  /** A server that would take a login if it got one. */
  function startThief(): Promise<SandboxServer> {
    return startServer(({ headers }) => {
      const challenge = `Bearer realm="http://${headers.host}/token",service="sandbox"`;
      return { status: 401, headers: { "www-authenticate": challenge } };
    });
  }

  test("a token server on another host is not even asked", async () => {
    await using thief = await startThief();
    await using server = await startServer(() => {
      const realm = `http://localhost:${new URL(thief.origin).port}/token`;
      return { status: 401, headers: { "www-authenticate": `Bearer realm="${realm}"` } };
    });
    const error = await failureOf(clientOf(server, { credentials }).send(listing()));
    expect(error.message).toContain("another host, localhost");
    expect(error.message).toContain("No login was sent.");
    expect(thief.requests).toEqual([]);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("a redirect leads away without it, and a challenge there is not answered", async () => {
    await using thief = await startThief();
    await using server = await seeded(bearer);
    const effect = { status: 307, headers: { location: `${thief.origin}/blob?signature=x` } };
    server.fault({ when: { path: /tags/ }, effect });
    const client = clientOf(server, { credentials });
    const error = await failureOf(client.expect(listing(), 200));
    expect(error.status).toBe(401);
    expect(thief.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/blob?signature=x", undefined],
    ]);
    await discard(await client.expect(listing(), 200));
    expect(thief.requests).toHaveLength(1);
    expect(server.tokenServer?.requests).toHaveLength(1);
  });

  test("a redirect of the token server leads away without it, which is a failure", async () => {
    await using thief = await startServer(() => ({ status: 200, body: '{"token":"a-token"}' }));
    await using server = await seeded(bearer);
    const effect = { status: 307, headers: { location: `${thief.origin}/token` } };
    server.tokenServer?.fault({ when: {}, effect });
    const error = await failureOf(clientOf(server, { credentials }).send(listing()));
    expect(error.message).toContain(`it redirected to another host, ${new URL(thief.origin).host}`);
    expect(error.message).toContain("No login was sent.");
    expect(thief.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(requestsFor(server, "tags")).toEqual([]);
  });

  test("a redirect of the greeting leads away without it, and a challenge there is not answered", async () => {
    await using thief = await startThief();
    await using server = await seeded(bearer);
    const effect = { status: 307, headers: { location: `${thief.origin}/v2/` } };
    server.fault({ when: { path: /^\/v2\/$/ }, effect });
    await discard(await clientOf(server, { credentials }).expect(listing(), 200));
    expect(thief.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/v2/", undefined],
    ]);
  });
});

describe("redirects", () => {
  /** A front that sends everything to another registry, as registry.k8s.io does, but for its greeting. */
  function startFront(other: SandboxServer): Promise<SandboxServer> {
    return startServer(({ path, url }) => {
      const location = `${other.origin}${path.replace("/front/", "/")}${url.search}`;
      return path === "/v2/" ? { status: 200 } : { status: 307, headers: { location } };
    });
  }

  test("to another registry are followed in reading: tags, manifests, blobs", async () => {
    await using server = await startRegistry();
    const blob = server.putBlob(repositoryName, Buffer.from("a blob"));
    const manifest = server.putManifest(
      repositoryName,
      Buffer.from('{"schemaVersion":2,"layers":[]}'),
      ociManifest,
      "v1",
    );
    await using front = await startFront(server);
    const repository = new Repository(clientOf(front), `front/${repositoryName}`);
    expect(await repository.tags()).toEqual(["v1"]);
    expect((await repository.resolve("v1"))?.digest).toBe(manifest);
    expect(await repository.hasBlob({ digest: blob as Digest, size: 6 })).toBe(true);
    expect(front.requests.every(({ status }) => status === 307 || status === 200)).toBe(true);
  });

  test("of greeting and token server on their own host are followed with the login", async () => {
    await using server = await seeded(bearer);
    const turned = (at: string) => ({ status: 308, headers: { location: at } });
    server.fault({ when: { path: /^\/v2\/$/ }, effect: turned("/v2/?again") });
    const { tokenServer } = server;
    tokenServer?.fault({
      when: {},
      effect: turned(`/token?service=sandbox&scope=repository:${repositoryName}:pull`),
    });
    await discard(await clientOf(server, { credentials }).expect(listing(), 200));
    expect(tokenServer?.requests.map(({ status }) => status)).toEqual([308, 200]);
    expect(tokenServer?.requests.every(({ headers }) => headers.authorization !== undefined)).toBe(true);
  });
});

describe("failures", () => {
  test("say side, host, repository, operation and status", async () => {
    await using server = await startRegistry();
    const error = await failureOf(clientOf(server, { side: "source" }).expect(listing(), 200));
    expect(error.message).toBe(
      `source ${server.host}/${repositoryName}: listing the tags failed with status 404 NAME_UNKNOWN: repository name not known to registry.`,
    );
  });

  test("a broken connection is temporary, and says what to check", async () => {
    await using server = await seeded({});
    server.fault({ when: { path: /tags/ }, times: Number.POSITIVE_INFINITY, effect: { reset: true } });
    const error = await failureOf(clientOf(server).send(listing()));
    expect(error.details).toMatchObject({ host: server.host, repository: repositoryName, temporary: true });
    expect(error.message).toContain("reachable from the runner");
    expect(requestsFor(server, "tags")).toHaveLength(6);
  });

  test("a body that breaks off is read again, as often as a request", async () => {
    await using server = await seeded({});
    const read = async (response: HttpResponse) => {
      let text = "";
      for await (const chunk of response.body) text += String(chunk);
      return text;
    };
    const cut = { when: { path: /tags/ }, effect: { cutBodyAfter: 3 } };
    server.fault({ ...cut, times: 2 });
    expect(await clientOf(server).read(listing(), read, 200)).toContain('"v1"');
    expect(requestsFor(server, "tags")).toHaveLength(3);
    server.clearRequests();
    server.fault({ ...cut, times: Number.POSITIVE_INFINITY });
    const error = await failureOf(clientOf(server).read(listing(), read, 200));
    expect(error.temporary).toBe(true);
    expect(requestsFor(server, "tags")).toHaveLength(6);
  });

  test("the reason of a cancelled caller comes through as it is", async () => {
    await using server = await seeded({});
    const cancel = new AbortController();
    const reason = new Error("cancelled");
    server.fault({ when: { path: /tags/ }, effect: { run: () => cancel.abort(reason) } });
    await expect(clientOf(server).send(listing({ signal: cancel.signal }))).rejects.toBe(reason);
  });
});

describe("requests at the same time", () => {
  /** A transport that answers `/v2/` and keeps everything else waiting. */
  function stalled(): { readonly transport: Transport; readonly sent: string[]; release(): void } {
    const sent: string[] = [];
    const waiting: (() => void)[] = [];
    const transport: Transport = {
      async send({ url }) {
        if (url.pathname !== "/v2/") {
          sent.push(url.pathname);
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
        return { status: 200, url, header: () => undefined, headers: () => [], body: Readable.from([]) };
      },
    };
    const release = () => {
      for (const resolve of waiting.splice(0)) resolve();
    };
    return { transport, sent, release };
  }

  test("are few if small, and a blob does not wait for them", async () => {
    const { transport, sent, release } = stalled();
    const client = new Registry({
      registry: "registry.example",
      side: "source",
      credentials: anonymous,
      transport,
      clock: fakeClock(),
      log: silentLog,
    });
    const { start } = vendorOf("registry.example").limits.requests;
    const small = Array.from({ length: start + 2 }, () => client.send(listing()));
    const blob = client.send(listing({ target: "/v2/blob", transfer: true }));
    await expect.poll(() => [...sent].sort()).toEqual(["/v2/blob", ...Array(start).fill(path)]);
    while (sent.length < start + 3) {
      release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    release();
    await Promise.all([...small, blob]);
    expect(sent.filter((one) => one === path)).toHaveLength(start + 2);
  });
});
