import { describe, expect, test } from "vitest";
import { fullAccess, startRegistry, type User } from "../../sandbox/registry.ts";
import { startServer } from "../../sandbox/server.ts";
import { OperationError } from "../../src/errors.ts";
import { anonymous, type Credentials } from "../../src/oci/credentials.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { clientOf } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

const credentials: Credentials = () => Promise.resolve({ username: "bot", password: "secret" });
const bot = fullAccess("bot", "secret");
const names = ["core", "portal", "log", "db"].map((image) => `goharbor/${image}`);

/** A registry with a tag in each repository, and a client that foresees questions about them. */
async function world(
  options: {
    readonly user?: Partial<User>;
    readonly readable?: boolean;
    readonly tokenSeconds?: number;
    readonly client?: Parameters<typeof clientOf>[1];
    readonly foreseen?: readonly string[];
  } = {},
) {
  const { readable = true, foreseen = names, tokenSeconds = 300 } = options;
  const users = [{ ...bot, ...options.user }];
  const clock = fakeClock();
  const server = await startRegistry({
    authentication: { kind: "bearer", users, readable, tokenSeconds },
    anonymousPull: true,
    now: () => clock.now(),
  });
  for (const name of names) server.putManifest(name, Buffer.from("{}"), "text/plain", "v1");
  const client = clientOf(server, { credentials, clock, ...options.client });
  client.foresee(foreseen);
  const scopes = () =>
    (server.tokenServer?.requests ?? []).map(({ path }) =>
      new URL(path, server.origin).searchParams.getAll("scope"),
    );
  return { server, client, clock, scopes };
}

/** A registry that takes the token `one` and answers `refusal` to others, and a token server that is a function. */
async function scripted(
  tokenFor: (scopes: readonly string[]) => { readonly status: number; readonly body?: string },
  refusal = 401,
) {
  const asked: (readonly string[])[] = [];
  const server = await startServer(({ url, headers }) => {
    if (url.pathname === "/token") {
      const scopes = url.searchParams.getAll("scope");
      asked.push(scopes);
      return tokenFor(scopes);
    }
    const { authorization } = headers;
    if (authorization === "Bearer one") return { status: 200, body: '{"tags":["v1"]}' };
    const challenge = { "www-authenticate": `Bearer realm="${server.origin}/token",service="s"` };
    return { status: authorization === undefined ? 401 : refusal, headers: challenge };
  });
  const options = { credentials: anonymous, side: "source", vendor: vendorOf("ghcr.io") } as const;
  const client = clientOf({ host: new URL(server.origin).host }, options);
  client.foresee(names);
  return { server, client, asked };
}

/** Asks for the tag of each repository. */
function lookAt(client: Registry, repositories: readonly string[] = names): Promise<readonly unknown[]> {
  return Promise.all(repositories.map((name) => new Repository(client, name).tags()));
}

const pulls = names.map((name) => `repository:${name}:pull`);
const pushes = names.map((name) => `repository:${name}:pull,push`);
const all = names.map(() => ["v1"]);

describe("one token for many repositories", () => {
  test("is asked for with the rights of questions, and serves pushes where those are the same", async () => {
    const { server, client, scopes } = await world();
    await using _ = server;
    expect(await lookAt(client)).toEqual(all);
    await new Repository(client, names[0] ?? "").startUpload();
    expect(scopes()).toEqual([pushes]);
  });

  test("asks for no more than pulling at a source", async () => {
    const { server, client, scopes } = await world({ client: { side: "source", credentials: anonymous } });
    await using _ = server;
    expect(await lookAt(client)).toEqual(all);
    expect(scopes()).toEqual([pulls]);
  });

  test("is asked for deleting by no question: that has a token of its own", async () => {
    const { server, client, scopes } = await world();
    await using _ = server;
    await lookAt(client);
    await new Repository(client, names[0] ?? "").deleteManifest("v1");
    expect(scopes()).toEqual([pushes, [`repository:${names[0]}:pull,push,delete`]]);
  });

  test("is renewed for all before its end", async () => {
    const { server, client, clock, scopes } = await world();
    await using _ = server;
    await lookAt(client);
    clock.advance(270_000);
    expect(await lookAt(client)).toEqual(all);
    expect(scopes()).toEqual([pushes, pushes]);
  });

  test("serves a mount between them", async () => {
    const { server, client, scopes } = await world();
    await using _ = server;
    const digest = server.putBlob(names[0] ?? "", Buffer.from("layer")) as Digest;
    const mounted = new Repository(client, names[1] ?? "").mountBlob(digest, names[0] ?? "");
    expect(await mounted).toBe("mounted");
    expect(scopes()).toEqual([pushes]);
  });

  test("is not asked for one repository before that is needed", async () => {
    const { server, client, scopes } = await world({ foreseen: names.slice(0, 1) });
    await using _ = server;
    expect(scopes()).toEqual([]);
    await lookAt(client);
    expect(scopes()).toHaveLength(names.length);
  });

  test("is several, where the names make too long an address", async () => {
    const many = Array.from({ length: 60 }, (_, index) => `goharbor/an-image-with-a-name-${index}`);
    const { server, client } = await world({ foreseen: many });
    await using _ = server;
    await lookAt(client, many);
    const paths = (server.tokenServer?.requests ?? []).map(({ path }) => path);
    expect(paths).toHaveLength(3);
    expect(Math.max(...paths.map((path) => path.length))).toBeLessThan(2000);
  });
});

describe("a token server that does not grant all of it", () => {
  const rest = (from: number) => pushes.slice(from).map((scope) => [scope]);
  const sorted = (scopes: readonly (readonly string[])[]) => scopes.map(String).sort();

  test("is asked one by one for what the token lacks", async () => {
    const access: User["access"] = (name, action) => action === "pull" || name !== names[3];
    const { server, client, scopes } = await world({ user: { access } });
    await using _ = server;
    expect(await lookAt(client)).toEqual(all);
    expect(scopes()).toEqual([pushes, ...rest(3)]);
  });

  test("refuses more than the login may do, as Docker Hub: one by one, and what is refused is told of it alone", async () => {
    const access: User["access"] = (name) => name !== names[3];
    const { server, client, scopes } = await world({ user: { access, refusesExcess: true } });
    await using _ = server;
    expect(await lookAt(client, names.slice(0, 3))).toEqual(all.slice(1));
    expect(sorted(scopes())).toEqual(sorted([pushes, ...rest(0).slice(0, 3)]));
    expect((await failureOf(lookAt(client, names.slice(3)))).status).toBe(401);
  });

  test.each([400, 401, 403, 414, 500])("answers %i to several scopes: one by one", async (status) => {
    const { client, asked, server } = await scripted((scopes) =>
      scopes.length > 1 ? { status } : { status: 200, body: JSON.stringify({ token: "one" }) },
    );
    await using _ = server;
    expect(await lookAt(client)).toEqual(all);
    expect(sorted(asked.filter(({ length }) => length === 1))).toEqual(sorted(pulls.map((scope) => [scope])));
  });

  test.each([429, 503])(
    "answers %i to several scopes: that is the end, as it has too much to do",
    async (status) => {
      const { client, asked, server } = await scripted((scopes) =>
        scopes.length > 1 ? { status } : { status: 200, body: JSON.stringify({ token: "one" }) },
      );
      await using _ = server;
      expect((await failureOf(lookAt(client))).status).toBe(status);
      expect(asked.every(({ length }) => length > 1)).toBe(true);
    },
  );

  test("gives tokens that nobody can read: one by one, but where the vendor is known to grant all", async () => {
    const opaque = await world({ readable: false });
    await using _ = opaque.server;
    expect(await lookAt(opaque.client)).toEqual(all);
    expect(sorted(opaque.scopes())).toEqual(sorted([pushes, ...rest(0)]));
    const known = await world({ readable: false, client: { vendor: vendorOf("ghcr.io") } });
    await using _known = known.server;
    expect(await lookAt(known.client)).toEqual(all);
    expect(known.scopes()).toEqual([pushes]);
  });

  test.each([401, 403])("and a registry that refuses its token by %i: one by one", async (status) => {
    const { client, asked, server } = await scripted(
      (scopes) => ({ status: 200, body: JSON.stringify({ token: scopes.length > 1 ? "many" : "one" }) }),
      status,
    );
    await using _ = server;
    expect(await lookAt(client)).toEqual(all);
    expect(sorted(asked)).toEqual(sorted([pulls, ...pulls.map((scope) => [scope])]));
  });

  test("cannot be asked, because there is no login: that is told, and no login is asked for again", async () => {
    let asked = 0;
    const none: Credentials = () => {
      asked += 1;
      return Promise.reject(
        new OperationError({
          side: "destination",
          host: "api",
          operation: "logging in",
          problem: "no",
          status: 403,
        }),
      );
    };
    const { server, client } = await world({ client: { credentials: none } });
    await using _ = server;
    expect((await failureOf(lookAt(client))).details.host).toBe("api");
    expect(asked).toBe(1);
  });

  test("is out of order: that is told, and not asked for again one by one", async () => {
    const { server, client, scopes } = await world();
    await server.tokenServer?.close();
    await using _ = server;
    const failure = await failureOf(lookAt(client));
    expect(failure.message).toContain("asking its token server");
    expect(scopes()).toEqual([]);
  });
});

describe("a registry without tokens", () => {
  test.each([
    ["with Basic", { authentication: { kind: "basic", users: [bot] } }],
    ["without any login", {}],
  ] as const)("%s is asked nothing more", async (_case, options) => {
    await using server = await startRegistry(options);
    server.putManifest("goharbor/core", Buffer.from("{}"), "text/plain", "v1");
    const client = clientOf(server, { credentials });
    client.foresee(names);
    expect(await lookAt(client, ["goharbor/core"])).toEqual([["v1"]]);
    expect(server.requests.map(({ path }) => path)).toEqual(["/v2/", "/v2/goharbor/core/tags/list?n=1000"]);
  });
});
