/** The vendors' own ways to delete tags, against their stand-ins over real HTTP. */
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../../sandbox/registry.ts";
import type { SandboxServer } from "../../../sandbox/server.ts";
import { fullAccess, type User } from "../../../sandbox/token-server.ts";
import { artifactoryApi } from "../../../sandbox/vendor-apis/artifactory.ts";
import { azureApi } from "../../../sandbox/vendor-apis/azure.ts";
import { ecrKey, startEcrApi } from "../../../sandbox/vendor-apis/ecr.ts";
import { type HarborApiOptions, harborApi } from "../../../sandbox/vendor-apis/harbor.ts";
import { startPackagesApi } from "../../../sandbox/vendor-apis/packages.ts";
import { systemClock } from "../../../src/clock.ts";
import type { DestinationAbilities } from "../../../src/destinations/destination.ts";
import type { AwsKey } from "../../../src/destinations/registry/aws-signature.ts";
import { createRegistryDestination } from "../../../src/destinations/registry/registry-destination.ts";
import { retrying } from "../../../src/http/retry.ts";
import { createTransport } from "../../../src/http/transport.ts";
import type { Credential } from "../../../src/oci/credentials.ts";
import { type Digest, digestOf, parseDigest } from "../../../src/oci/digest.ts";
import { Registry } from "../../../src/oci/registry.ts";
import type { VendorId } from "../../../src/vendors/vendor.ts";
import { vendorOf } from "../../../src/vendors/vendors.ts";
import { obstacle, wordsOf } from "../../support/failures.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const { signal } = new AbortController();
const log = recordingLog();
const network = createTransport(log, systemClock);
const transport = retrying(network, { clock: fakeClock(), log });
const user = fullAccess("mirror", "vendor-secret");
const repository = "goharbor/deep/core";
const indexType = "application/vnd.oci.image.index.v1+json";
const servers: SandboxServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => network.close());

function closing<T extends SandboxServer>(server: T): T {
  servers.push(server);
  return server;
}

/** Puts a manifest under tags; those of one group share it. */
function seed(registry: RegistryServer, ...groups: readonly (readonly string[])[]): readonly Digest[] {
  return groups.map((tags) => {
    const annotations = { tags: tags.join() };
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [], annotations }));
    let digest = "";
    for (const tag of tags) digest = registry.putManifest(repository, index, indexType, tag);
    return parseDigest(digest) as Digest;
  });
}

interface Given {
  readonly options?: RegistryOptions;
  readonly api?: string;
  readonly credential?: Credential | undefined;
  readonly awsKey?: AwsKey;
}

async function destinationAt(registry: RegistryServer, vendor: VendorId, given: Given = {}) {
  const credential = "credential" in given ? given.credential : user;
  const credentials = () => Promise.resolve(credential);
  const client = new Registry({
    registry: registry.host,
    vendor: vendorOf(registry.host, vendor),
    side: "destination",
    credentials,
    transport,
    clock: systemClock,
    log,
  });
  return createRegistryDestination({
    input: {
      type: vendor,
      registry: registry.host,
      path: "goharbor",
      retention: { keep: 3, keepBy: "semver" },
      api: given.api === undefined ? undefined : new URL(given.api),
      registryId: undefined,
      region: undefined,
      public: false,
      tokenServer: undefined,
      attestations: true,
    },
    credentials,
    awsKey: given.awsKey,
    client,
    transport,
    clock: systemClock,
    log,
  });
}

/** Deletes a manifest without a tag: it alone is gone. One that is not there counts as gone. */
async function expectUntaggedGone(registry: RegistryServer, destination: DestinationAbilities) {
  const [digest = "", kept = ""] = seed(registry, ["v1"], ["v2"]);
  registry.untag(repository, "v1");
  expect(await deleteUntagged(destination, digest, digestOf("absent"))).toEqual(
    gone(digest, digestOf("absent")),
  );
  const isThere = (one: string) => registry.manifest(repository, one) !== undefined;
  expect([isThere(digest), isThere(kept), left(registry)]).toEqual([false, true, ["v2"]]);
}

async function expectTaggedLeft(registry: RegistryServer, destination: DestinationAbilities) {
  const [digest = ""] = seed(registry, ["v3"]);
  expect(await deleteUntagged(destination, digest)).toEqual([
    { tag: digest, failure: obstacle("the tag v3 has it") },
  ]);
  expect(left(registry)).toContain("v3");
}

async function deleteUntagged({ deleteUntagged: remove }: DestinationAbilities, ...digests: string[]) {
  if (typeof remove === "string") throw new Error(remove);
  return remove(repository, untold(...digests), signal);
}

const untold = (...tags: readonly string[]) => tags.map((tag) => ({ tag, digest: undefined }));
const gone = (...tags: readonly string[]) => tags.map((tag) => ({ tag, failure: undefined }));
const left = (registry: RegistryServer) => [...registry.tags(repository).keys()].sort();

describe.each<[VendorId, (of: User) => RegistryOptions]>([
  ["harbor", (of) => ({ api: harborApi({ user: of }) })],
  ["artifactory", (of) => ({ api: artifactoryApi(of) })],
])("%s", (vendor, optionsOf) => {
  test("with an identity token only: deletion is off, and says what to do", async () => {
    const registry = closing(await startRegistry(optionsOf(user)));
    const credential = { username: "", password: "", identityToken: "refresh" };
    const destination = await destinationAt(registry, vendor, { credential });
    expect(destination.deletion).toBe("unavailable");
    expect(destination.deletionUnavailable).toContain("takes no identity token");
    expect(await destination.deleteTags(repository, untold("v1"), signal)).toEqual([
      { tag: "v1", failure: obstacle(destination.deletionUnavailable ?? "") },
    ]);
  });

  test("without a login: deletion is off", async () => {
    const registry = closing(await startRegistry(optionsOf(user)));
    const destination = await destinationAt(registry, vendor, { credential: undefined });
    expect(destination.deletionUnavailable).toContain("log in to this registry");
    expect(registry.requests).toEqual([]);
  });

  test("deletes one tag of a digest and no other, in a repository with slashes", async () => {
    const registry = closing(await startRegistry(optionsOf(user)));
    seed(registry, ["v1", "stable"], ["v2"], ["dev"]);
    const destination = await destinationAt(registry, vendor);
    const deletion = vendor === "harbor" ? "last-tag-takes-manifest" : "by-tag";
    expect(destination.deletion).toBe(deletion);
    expect(await destination.deleteTags(repository, untold("v1", "v2", "v9"), signal)).toEqual(
      gone("v1", "v2", "v9"),
    );
    expect(left(registry)).toEqual(["dev", "stable"]);
  });

  test("goes on with the next tag after a refusal, which names the right that is missing", async () => {
    const strict = { ...user, access: () => false };
    const registry = closing(
      await startRegistry(
        vendor === "harbor"
          ? { api: harborApi({ user, immutable: new Set([`${repository}:v1`]) }) }
          : optionsOf(strict),
      ),
    );
    seed(registry, ["v1"], ["v2"]);
    const destination = await destinationAt(registry, vendor);
    const [first] = await destination.deleteTags(repository, untold("v1", "v2"), signal);
    expect(wordsOf(first?.failure)).toMatch(
      vendor === "harbor" ? /status 412.*immutable/ : /status 403.*permission Delete/,
    );
    expect(left(registry)).toEqual(vendor === "harbor" ? ["v1"] : ["v1", "v2"]);
  });
});

describe("harbor", () => {
  async function harbor(options: Omit<HarborApiOptions, "user"> = {}) {
    const registry = closing(await startRegistry({ api: harborApi({ user, ...options }) }));
    return { registry, destination: await destinationAt(registry, "harbor") };
  }

  test.each<[string, Omit<HarborApiOptions, "user">, "ok" | "missing" | "unknown", RegExp]>([
    ["no policy", { metadata: { public: "true", prevent_vul: "false" } }, "ok", /no policy of it withholds/],
    [
      "Cosign content trust",
      { metadata: { enable_content_trust_cosign: "true" } },
      "ok",
      /"Cosign content trust".*412/,
    ],
    [
      "two policies",
      { metadata: { enable_content_trust_cosign: "true", prevent_vul: "true" } },
      "ok",
      /"Cosign content trust" and "Prevent vulnerable images from running"/,
    ],
    [
      "a login that may not read the project",
      {},
      "unknown",
      /does not tell this login about the project goharbor/,
    ],
    ["read-only mode", { readOnly: true, metadata: {} }, "missing", /read-only mode/],
    [
      "a quota",
      { metadata: {}, quota: { hard: 4_000_000_000, used: 3_100_000_000 } },
      "ok",
      /3\.1 GB of its quota of 4\.0 GB are used.*one version more than `keep` says/,
    ],
    ["no quota", { metadata: {}, quota: { hard: -1, used: 7 } }, "ok", /withholds images\.$/],
  ])("tells a check of %s, and writes nothing", async (_case, options, outcome, finding) => {
    const { registry, destination } = await harbor(options);
    const preview = await destination.preview?.(signal, repository);
    expect(preview).toMatchObject({ there: true, outcome, finding: expect.stringMatching(finding) });
    expect(registry.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  test.each<[string, Omit<HarborApiOptions, "user">, "ok" | "missing", RegExp]>([
    ["may delete tags", {}, "ok", /tried with a tag that nobody has/],
    [
      "may read artifacts only",
      { mayDeleteTags: false },
      "missing",
      /trying to delete a tag failed with status 403 FORBIDDEN: forbidden\. The robot needs "Delete Tag"/,
    ],
    [
      "may not read artifacts",
      { mayReadArtifacts: false },
      "missing",
      /trying to look up a tag failed with status 403 FORBIDDEN: forbidden\. The robot needs "Delete Tag"/,
    ],
  ])("tells of a robot that %s, before anything is deleted", async (_case, options, outcome, finding) => {
    for (const exists of [true, false]) {
      const { registry, destination } = await harbor(options);
      if (exists) seed(registry, ["v1"]);
      const found = await destination.tryDeletion?.(signal, repository, exists);
      expect(found).toMatchObject({ outcome, finding: expect.stringMatching(finding) });
      expect(left(registry)).toEqual(exists ? ["v1"] : []);
    }
  });

  test("tells which tags a rule makes immutable, and of no other", async () => {
    const { registry, destination } = await harbor({ immutable: new Set([`${repository}:v1`]) });
    seed(registry, ["v1", "stable"], ["v2"]);
    const why = (tag: string) => destination.whyProtected?.(signal, repository, tag);
    expect(await why("v1")).toContain("immutability rule");
    for (const tag of ["stable", "v2", "v9"]) expect(await why(tag)).toBeUndefined();
    expect(registry.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  test("takes the artifact away with its last tag, and only then", async () => {
    const { registry, destination } = await harbor();
    const [shared, alone] = seed(registry, ["v1", "stable"], ["v2"]);
    await destination.deleteTags(repository, untold("v1", "v2"), signal);
    expect(registry.manifest(repository, shared ?? "")).toBeDefined();
    expect(registry.manifest(repository, alone ?? "")).toBeUndefined();
  });

  test("deletes an artifact without a tag, and none that a tag has got meanwhile", async () => {
    const { registry, destination } = await harbor();
    await expectUntaggedGone(registry, destination);
    await expectTaggedLeft(registry, destination);
  });

  test("counts a tag as gone whose artifact may not be deleted, and warns", async () => {
    const { registry, destination } = await harbor({ mayDeleteArtifacts: false });
    seed(registry, ["v1"]);
    expect(await destination.deleteTags(repository, untold("v1"), signal)).toEqual(gone("v1"));
    expect(log.warnings.at(-1)).toMatch(/v1 is gone, but what it pointed to stays: .*status 403/);
  });

  test("says what the robot needs when its login is refused", async () => {
    const registry = closing(await startRegistry({ api: harborApi({ user }) }));
    seed(registry, ["v1"]);
    const credential = { username: "mirror", password: "another" };
    const destination = await destinationAt(registry, "harbor", { credential });
    const [deletion] = await destination.deleteTags(repository, untold("v1"), signal);
    expect(wordsOf(deletion?.failure)).toMatch(/status 401 UNAUTHORIZED.*"Delete Tag"/);
    expect(left(registry)).toEqual(["v1"]);
  });
});

test("artifactory says why what has no tag stays", async () => {
  const registry = closing(await startRegistry({ api: artifactoryApi(user) }));
  const destination = await destinationAt(registry, "artifactory");
  expect(destination.deleteUntagged).toMatch(/deletes tags only/);
});

test("artifactory: a tag that the API does not know but the registry has is no success", async () => {
  const registry = closing(await startRegistry({ api: () => ({ status: 404 }) }));
  seed(registry, ["v1"]);
  const destination = await destinationAt(registry, "artifactory");
  const [deletion] = await destination.deleteTags(repository, untold("v1"), signal);
  expect(wordsOf(deletion?.failure)).toContain("Docker repository as the first part");
});

describe("acr", () => {
  const options = (access: User["access"]): RegistryOptions => ({
    authentication: { kind: "bearer", users: [{ ...user, access }] },
    api: azureApi,
  });

  test("deletes one tag of a digest and no other", async () => {
    const registry = closing(await startRegistry(options(() => true)));
    seed(registry, ["v1", "stable"]);
    const destination = await destinationAt(registry, "acr");
    expect(await destination.deleteTags(repository, untold("v1", "v9"), signal)).toEqual(gone("v1", "v9"));
    expect(left(registry)).toEqual(["stable"]);
  });

  test("deletes a manifest without a tag by its digest", async () => {
    const registry = closing(await startRegistry(options(() => true)));
    await expectUntaggedGone(registry, await destinationAt(registry, "acr"));
  });

  test("tells of a login that may not delete", async () => {
    const registry = closing(await startRegistry(options((_name, action) => action !== "delete")));
    seed(registry, ["v1"]);
    const destination = await destinationAt(registry, "acr");
    const [deletion] = await destination.deleteTags(repository, untold("v1"), signal);
    expect(wordsOf(deletion?.failure)).toMatch(/deleting the tag v1 failed with status 401/);
    expect(left(registry)).toEqual(["v1"]);
  });
});

describe("ecr", () => {
  async function ecr(denied: readonly string[] = [], key: AwsKey = { sessionToken: undefined, ...ecrKey }) {
    const registry = closing(await startRegistry());
    const repositories = new Set<string>([repository]);
    const api = closing(await startEcrApi({ registry, key: ecrKey, repositories, denied: new Set(denied) }));
    const destination = await destinationAt(registry, "ecr", { api: api.origin, awsKey: key });
    return { registry, repositories, api, destination };
  }

  test("deletes by a hundred, one tag of a digest and no other", async () => {
    const { registry, api, destination } = await ecr();
    const old = Array.from({ length: 150 }, (_, index) => `v0.${index}`);
    seed(registry, ["v1", "stable"], ...old.map((tag) => [tag]));
    expect(await destination.deleteTags(repository, untold("v1", ...old, "v9"), signal)).toEqual(
      gone("v1", ...old, "v9"),
    );
    expect(left(registry)).toEqual(["stable"]);
    expect(api.requests).toHaveLength(2);
  });

  test("makes the repositories that are missing, and says when it may not", async () => {
    const { repositories, destination } = await ecr();
    await destination.prepare(signal, [repository, "goharbor/new"]);
    expect([...repositories].sort()).toEqual([repository, "goharbor/new"]);

    const strict = await ecr(["CreateRepository"]);
    await strict.destination.prepare(signal, ["goharbor/one", "goharbor/two"]);
    expect([...strict.repositories]).toEqual([repository]);
    expect(log.warnings.at(-1)).toContain("`ecr:CreateRepository`");
    expect(strict.api.requests).toHaveLength(1);
  });

  test("names the right that is missing, and the key that is wrong", async () => {
    const denied = await ecr(["BatchDeleteImage"]);
    seed(denied.registry, ["v1"]);
    const [deletion] = await denied.destination.deleteTags(repository, untold("v1"), signal);
    expect(wordsOf(deletion?.failure)).toMatch(/AccessDeniedException.*`ecr:BatchDeleteImage`/);

    const wrong = await ecr([], { ...ecrKey, sessionToken: ecrKey.sessionToken, secretAccessKey: "another" });
    seed(wrong.registry, ["v1"]);
    const [refused] = await wrong.destination.deleteTags(repository, untold("v1"), signal);
    expect(wordsOf(refused?.failure)).toContain("InvalidSignatureException");
    expect(left(wrong.registry)).toEqual(["v1"]);
    await wrong.destination.prepare(signal, ["goharbor/new", "goharbor/newer"]);
    expect(log.warnings.at(-1)).toMatch(/^The repositories that are there are used: .*InvalidSignature/);
    expect(wrong.repositories).not.toContain("goharbor/new");
  });

  test("deletes an image without a tag by its digest", async () => {
    const { registry, destination } = await ecr();
    await expectUntaggedGone(registry, destination);
  });

  test("without an AWS key deletes nothing, and says so beforehand", async () => {
    const registry = closing(await startRegistry());
    const destination = await destinationAt(registry, "ecr");
    expect(destination.deletion).toBe("unavailable");
    expect(destination.deletionUnavailable).toContain("`AWS_ACCESS_KEY_ID`");
    await destination.prepare(signal, ["goharbor/new"]);
    expect(registry.requests).toEqual([]);
  });
});

describe("ghcr", () => {
  async function ghcr(options: { mayDelete?: boolean; organisation?: boolean; untagged?: number } = {}) {
    const { mayDelete = true, organisation = true, untagged = 0 } = options;
    const registry = closing(await startRegistry());
    const digests = (): readonly string[] => [...seen, ...registry.tags(repository).values()];
    const seen = Array.from({ length: untagged }, (_, index) =>
      registry.putManifest(repository, Buffer.from(`{"n":${index}}`), indexType),
    );
    const known = new Map<string, readonly string[]>();
    const api = closing(
      await startPackagesApi({
        registry,
        token: user.password,
        mayDelete,
        organisations: new Set(organisation ? ["goharbor"] : []),
        digests: (name) => {
          const all = known.get(name) ?? [...new Set(digests())];
          known.set(name, all);
          return all;
        },
      }),
    );
    const destination = await destinationAt(registry, "ghcr", { api: api.origin });
    return { registry, api, destination };
  }

  test("deletes versions whose tags all go, and leaves one that another tag holds", async () => {
    const { registry, destination } = await ghcr();
    const [one, two, three] = seed(registry, ["v1", "v1.0"], ["v2", "stable"], ["v3"]);
    const wanted = [
      { tag: "v1", digest: one },
      { tag: "v1.0", digest: one },
      { tag: "v2", digest: two },
    ];
    const deletions = await destination.deleteTags(repository, wanted, signal);
    expect(deletions.slice(0, 2)).toEqual(gone("v1", "v1.0"));
    expect(wordsOf(deletions[2]?.failure)).toContain("only together with the tag stable");
    expect(left(registry)).toEqual(["stable", "v2", "v3"]);
    expect(registry.manifest(repository, three ?? "")).toBeDefined();
  });

  test("deletes a version without a tag, and none that a tag has got meanwhile", async () => {
    const { registry, destination } = await ghcr({ untagged: 2 });
    const [digest, other] = [digestOf('{"n":0}'), digestOf('{"n":1}')];
    const [tagged = ""] = seed(registry, ["v3"]);
    expect(await deleteUntagged(destination, digest, digestOf("absent"), tagged)).toEqual([
      ...gone(digest, digestOf("absent")),
      { tag: tagged, failure: obstacle("the tag v3 has it") },
    ]);
    const isThere = (one: string) => registry.manifest(repository, one) !== undefined;
    expect([digest, other, tagged].map(isThere)).toEqual([false, true, true]);
  });

  test("leaves a tag that has moved since the plan", async () => {
    const { registry, destination } = await ghcr();
    const [one, two] = seed(registry, ["v1"], ["v2"]);
    const [deletion] = await destination.deleteTags(repository, [{ tag: "v1", digest: two }], signal);
    expect(wordsOf(deletion?.failure)).toContain("has moved");
    expect(registry.manifest(repository, one ?? "")).toBeDefined();
  });

  test("finds the package of a user, on whatever page its version is", async () => {
    const { registry, api, destination } = await ghcr({ organisation: false, untagged: 230 });
    const [one] = seed(registry, ["v1"], ["v2"]);
    expect(await destination.deleteTags(repository, [{ tag: "v1", digest: one }], signal)).toEqual(
      gone("v1"),
    );
    expect(left(registry)).toEqual(["v2"]);
    const lists = api.requests.filter(({ method, status }) => method === "GET" && status === 200);
    expect(lists.map(({ path }) => path.replace(/.*[?&]page=/, ""))).toEqual(["1", "2", "3"]);
  });

  test("counts tags of a package that is not there as gone", async () => {
    const { destination } = await ghcr();
    expect(await destination.deleteTags(repository, untold("v1"), signal)).toEqual(gone("v1"));
  });

  test("says which role the token needs", async () => {
    const { registry, destination } = await ghcr({ mayDelete: false });
    const [one] = seed(registry, ["v1"]);
    const [deletion] = await destination.deleteTags(repository, [{ tag: "v1", digest: one }], signal);
    expect(wordsOf(deletion?.failure)).toMatch(/status 403.*role Admin/);
    expect(left(registry)).toEqual(["v1"]);
  });
});

test("a registry without a usable way says which it is", async () => {
  const registry = closing(await startRegistry());
  const destination = await destinationAt(registry, "volcengine");
  expect(destination.deletion).toBe("unavailable");
  expect(destination.deletionUnavailable).toMatch(/^Volcengine CR: /);
  expect(registry.requests).toEqual([]);
});
