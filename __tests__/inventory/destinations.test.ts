import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { OperationError } from "../../src/errors.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import {
  type DestinationToRead,
  failedSnapshot,
  knownDeletion,
  listTags,
  readDestination,
} from "../../src/inventory/destinations.ts";
import { withHeldDigests } from "../../src/inventory/going-tags.ts";
import { imageFor, locate } from "../../src/inventory/sources.ts";
import { silentLog } from "../../src/log/log.ts";
import { imageKey, type Snapshot, type SourceImage } from "../../src/plan/snapshot.ts";
import { version } from "../plan/versions.ts";
import { obstacle } from "../support/failures.ts";
import { recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, place, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const core = component("harbor-core", "v2.15.2");
const keepAll = { retention: { keep: "all", keepBy: "semver" } } as const;

/** The image as a snapshot has it, found at a source of its own. */
async function sourceImage(content: string, signed = false): Promise<SourceImage> {
  const server = await world.start();
  const image = buildImage({ seed: content });
  pushTo(server, "goharbor/harbor-core", image, "v2.15.2");
  if (signed) pushTo(server, "goharbor/harbor-core", signatureOf(image));
  const options = { ...searching(world.source(server)), attachments: new AttachmentFinder(silentLog) };
  const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };
  const found = imageFor(await locate(core, [elsewhere], options, never), elsewhere);
  if (found === undefined) throw new Error("the image was not found");
  return found;
}

const tagForm = ({ digest }: ReturnType<typeof buildImage>) => digest.replace(":", "-");

function signatureOf(subject: ReturnType<typeof buildImage>) {
  return buildImage({ seed: "signature", format: "oci", subject, artifactType: "application/x.signature" });
}

function nothingIsAsked(): never {
  throw new Error("no source has anything of this image");
}

function stockOf(destination: DestinationToRead, image: SourceImage) {
  const sourceOf = () => destination.repository(image.repository);
  const attachmentsOf = () => Promise.resolve(image.attachments);
  return readDestination(
    destination,
    [core],
    new Map([[imageKey(core.to, core.toTag), image]]),
    { sourceOf, attachmentsOf },
    never,
  );
}

describe("what is known about deletion", () => {
  const failure = (status: number, temporary = false): Error =>
    new OperationError({
      side: "destination",
      host: "hub",
      operation: "logging in",
      problem: "no",
      status,
      temporary,
    });

  async function known(options: Partial<DestinationToRead>) {
    const server = await world.start();
    const log = recordingLog();
    const destination = world.destination(server, options);
    const deletion = await knownDeletion(destination, log, never);
    return { ...deletion, name: destination.name, warnings: log.warnings };
  }

  test.each<[string, Partial<DestinationToRead>, string | undefined]>([
    ["nothing speaks against it", { whyNoDeletion: async () => undefined }, undefined],
    ["nobody can be asked", {}, undefined],
    ["the login lacks the right", { whyNoDeletion: async () => "It may only write." }, "It may only write."],
    ["the login is refused", { whyNoDeletion: () => Promise.reject(failure(401)) }, "logging in failed"],
    ["it is forbidden", { whyNoDeletion: () => Promise.reject(failure(403)) }, "logging in failed"],
    ["nobody answers for now", { whyNoDeletion: () => Promise.reject(failure(503, true)) }, undefined],
    ["the answer is nonsense", { whyNoDeletion: () => Promise.reject(failure(500)) }, undefined],
    ["there never was a way", { deletion: "unavailable", deletionUnavailable: "No way." }, "No way."],
  ])("%s", async (_what, options, reason) => {
    const { name, deletion, deletionUnavailable, warnings } = await known(options);
    expect(deletion).toBe(reason === undefined ? "by-tag" : "unavailable");
    if (reason === undefined) expect([deletionUnavailable, warnings]).toEqual([undefined, []]);
    else {
      expect(deletionUnavailable).toContain(reason);
      expect(warnings).toEqual([`Nothing will be pruned at ${name}. ${deletionUnavailable}`]);
    }
  });

  test("is not asked for where everything is kept, and nobody is warned", async () => {
    const whyNoDeletion = () => Promise.reject(new Error("asked"));
    expect((await known({ ...keepAll, whyNoDeletion })).warnings).toEqual([]);
    expect(
      (await known({ ...keepAll, deletion: "unavailable", deletionUnavailable: "No way." })).warnings,
    ).toEqual([]);
  });

  test("is given up when the run is cancelled", async () => {
    const server = await world.start();
    const cancelled = AbortSignal.abort(new Error("cancelled"));
    const destination = world.destination(server, {
      whyNoDeletion: () => Promise.reject(new Error("aborted")),
    });
    await expect(knownDeletion(destination, silentLog, cancelled)).rejects.toThrow("cancelled");
  });
});

describe("the tags of a destination", () => {
  test("are listed for each image where versions are pruned; repositories that do not exist have none", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.1");
    place(server, "harbor-core", "dev");
    const tags = await listTags(
      world.destination(server),
      { wanted: ["harbor-core", "valkey-photon"], old: [] },
      silentLog,
      never,
    );
    expect(tags).toEqual(new Map([["harbor-core", ["dev", "v2.15.1"]]]));
    expect([...asked(server)].sort()).toEqual([
      "GET goharbor/harbor-core/tags/list?n=1000",
      "GET goharbor/valkey-photon/tags/list?n=1000",
    ]);
  });

  const old = ["redis-photon", "clair-photon"];
  const all = { wanted: ["harbor-core"], old };

  test("are not asked for of old images that the vendor says are not there", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.1");
    place(server, "redis-photon", "v2.15.1");
    const there = new Set(["goharbor/redis-photon"]);
    const destination = world.destination(server, { repositoriesThere: () => Promise.resolve(there) });
    // The wanted image is not in that list, and is asked for all the same.
    expect([...(await listTags(destination, all, silentLog, never))]).toEqual([
      ["harbor-core", ["v2.15.1"]],
      ["redis-photon", ["v2.15.1"]],
    ]);
    expect(asked(server)).toHaveLength(2);
  });

  test.each<[string, DestinationToRead["repositoriesThere"]]>([
    ["has no such list", undefined],
    ["does not tell all", () => Promise.resolve(undefined)],
    [
      "refuses",
      () =>
        Promise.reject(
          new OperationError({ side: "destination", host: "api", operation: "listing", problem: "no" }),
        ),
    ],
  ])("are asked for of all images where the vendor %s", async (_case, repositoriesThere) => {
    const server = await world.start();
    place(server, "redis-photon", "v2.15.1");
    const destination = world.destination(server, { repositoriesThere });
    expect([...(await listTags(destination, all, silentLog, never)).keys()]).toEqual(["redis-photon"]);
    expect(asked(server)).toHaveLength(3);
  });

  test("of one old image are asked for at once", async () => {
    const server = await world.start();
    const repositoriesThere = () => Promise.reject(new Error("asked"));
    const destination = world.destination(server, { repositoriesThere });
    await listTags(destination, { wanted: ["harbor-core"], old: ["redis-photon"] }, silentLog, never);
    expect(asked(server)).toHaveLength(2);
  });

  test("are read to the last page", async () => {
    const server = await world.start({ pageSize: 2 });
    for (const patch of [0, 1, 2, 3, 4]) place(server, "harbor-core", `v2.15.${patch}`);
    const tags = await listTags(
      world.destination(server),
      { wanted: ["harbor-core"], old: [] },
      silentLog,
      never,
    );
    expect(tags.get("harbor-core")).toHaveLength(5);
  });

  test("are not asked for where all is kept", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.1");
    expect(
      await listTags(
        world.destination(server, keepAll),
        { wanted: ["harbor-core"], old: [] },
        silentLog,
        never,
      ),
    ).toEqual(new Map());
    expect(asked(server)).toEqual([]);
  });

  test("that cannot be listed are a failure, not an empty list", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.1");
    server.fault({ when: { path: /tags/ }, times: Number.POSITIVE_INFINITY, effect: { status: 500 } });
    await expect(
      listTags(world.destination(server), { wanted: ["harbor-core"], old: [] }, silentLog, never),
    ).rejects.toThrow(OperationError);
  });
});

describe("what a destination holds of a wanted image", () => {
  test("is asked by HEAD", async () => {
    const server = await world.start();
    const digest = place(server, "harbor-core", "v2.15.2");
    const stock = await stockOf(world.destination(server), await sourceImage("harbor-core:v2.15.2"));
    expect(stock.digests).toEqual(new Map([["harbor-core:v2.15.2", digest]]));
    expect(stock.failure).toBeUndefined();
    expect(asked(server)).toEqual(["HEAD goharbor/harbor-core/manifests/v2.15.2"]);
  });

  test("is not known where a policy lets nobody pull it: it is there all the same", async () => {
    const server = await world.start({ withheld: () => "The image is not signed by Cosign." });
    place(server, "harbor-core", "v2.15.2");
    const stock = await stockOf(world.destination(server), await sourceImage("harbor-core:v2.15.2"));
    expect(stock).toMatchObject({ failure: undefined, digests: new Map() });
    expect(stock.withheld).toEqual(new Set(["harbor-core:v2.15.2"]));
  });

  test("is nothing where the tag or the repository does not exist", async () => {
    const server = await world.start();
    const stock = await stockOf(world.destination(server), await sourceImage("x", true));
    expect(stock.digests).toEqual(new Map());
    expect(stock.withoutAttachments).toEqual(new Set());
  });

  test("goes into the snapshot with the destination's own name, place and rules", async () => {
    const server = await world.start();
    const destination = world.destination(server, {
      deletion: "unavailable",
      deletionUnavailable: "no key",
    });
    const stock = await stockOf(destination, await sourceImage("x"));
    expect(stock).toMatchObject({
      name: `${server.host}/goharbor`,
      registry: server.host,
      path: "goharbor",
      retention: { keep: 3, keepBy: "semver" },
      deletion: "unavailable",
      deletionUnavailable: "no key",
    });
  });

  test("lacks its signatures when one of them is not there", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2", "signed");
    const signed = await sourceImage("signed", true);
    expect(signed.attachments).toHaveLength(1);
    const before = await stockOf(world.destination(server), signed);
    expect(before.withoutAttachments).toEqual(new Set(["harbor-core:v2.15.2"]));

    pushTo(server, "goharbor/harbor-core", signatureOf(buildImage({ seed: "signed" })));
    const after = await stockOf(world.destination(server), signed);
    expect(after.withoutAttachments).toEqual(new Set());
    expect(asked(server).every((line) => line.startsWith("HEAD "))).toBe(true);
  });

  test("lacks them too when a signature's tag points to something else", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2", "signed");
    place(server, "harbor-core", "sha256-1.sig", "old signature");
    const image = await sourceImage("signed");
    const attachments = [{ digest: image.digest, tag: "sha256-1.sig" }];
    const stock = await stockOf(world.destination(server), { ...image, attachments });
    expect(stock.withoutAttachments).toEqual(new Set(["harbor-core:v2.15.2"]));
  });

  test("has them where the tag lists more than the source: what another added was merged", async () => {
    const image = buildImage({ seed: "signed", format: "oci" });
    const tag = image.digest.replace(":", "-");
    const [own, foreign] = ["own", "foreign"].map((seed) =>
      buildImage({ seed, format: "oci", subject: image, artifactType: "application/x.signature" }),
    );
    if (own === undefined || foreign === undefined) throw new Error("no signatures");
    const source = await world.start({ referrers: false });
    const repository = "goharbor/harbor-core";
    pushTo(source, repository, image, "v2.15.2");
    pushTo(source, repository, buildIndex([own]), tag);
    const options = { ...searching(world.source(source)), attachments: new AttachmentFinder(silentLog) };
    const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };
    const found = imageFor(await locate(core, [elsewhere], options, never), elsewhere);
    if (found === undefined) throw new Error("the image was not found");
    const lacking = async (server: RegistryServer) => {
      const images = new Map([[imageKey(core.to, core.toTag), found]]);
      const sourceOf = () => world.source(source).repository(repository);
      const atSources = { sourceOf, attachmentsOf: () => Promise.resolve(found.attachments) };
      const stock = await readDestination(world.destination(server), [core], images, atSources, never);
      return stock.withoutAttachments.size;
    };
    const server = await world.start({ referrers: false });
    pushTo(server, repository, image, "v2.15.2");
    pushTo(server, repository, buildIndex([foreign]), tag);
    expect(await lacking(server)).toBe(1);
    pushTo(server, repository, buildIndex([foreign, own]), tag);
    expect(await lacking(server)).toBe(0);
    // With the referrers API, there is no tag, and none is missed.
    const withApi = await world.start();
    pushTo(withApi, repository, image, "v2.15.2");
    expect(await lacking(withApi)).toBe(1);
    pushTo(withApi, repository, own);
    expect(await lacking(withApi)).toBe(0);
    // A tag that another has set there says nothing of what the API lists.
    pushTo(withApi, repository, buildIndex([foreign]), tag);
    expect(await lacking(withApi)).toBe(0);
  });

  test("is not asked for signatures when the image itself is another", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2", "another build");
    const stock = await stockOf(world.destination(server), await sourceImage("signed", true));
    expect(stock.withoutAttachments).toEqual(new Set());
    expect(asked(server)).toHaveLength(1);
  });
});

test("a destination that cannot be asked holds nothing that is known, and says why", async () => {
  const server = await world.start();
  const stock = failedSnapshot(world.destination(server), new Error("no route"));
  expect(stock).toMatchObject({ name: `${server.host}/goharbor`, failure: obstacle("no route") });
  expect([stock.digests.size, stock.tags.size, stock.images.size]).toEqual([0, 0, 0]);
});

describe("what all tags of a repository point to", () => {
  const universe = ["v2.15.2", "v2.15.1", "v2.14.4"].map((tag) => version(tag));
  const componentsOf = (tag: string) => [component("harbor-core", tag), component("harbor-db", tag)];

  /** A destination that keeps one version: of harbor-core an old one has to go, of harbor-db there is none. */
  async function heldAt(server: RegistryServer, options: Partial<DestinationToRead>) {
    place(server, "harbor-core", "v2.15.2");
    place(server, "harbor-db", "v2.15.2");
    place(server, "harbor-db", "dev");
    place(server, "harbor-core", "v2.14.4", "old");
    place(server, "harbor-core", "dev", "old");
    const retention = { keep: 1, keepBy: "semver" } as const;
    const destination = world.destination(server, { retention, ...options });
    const tags = await listTags(
      destination,
      { wanted: ["harbor-core", "harbor-db"], old: [] },
      silentLog,
      never,
    );
    const stock = {
      ...(await readDestination(
        destination,
        componentsOf("v2.15.2"),
        new Map(),
        { sourceOf: nothingIsAsked, attachmentsOf: nothingIsAsked },
        never,
      )),
      tags,
    };
    const snapshot: Snapshot = {
      repository: "goharbor/harbor",
      universe,
      wanted: universe
        .slice(0, 1)
        .map((one) => ({ version: one, components: componentsOf(one.tag), missing: [] })),
      components: new Map(universe.map(({ tag }) => [tag, componentsOf(tag)])),
      destinations: [stock],
      overwrite: true,
      pruneLimit: "all",
    };
    server.clearRequests();
    return withHeldDigests(snapshot, stock, destination, silentLog, never);
  }

  test("is asked where deletion may take a shared digest along, and only in repositories that lose a tag", async () => {
    const server = await world.start();
    const held = await heldAt(server, { deletion: "shared-digest-unsafe" });
    expect([...held.heldDigests.keys()].sort()).toEqual([
      "harbor-core:dev",
      "harbor-core:v2.14.4",
      "harbor-core:v2.15.2",
    ]);
    expect(held.heldDigests.get("harbor-core:dev")).toBe(held.heldDigests.get("harbor-core:v2.14.4"));
    expect([...asked(server)].sort()).toEqual([
      "HEAD goharbor/harbor-core/manifests/dev",
      "HEAD goharbor/harbor-core/manifests/v2.14.4",
      "HEAD goharbor/harbor-core/manifests/v2.15.2",
    ]);
  });

  test("is asked of the signatures of tags that go, and they are planned to go with them", async () => {
    const server = await world.start();
    const old = buildImage({ seed: "old" });
    const signature = buildImage({ seed: "signature" });
    const tags = [`${tagForm(old)}.sig`, `${tagForm(signature)}.sig`, `${tagForm(signature)}.other`];
    for (const tag of tags) pushTo(server, "goharbor/harbor-core", signature, tag);
    const held = await heldAt(server, { deletion: "by-tag" });
    expect([...asked(server)].sort()).toEqual(
      ["v2.14.4", ...tags.slice(0, 2)].map((tag) => `HEAD goharbor/harbor-core/manifests/${tag}`).sort(),
    );
    expect(held.heldDigests.size).toBe(3);
  });

  test.each(["by-tag", "last-tag-takes-manifest"] as const)(
    "is asked of the tags alone that go where deletion is %s",
    async (deletion) => {
      const server = await world.start();
      const held = await heldAt(server, { deletion });
      expect([...held.heldDigests.keys()]).toEqual(["harbor-core:v2.14.4"]);
      expect(asked(server)).toEqual(["HEAD goharbor/harbor-core/manifests/v2.14.4"]);
    },
  );

  test("is not asked where the registry turns out to delete nothing: then no deletion is planned", async () => {
    const server = await world.start();
    const tried: string[] = [];
    const held = await heldAt(server, {
      deletion: "shared-digest-unsafe",
      tryDeletion: async (_signal, repository) => {
        tried.push(repository);
        return {
          outcome: "missing",
          finding: "The registry does not delete manifests.",
          remedy: "Allow it.",
        };
      },
    });
    expect(held).toMatchObject({
      deletion: "unavailable",
      deletionUnavailable: "The registry does not delete manifests. Allow it.",
    });
    expect(tried).toEqual(["goharbor/harbor-core"]);
    expect(asked(server)).toEqual([]);
  });

  test.each([
    ["nothing can be deleted", { deletion: "unavailable" }],
    ["all is kept", { deletion: "shared-digest-unsafe", ...keepAll }],
  ] as const)("is not asked where %s", async (_why, options) => {
    const server = await world.start();
    const held = await heldAt(server, options);
    expect(held.heldDigests).toEqual(new Map());
    expect(asked(server)).toEqual([]);
  });
});
