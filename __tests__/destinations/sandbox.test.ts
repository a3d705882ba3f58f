/** The vendor destinations against the sandbox's strict stand-ins, over real HTTP. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type HubAccount, startDockerHub } from "../../sandbox/docker-hub.ts";
import type { RegistryState } from "../../sandbox/registry.ts";
import { startTcr, type Tcr, type TcrOptions, tcrKey } from "../../sandbox/tcr.ts";
import { systemClock } from "../../src/clock.ts";
import type { DestinationAbilities } from "../../src/destinations/destination.ts";
import type { DestinationInput } from "../../src/destinations/destination-input.ts";
import { createDockerHubDestination } from "../../src/destinations/docker-hub/docker-hub.ts";
import { createTcrDestination } from "../../src/destinations/tencent/tcr.ts";
import { createTencentApi } from "../../src/destinations/tencent/tencent-api.ts";
import type { TencentCloudKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { fixedKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { wordsOf } from "../support/failures.ts";

const signal = new AbortController().signal;
const log = silentLog;
const dockerCredentials = anonymous;
const repository = "goharbor/harbor-core";
const transport = createTransport(silentLog, systemClock);
const servers: AsyncDisposable[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});
afterAll(() => transport.close());

/** Has a server closed after the test. */
function closing<T extends AsyncDisposable>(server: T): T {
  servers.push(server);
  return server;
}

function inputOf(type: DestinationInput["type"], registry: string, api: string): DestinationInput {
  return {
    type,
    registry,
    path: "goharbor",
    retention: { keep: 3, keepBy: "semver" },
    api: new URL(api),
    registryId: undefined,
    region: undefined,
    public: true,
    tokenServer: undefined,
    attestations: true,
  };
}

/** Puts a manifest of its own under each tag. */
function seed(registry: RegistryState, tags: readonly string[]): void {
  for (const tag of tags) {
    const manifest = JSON.stringify({ schemaVersion: 2, annotations: { tag } });
    registry.putManifest(
      repository,
      Buffer.from(manifest),
      "application/vnd.oci.image.manifest.v1+json",
      tag,
    );
  }
}

function deleteTags(destination: DestinationAbilities, tags: readonly string[]) {
  const wanted = tags.map((tag) => ({ tag, digest: undefined }));
  return destination.deleteTags(repository, wanted, signal);
}

const gone = (tags: readonly string[]) => tags.map((tag) => ({ tag, failure: undefined }));

const actionsOf = (tcr: Tcr) => tcr.api.requests.map(({ headers }) => headers["x-tc-action"]);

describe("a TCR destination at the sandbox", () => {
  async function scenario(options: TcrOptions = {}, given: Partial<TencentCloudKey> = {}) {
    const tcr = closing(await startTcr(options));
    const input = inputOf("tcr", "goharbor.tencentcloudcr.com", tcr.api.origin);
    const key = { sessionToken: undefined, ...tcrKey, ...given };
    const api = createTencentApi({
      transport,
      clock: systemClock,
      url: new URL(tcr.api.origin),
      keys: fixedKey(key),
    });
    const destination = createTcrDestination({
      input,
      api,
      login: undefined,
      dockerCredentials: anonymous,
      clock: systemClock,
      log,
    });
    return { tcr, destination };
  }

  it("finds the instance in its region, creates the namespace, and gets a login that TCR knows", async () => {
    const instance = { registryId: "tcr-elsewhere", name: "goharbor", region: "ap-singapore" };
    const { tcr, destination } = await scenario({ instance });
    await destination.prepare(signal);
    expect([...tcr.namespaces]).toEqual([["goharbor", { public: true }]]);
    const login = await destination.credentials(signal);
    expect(tcr.logins).toMatchObject([{ username: login?.username, password: login?.password }]);
  });

  it.each([0, 1] as const)(
    "finds a namespace wherever it is in a list whose first page is %s, and makes none that is there",
    async (firstPage) => {
      const others = Array.from({ length: 25 }, (_none, number) => `goharbor-${number}`);
      for (const names of [["goharbor"], ["goharbor", ...others], [...others, "goharbor"]]) {
        const namespaces = Object.fromEntries(names.map((name) => [name, true]));
        const { tcr, destination } = await scenario({ firstPage, namespaces });
        await destination.prepare(signal);
        expect(actionsOf(tcr)).not.toContain("CreateNamespace");
      }
    },
  );

  it.each([0, 1] as const)(
    "makes a namespace that no page has, where the first page is %s",
    async (firstPage) => {
      const { tcr, destination } = await scenario({ firstPage, namespaces: { "goharbor-dev": false } });
      await destination.prepare(signal);
      expect(tcr.namespaces.get("goharbor")).toEqual({ public: true });
    },
  );

  it("tells a check of a namespace whose policy withholds vulnerable images, and of no other", async () => {
    const namespaces = { goharbor: true };
    const { destination } = await scenario({ namespaces, preventing: new Set(["goharbor"]) });
    const preview = await destination.preview?.(signal, repository);
    expect(preview).toMatchObject({ outcome: "ok", finding: expect.stringContaining("IsPreventVUL") });
    const { destination: other } = await scenario({ namespaces });
    expect((await other.preview?.(signal, repository))?.finding).not.toContain("IsPreventVUL");
  });

  it("works with a temporary key", async () => {
    const sessionToken = "sandbox-session";
    const { tcr, destination } = await scenario({ keys: [{ ...tcrKey, sessionToken }] }, { sessionToken });
    await destination.prepare(signal);
    expect([...tcr.namespaces.keys()]).toEqual(["goharbor"]);
  });

  it("deletes these tags and no other, though one of them is missing", async () => {
    const { tcr, destination } = await scenario({ namespaces: { goharbor: true } });
    seed(tcr.registry, ["v1", "v3", "dev", "v10"]);
    expect(await deleteTags(destination, ["v1", "v2", "v3"])).toEqual(gone(["v1", "v2", "v3"]));
    expect([...tcr.registry.tags(repository).keys()].sort()).toEqual(["dev", "v10"]);
  });

  it("explains a secret key that is not the right one", async () => {
    const { tcr, destination } = await scenario({}, { secretKey: "another" });
    await expect(destination.prepare(signal)).rejects.toThrow(/`tcr-secret-key` does not belong/);
    expect(tcr.namespaces.size).toBe(0);
  });

  it("explains a clock that is off", async () => {
    const tenMinutes = 10 * 60_000;
    const { destination } = await scenario({ now: () => Date.now() + tenMinutes });
    await expect(destination.prepare(signal)).rejects.toThrow(/The clock of this machine/);
  });
});

describe("a Docker Hub destination at the sandbox", () => {
  const person = { identifier: "harborbot", secret: "dckr_pat_secret" };
  const organisation = { identifier: "goharbor", secret: "dckr_oat_secret", kind: "organisation" } as const;

  async function scenario(account: HubAccount) {
    const hub = closing(await startDockerHub({ accounts: [account] }));
    const destination = await createDockerHubDestination({
      input: inputOf("docker-hub", "docker.io", hub.api.origin),
      login: { username: account.identifier, password: account.secret },
      dockerCredentials,
      transport,
      clock: systemClock,
      log,
    });
    seed(hub.registry, ["v1", "v3", "dev"]);
    return { hub, destination };
  }

  it.each([["personal", person] as const, ["organisation", organisation] as const])(
    "deletes these tags and no other with a %s access token",
    async (_kind, account) => {
      const { hub, destination } = await scenario(account);
      expect(await deleteTags(destination, ["v1", "v2", "v3"])).toEqual(gone(["v1", "v2", "v3"]));
      expect([...hub.registry.tags(repository).keys()]).toEqual(["dev"]);
      const logins = hub.api.requests.filter(({ path }) => path === "/v2/auth/token");
      expect(logins).toHaveLength(1);
    },
  );

  it.each<[string, HubAccount, RegExp]>([
    ["a personal token", { ...person, permission: "write" }, /"Read, Write, Delete"/],
    ["an organisation token", { ...organisation, scopes: ["scope-image-push"] }, /`scope-tag-admin`/],
  ])("explains %s without the right to delete, and leaves the tag", async (_name, account, advice) => {
    const { hub, destination } = await scenario(account);
    const [deletion] = await deleteTags(destination, ["v1"]);
    expect(wordsOf(deletion?.failure)).toMatch(/status 403: .*insufficient scope/);
    expect(wordsOf(deletion?.failure)).toMatch(advice);
    expect(hub.registry.tags(repository).has("v1")).toBe(true);
  });

  it.each<[string, HubAccount, RegExp | undefined]>([
    ["a personal token that may write only", { ...person, permission: "write" }, /no permission to delete/],
    ["a personal token that may read only", { ...person, permission: "read" }, /no permission to delete/],
    ["a personal token that may delete", person, undefined],
    ["an organisation token, which tells nothing", { ...organisation, scopes: [] }, undefined],
    ["a password, which tells nothing", { ...person, kind: "password" }, undefined],
  ])(
    "knows beforehand whether %s can delete, and deletes nothing to find out",
    async (_name, account, why) => {
      const { hub, destination } = await scenario(account);
      const reason = await destination.whyNoDeletion?.(signal);
      expect(reason ?? "").toMatch(why ?? /^$/);
      expect(hub.api.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        "POST /v2/auth/token",
      ]);
      expect(hub.registry.requests).toEqual([]);
    },
  );
});
