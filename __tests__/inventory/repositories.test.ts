/** Lists of repositories, by the ways of the vendors, against their stand-ins over real HTTP. */
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { startDockerHub } from "../../sandbox/docker-hub.ts";
import { mediaTypes } from "../../sandbox/images.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { json, type SandboxServer, startServer } from "../../sandbox/server.ts";
import { startTcr, tcrInstance, tcrKey } from "../../sandbox/tcr.ts";
import { personalLogin, startTcrPersonal } from "../../sandbox/tcr-personal.ts";
import { ecrKey, startEcrApi } from "../../sandbox/vendor-apis/ecr.ts";
import { harborApi } from "../../sandbox/vendor-apis/harbor.ts";
import { startPackagesApi } from "../../sandbox/vendor-apis/packages.ts";
import { quayApi } from "../../sandbox/vendor-apis/quay.ts";
import { systemClock } from "../../src/clock.ts";
import type { ListingContext } from "../../src/destinations/repositories.ts";
import { createTcrInstance } from "../../src/destinations/tencent/tcr-instance.ts";
import { allTcrRepositories } from "../../src/destinations/tencent/tcr-repositories.ts";
import { createTencentApi } from "../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { InputError } from "../../src/errors.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport } from "../../src/http/transport.ts";
import { type ListingOptions, listRepositories } from "../../src/inventory/repositories.ts";
import { type Log, silentLog } from "../../src/log/log.ts";
import type { Credential } from "../../src/oci/credentials.ts";
import { Registry } from "../../src/oci/registry.ts";
import type { VendorId } from "../../src/vendors/vendor.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";

const { signal } = new AbortController();
const network = createTransport(silentLog, systemClock);
const transport = retrying(network, { clock: fakeClock(), log: silentLog });
const user = fullAccess("mirror", "registry-secret");
const servers: AsyncDisposable[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});
afterAll(() => network.close());

/** Has a server closed after the test. */
function closing<T extends AsyncDisposable>(server: T): T {
  servers.push(server);
  return server;
}

interface Given {
  readonly vendor?: VendorId;
  readonly login?: Credential;
  readonly context?: Partial<ListingContext>;
  /** Where the vendor's API is. */
  readonly api?: string;
  readonly options?: Partial<ListingOptions>;
}

function list(
  server: { readonly host: string },
  path: string,
  given: Given = {},
): Promise<readonly string[]> {
  const { vendor, login, api } = given;
  const registry = server.host;
  const client = new Registry({
    registry,
    vendor: vendorOf(registry, vendor),
    side: "source",
    credentials: () => Promise.resolve(login),
    transport,
    clock: systemClock,
    log: silentLog,
  });
  const line = {
    registry,
    path: "team/mirror",
    api: api === undefined ? undefined : new URL(api),
    registryId: undefined,
    region: undefined,
  };
  const context: ListingContext = {
    transport,
    clock: systemClock,
    log: silentLog,
    tencentCloud: () => undefined,
    awsKey: undefined,
    githubToken: undefined,
    githubApiUrl: new URL("https://api.github.com"),
    destinations: [line],
    ...given.context,
  };
  return listRepositories({ registry, path, client }, context, { signal, limit: 1000, ...given.options });
}

/** Puts a tag into each repository, past HTTP. */
function seed(registry: RegistryServer, ...names: readonly string[]): void {
  for (const name of names) registry.putManifest(name, Buffer.from("{}"), mediaTypes.ociManifest, "v1");
}

function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_none, index) => `${prefix}${String(index).padStart(4, "0")}`);
}

function paths(server: SandboxServer): readonly string[] {
  return server.requests.map(({ path }) => path);
}

/** Every `authorization` that came. */
function logins(server: SandboxServer): readonly string[] {
  return server.requests.flatMap(({ headers }) => headers.authorization ?? []);
}

async function mistake(listing: Promise<unknown>): Promise<string> {
  const error = await listing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

describe("by the list of the distribution project", () => {
  test("are those below the namespace, sorted, read by pages with one token", async () => {
    const authentication = { kind: "bearer", users: [user] } as const;
    const registry = closing(await startRegistry({ authentication, pageSize: 2 }));
    seed(registry, "team/web", "team/app", "team/deep/er", "teamwork/app", "other/app", "team-x/app");
    expect(await list(registry, "team", { login: user })).toEqual(["app", "deep/er", "web"]);
    expect(paths(registry).slice(1)).toEqual([
      "/v2/_catalog?n=1000",
      "/v2/_catalog?n=2&last=team-x%2Fapp",
      "/v2/_catalog?n=2&last=team%2Fdeep%2Fer",
    ]);
    expect(registry.tokenServer?.requests.map(({ path }) => path)).toEqual([
      "/token?service=sandbox&scope=registry%3Acatalog%3A*",
    ]);
  });

  test.each(["team", ""])(
    "below %j are not those of a destination in there: a mirror of itself",
    async (path) => {
      const registry = closing(await startRegistry());
      seed(registry, "team/app", "team/mirror/app", "team/mirrors/app", "team/mirror");
      const found = await list(registry, path);
      expect(found).toEqual(
        ["app", "mirror", "mirrors/app"].map((name) => (path === "" ? `team/${name}` : name)),
      );
    },
  );

  test("are all of the registry where there is no namespace", async () => {
    const registry = closing(await startRegistry());
    seed(registry, "b/app", "app", "a/deep/app");
    expect(await list(registry, "")).toEqual(["a/deep/app", "app", "b/app"]);
  });

  test("are asked for without a page size where the registry's largest page is smaller", async () => {
    const registry = closing(await startRegistry({ largestPage: 100 }));
    seed(registry, "team/app");
    expect(await list(registry, "team")).toEqual(["app"]);
    expect(paths(registry).slice(1)).toEqual(["/v2/_catalog?n=1000", "/v2/_catalog"]);
  });

  test("that are no names of repositories are left out, and told", async () => {
    const names = [
      "team/app",
      "team/../etc",
      "team/App",
      "team/a\n::error::b",
      "",
      null,
      "team/",
      `team/${"a".repeat(300)}`,
    ];
    const server = closing(await startServer(() => json(200, { repositories: names })));
    const told: string[] = [];
    const log: Log = { ...silentLog, debug: (line) => told.push(line) };
    expect(await list(server, "team", { context: { log } })).toEqual(["app"]);
    expect(told.filter((line) => line.includes("no name of a repository"))).toHaveLength(6);
    expect(told.join("")).not.toContain("\n");
  });

  test.each([401, 403, 404, 405, 501])(
    "where it is answered by %s, the mistake names the registry and the way out",
    async (status) => {
      const server = closing(
        await startServer(({ path }) => (path === "/v2/" ? json(200, {}) : json(status, { errors: [] }))),
      );
      const message = await mistake(list(server, "team"));
      expect(message).toContain(`The repositories of ${server.host}/team cannot be listed`);
      expect(message).toContain(`status ${status}`);
      expect(message).toContain('name the images one a line in the input "images"');
    },
  );

  test("where ECR Public refuses it, the mistake says that tags have to be named as well", async () => {
    const server = closing(await startServer(({ path }) => json(path === "/v2/" ? 200 : 404, {})));
    const message = await mistake(list(server, "team", { vendor: "ecr-public" }));
    expect(message).toContain("its registry API no tags, either");
    expect(message).toContain("Name the images one a line, with their tags: `name:v1.2.3`.");
  });

  test("where the token server grants no list, the same", async () => {
    const authentication = { kind: "bearer", users: [user] } as const;
    const registry = closing(await startRegistry({ authentication, anonymousPull: true }));
    expect(await mistake(list(registry, "team"))).toContain("cannot be listed");
  });

  test("trouble of the registry is no mistake of the user", async () => {
    const server = closing(await startServer(({ path }) => json(path === "/v2/" ? 200 : 503, {})));
    await expect(list(server, "team")).rejects.toThrow("source");
    await expect(list(server, "team")).rejects.not.toBeInstanceOf(InputError);
  });

  test("a list of the same page for ever ends, one of new names for ever fails", async () => {
    let page = 0;
    const listing = (names: () => readonly string[]) =>
      startServer(({ path }) => {
        page += 1;
        return path === "/v2/"
          ? json(200, {})
          : json(200, { repositories: names() }, { link: `</v2/_catalog?last=${page}>; rel="next"` });
      });
    const same = closing(await listing(() => ["team/app"]));
    expect(await list(same, "team")).toEqual(["app"]);
    expect(same.requests).toHaveLength(3);
    const fresh = closing(await listing(() => [`other/app${page}`]));
    expect(await mistake(list(fresh, "team"))).toContain("the list goes on after 1000 pages");
    expect(fresh.requests).toHaveLength(1002);
  });
});

test("trouble of a vendor's API is told as the source's, and is no mistake of the user", async () => {
  const registry = closing(await startRegistry({ catalog: false }));
  const api = closing(await startServer(() => json(503, { message: "maintenance" })));
  const awsKey = { sessionToken: undefined, ...ecrKey };
  const listing = list(registry, "team", { vendor: "ecr", api: api.origin, context: { awsKey } });
  await expect(listing).rejects.toThrow(
    `source ${new URL(api.origin).host}: listing the repositories failed`,
  );
  await expect(listing).rejects.not.toBeInstanceOf(InputError);
});

describe("more than the limit", () => {
  test("is a mistake that names the number and the input, before the rest is read", async () => {
    const registry = closing(await startRegistry({ pageSize: 100 }));
    seed(registry, ...numbered("team/app", 500));
    const message = await mistake(list(registry, "team", { options: { limit: 150 } }));
    expect(message).toContain(`${registry.host}/team has at least 200 repositories`);
    expect(message).toContain('"repository-limit"');
    expect(paths(registry).slice(1)).toHaveLength(2);
  });

  test("counts what is wanted only", async () => {
    const registry = closing(await startRegistry({ pageSize: 100 }));
    seed(registry, ...numbered("team/app", 300), "team/web");
    const options = {
      limit: 1,
      wanted: (paths: readonly string[]) => paths.filter((path) => path === "web"),
    };
    expect(await list(registry, "team", { options })).toEqual(["web"]);
  });
});

describe("of Docker Hub", () => {
  const account = { username: "harborbot", password: "dckr_pat_sandbox-hub-secret" };
  const privateRepositories = new Set(["acme/secret"]);

  test("come by the Hub API, 100 a page, and the registry is not asked", async () => {
    const hub = closing(await startDockerHub({ privateRepositories }));
    seed(hub.registry, ...numbered("acme/app", 150), "acme/secret", "other/app");
    const found = await list(hub.registry, "acme", {
      vendor: "docker-hub",
      api: hub.api.origin,
      login: account,
    });
    expect(found).toEqual([...numbered("app", 150), "secret"]);
    expect(paths(hub.api)).toEqual([
      "/v2/auth/token",
      "/v2/namespaces/acme/repositories?page=1&page_size=100",
      "/v2/namespaces/acme/repositories?page=2&page_size=100",
    ]);
    expect(hub.registry.requests).toEqual([]);
  });

  test("are the public ones without a login, and with one that it does not take", async () => {
    const hub = closing(await startDockerHub({ privateRepositories }));
    seed(hub.registry, "acme/app", "acme/secret");
    const given = { vendor: "docker-hub", api: hub.api.origin } as const;
    expect(await list(hub.registry, "acme", given)).toEqual(["app"]);
    expect(logins(hub.api)).toEqual([]);
    const log = recordingLog();
    const wrong = { ...account, password: "dckr_pat_wrong" };
    expect(await list(hub.registry, "acme", { ...given, login: wrong, context: { log } })).toEqual(["app"]);
    expect(log.infos.join()).toContain("only the public repositories are listed");
  });
});

describe("of TCR", () => {
  const tencentCloud = (url: URL) =>
    createTencentApi({
      transport,
      clock: fakeClock(Date.now()),
      url,
      keys: fixedKey({ sessionToken: undefined, ...tcrKey }),
    });
  const namespaces = { goharbor: false, other: false };

  test.each([0, 1] as const)("come by DescribeRepositories, the first page being %s", async (firstPage) => {
    const tcr = closing(await startTcr({ namespaces, firstPage }));
    seed(tcr.registry, ...numbered("goharbor/app", 250), "goharbor/deep/er", "other/app");
    const line = {
      registry: tcr.registry.host,
      path: "mirror",
      api: new URL(tcr.api.origin),
      ...tcrInstance,
    };
    const context = { tencentCloud, destinations: [line] };
    const found = await list(tcr.registry, "goharbor", { vendor: "tcr", context });
    expect(found).toEqual([...numbered("app", 250), "deep/er"]);
    const all = await list(tcr.registry, "", { vendor: "tcr", context });
    expect(all).toHaveLength(252);
    expect(tcr.registry.requests).toEqual([]);
  });

  test.each<[string, number, 0 | 1, number | undefined]>([
    ["all", 100, 1, 100],
    ["more than a page has", 101, 1, undefined],
    // A list that counts from 0 has its second page there.
    ["all, on another page", 3, 0, undefined],
    ["none", 0, 1, 0],
  ])("are told by one request, as far as it has them: %s", async (_case, count, firstPage, told) => {
    const tcr = closing(await startTcr({ namespaces, firstPage }));
    seed(tcr.registry, ...numbered("goharbor/app", count), "other/app");
    const api = tencentCloud(new URL(tcr.api.origin));
    const identity = { kind: "identified", ...tcrInstance } as const;
    const instance = createTcrInstance(api, identity, fakeClock(Date.now()));
    const there = await allTcrRepositories(instance, "goharbor", signal);
    expect(there?.size).toBe(told);
    expect(there?.has("other/app") ?? false).toBe(false);
    expect(tcr.api.requests).toHaveLength(1);
  });

  test("without a key are asked of the registry, which refuses: the mistake says what helps", async () => {
    const tcr = closing(await startTcr({ namespaces }));
    const message = await mistake(list(tcr.registry, "goharbor", { vendor: "tcr" }));
    expect(message).toContain("an API key or a role");
    expect(tcr.api.requests).toEqual([]);
  });

  test("of the Personal edition come by true offsets", async () => {
    const tcr = closing(await startTcrPersonal({ namespaces: ["goharbor"] }));
    seed(tcr.registry, ...numbered("goharbor/app", 250), "goharbor2/app");
    const line = {
      registry: tcr.registry.host,
      path: "mirror",
      api: new URL(tcr.api.origin),
      registryId: undefined,
      region: "ap-guangzhou",
    };
    const context = { tencentCloud, destinations: [line] };
    const given = { vendor: "tcr-personal", login: personalLogin, context } as const;
    expect(await list(tcr.registry, "goharbor", given)).toEqual(numbered("app", 250));
    expect(tcr.api.requests).toHaveLength(3);
    expect(await list(tcr.registry, "", given)).toHaveLength(251);
    expect(tcr.registry.requests).toEqual([]);
  });
});

describe("of Amazon ECR", () => {
  test("come by DescribeRepositories with the AWS key, those below the path", async () => {
    const registry = closing(await startRegistry({ catalog: false }));
    seed(registry, "team/app", "team/web", "teams/app");
    const api = closing(
      await startEcrApi({ registry, key: ecrKey, repositories: new Set(numbered("other/app", 1500)) }),
    );
    const awsKey = { sessionToken: undefined, ...ecrKey };
    const found = await list(registry, "team", { vendor: "ecr", api: api.origin, context: { awsKey } });
    expect(found).toEqual(["app", "web"]);
    expect(api.requests).toHaveLength(2);
    expect(registry.requests).toEqual([]);
  });

  test("without a right or a key are a mistake that says which", async () => {
    const registry = closing(await startRegistry({ catalog: false }));
    const denied = new Set(["DescribeRepositories"]);
    const api = closing(await startEcrApi({ registry, key: ecrKey, repositories: new Set(), denied }));
    const awsKey = { sessionToken: undefined, ...ecrKey };
    const given = { vendor: "ecr", api: api.origin } as const;
    expect(await mistake(list(registry, "team", { ...given, context: { awsKey } }))).toContain(
      "DescribeRepositories",
    );
    expect(await mistake(list(registry, "team", given))).toContain("with the AWS key of the environment");
    expect(api.requests).toHaveLength(1);
  });
});

describe("of Harbor", () => {
  const robot = fullAccess("robot$goharbor+mirror", "harbor-robot-secret");
  const authentication = {
    kind: "bearer",
    users: [robot],
    service: "harbor-registry",
    readable: true,
    takesAnyLogin: true,
  } as const;

  function startHarbor(): Promise<RegistryServer> {
    const api = harborApi({ user: robot, publicProjects: new Set(["library"]) });
    return startRegistry({ authentication, anonymousPull: true, catalog: false, api });
  }

  test("of a public project are shown without a login, by pages; known by its challenge under any name", async () => {
    const registry = closing(await startHarbor());
    seed(registry, ...numbered("library/app", 150), "goharbor/app");
    expect(await list(registry, "library")).toEqual(numbered("app", 150));
    expect(paths(registry)).toEqual([
      "/v2/",
      "/api/v2.0/projects/library/repositories?page=1&page_size=100",
      "/api/v2.0/projects/library/repositories?page=2&page_size=100",
    ]);
    expect(await list(registry, "")).toEqual(numbered("library/app", 150));
  });

  test("of another project need the login, which goes to this host alone", async () => {
    const registry = closing(await startHarbor());
    seed(registry, "goharbor/app", "goharbor/deep/er");
    expect(await list(registry, "goharbor", { login: robot })).toEqual(["app", "deep/er"]);
    expect(await list(registry, "goharbor", { login: robot, vendor: "harbor" })).toEqual(["app", "deep/er"]);
    expect(await mistake(list(registry, "goharbor"))).toContain("List Repository");
    expect(registry.tokenServer?.credentialsSeen).toEqual([]);
  });

  test("a registry that does not call itself Harbor gets no login beside that of its list", async () => {
    const basic = { kind: "bearer", users: [user], service: "sandbox" } as const;
    const registry = closing(await startRegistry({ authentication: basic }));
    await list(registry, "team", { login: user });
    expect(logins(registry).filter((value) => value.startsWith("Basic"))).toEqual([]);
  });
});

describe("of GitHub's registry", () => {
  const job = "ghs_tokenOfTheJob";
  const classic = "ghp_classicToken";
  const organisations = new Set(["acme"]);

  async function start() {
    const registry = closing(await startRegistry({ catalog: false }));
    const api = closing(
      await startPackagesApi({
        registry,
        token: job,
        listingToken: classic,
        organisations,
        digests: () => [],
      }),
    );
    seed(registry, ...numbered("acme/app", 150), "acme/deep/er", "someone/app");
    return { registry, api };
  }

  test("come by the packages API with the registry's login, of organisations and of users", async () => {
    const { registry, api } = await start();
    const given = { vendor: "ghcr", api: api.origin, login: { username: "x", password: classic } } as const;
    expect(await list(registry, "acme", given)).toEqual([...numbered("app", 150), "deep/er"]);
    expect(await list(registry, "someone", given)).toEqual(["app"]);
    expect(paths(api)).toEqual([
      "/orgs/acme/packages?package_type=container&per_page=100",
      "/orgs/acme/packages?package_type=container&per_page=100&page=2",
      "/orgs/someone/packages?package_type=container&per_page=100",
      "/users/someone/packages?package_type=container&per_page=100",
    ]);
    expect(registry.requests).toEqual([]);
  });

  test("take the input's token where the login of the job gets none", async () => {
    const { registry, api } = await start();
    const context = { githubToken: classic, githubApiUrl: new URL(api.origin) };
    const login = { username: "x", password: job };
    const found = await list(registry, "someone", { vendor: "ghcr", api: api.origin, login, context });
    expect(found).toEqual(["app"]);
    expect(logins(api)).toEqual([`Bearer ${job}`, `Bearer ${classic}`, `Bearer ${classic}`]);
  });

  test("never get a token that is for another GitHub", async () => {
    const { registry, api } = await start();
    const context = { githubToken: classic, githubApiUrl: new URL("https://github.example.com/api/v3") };
    const message = await mistake(list(registry, "acme", { vendor: "ghcr", api: api.origin, context }));
    expect(message).toContain("there is no token for it");
    expect(api.requests).toEqual([]);
  });

  test("with the token of a job are a mistake that says which token helps", async () => {
    const { registry, api } = await start();
    const login = { username: "x", password: job };
    const message = await mistake(list(registry, "acme", { vendor: "ghcr", api: api.origin, login }));
    expect(message).toContain("Resource not accessible by integration");
    expect(message).toContain("a classic token that has `read:packages`");
    expect(message).not.toContain(job);
  });
});

describe("of Quay", () => {
  const privateRepositories = new Set(["goharbor/secret"]);
  const start = async () => {
    const registry = closing(await startRegistry({ api: quayApi({ token: "oauth", privateRepositories }) }));
    seed(registry, ...numbered("goharbor/app", 150), "goharbor/secret", "coreos/etcd");
    return registry;
  };

  test("are the public ones of the namespace, and no robot's login is sent to its API", async () => {
    const registry = await start();
    const robot = { username: "goharbor+mirror", password: "robot-token" };
    expect(await list(registry, "goharbor", { vendor: "quay", login: robot })).toEqual(numbered("app", 150));
    expect(paths(registry)).toEqual(["/api/v1/repository?public=true&namespace=goharbor"]);
    expect(logins(registry)).toEqual([]);
  });

  test("are with an OAuth token also those that it sees, and without a namespace all, by pages", async () => {
    const registry = await start();
    const login = { username: "$oauthtoken", password: "oauth" };
    expect(await list(registry, "goharbor", { vendor: "quay", login })).toContain("secret");
    expect(await list(registry, "", { vendor: "quay", login })).toHaveLength(152);
    expect(registry.requests).toHaveLength(3);
  });
});
