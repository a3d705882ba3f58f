import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { harborFiles, seedRelease } from "../../sandbox/harbor.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { InputError } from "../../src/errors.ts";
import { type Catalogue, createCatalogue } from "../../src/harbor/catalogue.ts";
import { everyHarborImage, harbor } from "../../src/harbor/harbor-components.ts";
import type { DestinationToRead } from "../../src/inventory/destinations.ts";
import { routesAtOnce, type SnapshotOptions, takeSnapshots } from "../../src/inventory/snapshot.ts";
import type { Source } from "../../src/inventory/sources.ts";
import { silentLog } from "../../src/log/log.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { virtualClock } from "../faults/virtual-clock.ts";
import { harborUniverse, imagesIn, stepsOf, versionsIn } from "../plan/snapshot-builder.ts";
import { version } from "../plan/versions.ts";
import { wordsOf } from "../support/failures.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, place, searching, type World } from "./harness.ts";
import { takeSnapshot } from "./take-snapshot.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** Bytes play no part here: images about as small as their shape allows. */
const scale = 0.02;

const harborCatalogue = createCatalogue(
  "auto",
  harbor,
  (path, tag) => Promise.resolve(harborFiles(path, tag)),
  silentLog,
);

function optionsFor(
  wanted: readonly string[],
  sources: readonly Source[],
  destinations: readonly DestinationToRead[],
  more: Partial<SnapshotOptions> = {},
): SnapshotOptions {
  return {
    repository: "goharbor/harbor",
    universe: harborUniverse,
    wanted: harborUniverse.filter(({ tag }) => wanted.includes(tag)).reverse(),
    catalogue: harborCatalogue,
    destinations,
    overwrite: true,
    pruneLimit: "all",
    proves: false,
    wait: { ...searching(...sources), wait: 60_000, clock: fakeClock() },
    signal: never,
    ...more,
  };
}

const keepAll = { retention: { keep: "all", keepBy: "semver" } } as const;

function writes(...servers: readonly RegistryServer[]): readonly string[] {
  return servers.flatMap(asked).filter((line) => !/^(GET|HEAD) /.test(line));
}

describe("a Harbor release, two destinations", () => {
  async function situation() {
    const [ghcr, hub, tcr] = [await world.start(), await world.start(), await world.start()];
    const digests = seedRelease(ghcr, "v2.15.2", { scale });
    for (const tag of ["v2.15.1", "v2.15.0", "v2.14.4"]) seedRelease(tcr, tag, { scale });
    place(tcr, "harbor-core", "dev");
    const destinations = [world.destination(hub, keepAll), world.destination(tcr)];
    const snapshot = await takeSnapshot(optionsFor(["v2.15.2"], [world.source(ghcr)], destinations));
    return { ghcr, hub, tcr, digests, snapshot };
  }

  test("the snapshot makes the plan: all copied to both, the fourth version pruned at the one that keeps three", async () => {
    const { hub, tcr, digests, snapshot } = await situation();
    const plan = makePlan(snapshot);
    for (const server of [hub, tcr]) {
      const copies = stepsOf(plan, "copy", `${server.host}/goharbor`);
      expect(new Map(copies.map(({ image, source }) => [image, source.digest]))).toEqual(digests);
    }
    expect(versionsIn(stepsOf(plan, "prune"))).toEqual(["v2.14.4"]);
    expect(stepsOf(plan, "prune")).toHaveLength(12);
    expect(imagesIn(stepsOf(plan, "prune"))).toContain("redis-photon:v2.14.4");
  });

  test("takes no more than a HEAD for each image at the source and at each destination, and for each tag that goes, and writes nothing", async () => {
    const { ghcr, hub, tcr, snapshot } = await situation();
    const oneHeadEach = [...asked(ghcr)].sort();
    expect(oneHeadEach).toHaveLength(12);
    expect(oneHeadEach.every((line) => /^HEAD goharbor\/[a-z-]+\/manifests\/v2\.15\.2$/.test(line))).toBe(
      true,
    );
    expect([...asked(hub)].sort()).toEqual(oneHeadEach);
    const going = stepsOf(makePlan(snapshot), "prune").map(
      ({ image, tag }) => `HEAD goharbor/${image}/manifests/${tag}`,
    );
    expect(going).not.toEqual([]);
    const atTcr = asked(tcr).filter((line) => line.startsWith("HEAD "));
    expect(atTcr.sort()).toEqual([...oneHeadEach, ...going].sort());
    expect(writes(ghcr, hub, tcr)).toEqual([]);
  });

  test("tags are listed only at the destination that prunes, for every image that a release ever had", async () => {
    const { ghcr, hub, tcr } = await situation();
    const lists = (server: RegistryServer) => asked(server).filter((line) => line.includes("/tags/list"));
    expect([lists(ghcr), lists(hub)]).toEqual([[], []]);
    expect(lists(tcr)).toHaveLength(everyHarborImage.length);
  });
});

test("an image that stays missing is named with its version, and the others are still asked for", async () => {
  const [ghcr, tcr] = [await world.start(), await world.start()];
  seedRelease(ghcr, "v2.15.2", { scale });
  ghcr.deleteTag("goharbor/valkey-photon", "v2.15.2");
  const snapshot = await takeSnapshot(
    optionsFor(["v2.15.2"], [world.source(ghcr)], [world.destination(tcr)]),
  );
  expect(snapshot.wanted[0]?.missing).toMatchObject([
    {
      component: { to: "valkey-photon" },
      failure: {
        problem: `the image is at no source (${ghcr.host}/goharbor: not found)`,
        subject: "valkey-photon:v2.15.2",
      },
    },
  ]);
  const plan = makePlan(snapshot);
  expect(plan.steps.map(({ kind }) => kind)).toEqual(Array(12).fill("fail"));
});

test("a destination that is down fails alone", async () => {
  const [ghcr, down, tcr] = [await world.start(), await world.start(), await world.start()];
  seedRelease(ghcr, "v2.15.2", { scale });
  down.fault({ when: {}, times: Number.POSITIVE_INFINITY, effect: { status: 503 } });
  const destinations = [world.destination(down), world.destination(tcr)];
  const snapshot = await takeSnapshot(optionsFor(["v2.15.2"], [world.source(ghcr)], destinations));
  expect(snapshot.destinations.map(({ failure }) => wordsOf(failure))).toEqual([
    expect.stringContaining(down.host),
    undefined,
  ]);
  const plan = makePlan(snapshot);
  expect(stepsOf(plan, "fail", `${down.host}/goharbor`)).toHaveLength(12);
  expect(stepsOf(plan, "copy", `${tcr.host}/goharbor`)).toHaveLength(12);
});

test("a destination that breaks down while digests are asked fails, instead of being pruned on half the knowledge", async () => {
  const [ghcr, broken] = [await world.start(), await world.start()];
  for (const tag of ["v2.15.2", "v2.15.1"]) seedRelease(ghcr, tag, { scale });
  for (const tag of ["v2.15.1", "v2.14.4"]) seedRelease(broken, tag, { scale });
  broken.fault({
    when: { path: /harbor-db\/manifests\/v2\.14\.4/ },
    times: Number.POSITIVE_INFINITY,
    effect: { status: 500 },
  });
  const destination = world.destination(broken, {
    retention: { keep: 1, keepBy: "semver" },
    deletion: "shared-digest-unsafe",
  });
  const snapshot = await takeSnapshot(optionsFor(["v2.15.2"], [world.source(ghcr)], [destination]));
  expect(wordsOf(snapshot.destinations[0]?.failure)).toMatch(
    /harbor-db: looking up v2\.14\.4 failed with status 500/,
  );
  expect(stepsOf(makePlan(snapshot), "prune")).toEqual([]);
});

test("a source that is one of the destinations: each is served by another place than itself", async () => {
  const [ghcr, hub, tcr] = [await world.start(), await world.start(), await world.start()];
  const images = ["harbor-core", "harbor-db"];
  seedRelease(ghcr, "v2.15.2", { scale, images: images.slice(0, 1) });
  seedRelease(hub, "v2.15.2", { scale, images });
  const destinations = [world.destination(hub, keepAll), world.destination(tcr, keepAll)];
  const catalogue = listing(images);
  const snapshot = await takeSnapshot(
    optionsFor(["v2.15.2"], [world.source(ghcr), world.source(hub)], destinations, { catalogue }),
  );
  const plan = makePlan(snapshot);
  expect(imagesIn(stepsOf(plan, "skip"))).toEqual(["harbor-core:v2.15.2", "harbor-db:v2.15.2"]);
  expect(
    stepsOf(plan, "copy").map(({ destination, image, source }) => [
      destination,
      image,
      source.source.registry,
    ]),
  ).toEqual([
    [`${tcr.host}/goharbor`, "harbor-core", ghcr.host],
    [`${tcr.host}/goharbor`, "harbor-db", hub.host],
  ]);
});

test("a tag that two wanted versions make gets the newer one's image, whichever was found first", async () => {
  const [ghcr, tcr] = [await world.start(), await world.start()];
  const digest = place(ghcr, "app", "v2.15.2");
  place(ghcr, "app", "v2.15.1");
  const rule = { from: "app", fromTag: "{{tag}}", to: "app", toTag: "{{major}}.{{minor}}" };
  const catalogue = createCatalogue([rule], harbor, () => Promise.resolve(undefined), silentLog);
  for (const slow of ["v2.15.1", "v2.15.2"]) {
    ghcr.fault({ when: { path: new RegExp(`/manifests/${slow}$`) }, effect: { status: 503 } });
    const options = optionsFor(
      ["v2.15.2", "v2.15.1"],
      [world.source(ghcr)],
      [world.destination(tcr, keepAll)],
      { catalogue },
    );
    const plan = makePlan(await takeSnapshot(options));
    expect(stepsOf(plan, "copy")).toMatchObject([{ version: "v2.15.2", tag: "2.15", source: { digest } }]);
  }
});

describe("the components of versions that are not wanted", () => {
  test("are read only where a destination has a tag of that name and the catalogue does not know them", async () => {
    const [ghcr, tcr] = [await world.start(), await world.start()];
    for (const [server, tag] of [
      [ghcr, "v3.0.2"],
      [tcr, "v3.0.1"],
    ] as const)
      place(server, "app", tag);
    const read: string[] = [];
    const universe = ["v3.0.2", "v3.0.1", "v3.0.0"].map((tag) => version(tag));
    const known = listing(["app"]);
    const catalogue: Catalogue = {
      ...known,
      known: () => undefined,
      read: (of) => {
        read.push(of.tag);
        return known.read(of);
      },
    };
    const snapshot = await takeSnapshot(
      optionsFor([], [world.source(ghcr)], [world.destination(tcr)], {
        universe,
        wanted: universe.slice(0, 1),
        catalogue,
      }),
    );
    expect(read).toEqual(["v3.0.2", "v3.0.1"]);
    expect([...snapshot.components.keys()]).toEqual(["v3.0.2", "v3.0.1"]);
  });
});

test("a catalogue that does not know a wanted version ends the run before any registry is asked", async () => {
  const [ghcr, tcr] = [await world.start(), await world.start()];
  const catalogue: Catalogue = {
    ...listing(["app"]),
    read: () => Promise.reject(new InputError("its images are not known")),
  };
  const options = optionsFor(["v2.15.2"], [world.source(ghcr)], [world.destination(tcr)], { catalogue });
  await expect(takeSnapshot(options)).rejects.toThrow(InputError);
  expect([...asked(ghcr), ...asked(tcr)]).toEqual([]);
});

test("a cancelled job takes no snapshot, not even one that says that destinations failed", async () => {
  const [ghcr, tcr] = [await world.start(), await world.start()];
  place(ghcr, "app", "v2.15.2");
  const cancelled = new AbortController();
  tcr.fault({ when: {}, effect: { run: () => cancelled.abort(new Error("the run was cancelled")) } });
  const options = optionsFor(["v2.15.2"], [world.source(ghcr)], [world.destination(tcr)], {
    catalogue: listing(["app"]),
    signal: cancelled.signal,
  });
  await expect(takeSnapshot(options)).rejects.toThrow("the run was cancelled");
});

/** A catalogue of images that every version has, under the version's tag. */
function listing(images: readonly string[]): Catalogue {
  const componentsOf: Catalogue["read"] = (of) =>
    Promise.resolve(images.map((image) => component(image, of.tag)));
  return { images, known: (of) => images.map((image) => component(image, of.tag)), read: componentsOf };
}

test("routes that all wait for images wait together, also those whose turn comes later", async () => {
  const [source, destination] = [await world.start(), await world.start()];
  const names = Array.from({ length: routesAtOnce + 2 }, (_, index) => `app-${index}`);
  place(source, names.at(-1) ?? "", "v2.15.2");
  const clock = virtualClock();
  const wait = { ...searching(world.source(source)), wait: 60_000, clock };
  const routes = names.map((name) =>
    optionsFor(["v2.15.2"], [], [world.destination(destination)], { catalogue: listing([name]), wait }),
  );
  const snapshots = await takeSnapshots(routes, silentLog, never);
  clock.stop();
  expect(clock.elapsed).toBe(60_000);
  const missing = snapshots.map(({ wanted }) => wanted[0]?.missing.length);
  expect(missing).toEqual(names.map((_, index) => (index === names.length - 1 ? 0 : 1)));
});

describe("a destination that does not list its tags", () => {
  test.each([401, 403, 405, 500, 501])(
    "(%i) gets the images, and nothing is pruned there",
    async (status) => {
      const source = await world.start();
      const destination = await world.start();
      place(source, "app", "v2.15.2");
      destination.fault({
        when: { path: /tags\/list/ },
        times: Number.POSITIVE_INFINITY,
        effect: { status },
      });
      const log = recordingLog();
      const catalogue: Catalogue = {
        images: ["app", "db"],
        read: () => Promise.resolve([component("app", "v2.15.2")]),
        known: () => [],
      };
      const wait = { ...searching(world.source(source)), log, wait: 0, clock: fakeClock() };
      const options = optionsFor(["v2.15.2"], [], [world.destination(destination)], { catalogue, wait });
      const snapshot = await takeSnapshot(options);
      expect(snapshot.destinations[0]).toMatchObject({ failure: undefined, deletion: "unavailable" });
      expect(makePlan(snapshot).steps.map(({ kind }) => kind)).toEqual(["copy", "keep"]);
      expect(log.warnings.join()).toContain("Its tags cannot be listed: destination");
      expect(new Set(asked(destination).filter((line) => line.includes("/tags/list"))).size).toBe(1);
    },
  );
});
