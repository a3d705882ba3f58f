import { afterEach, beforeEach, expect, test } from "vitest";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import type { Source } from "../../src/inventory/sources.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { stepsOf } from "../plan/snapshot-builder.ts";
import { version } from "../plan/versions.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type RecordingLog, recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, place, type World } from "./harness.ts";
import { takeSnapshot } from "./take-snapshot.ts";

const release = version("v1.0.0");
const images = ["app", "base", "web"];

let world: World;
let log: RecordingLog;
beforeEach(() => {
  world = openWorld();
  log = recordingLog();
});
afterEach(() => world[Symbol.asyncDispose]());

/** A source that grants a hundred pulls, and has this many left. */
function counting(remaining: number): Promise<RegistryServer> {
  return world.start({ rateLimitHeaders: { limit: 100, remaining } });
}

/** The plan for the release, and where it reads each image. */
async function planned(
  sources: readonly Source[],
  destinations: readonly RegistryServer[],
  components = images.map((image) => component(image, "v1.0.0")),
) {
  const snapshot = await takeSnapshot({
    repository: "o/n",
    universe: [release],
    wanted: [release],
    catalogue: { images, known: () => components, read: async () => components },
    destinations: destinations.map((server) =>
      world.destination(server, { retention: { keep: "all", keepBy: "semver" } }),
    ),
    overwrite: true,
    pruneLimit: "all",
    proves: false,
    wait: { sources, platforms: "all", attachments: undefined, log, clock: fakeClock(), wait: 0 },
    signal: never,
  });
  const plan = makePlan(snapshot);
  return stepsOf(plan, "copy").map(({ image, destination, source }) => ({
    image,
    destination,
    from: source.source.registry,
    repository: source.repository,
  }));
}

function hostsOf(copies: readonly { readonly image: string; readonly from: string }[]): readonly string[] {
  return copies.map(({ image, from }) => `${image} from ${from}`);
}

test("pulls that suffice: read where the image was found first, and nobody else is asked", async () => {
  const [hub, other, target] = [await counting(3), await world.start(), await world.start()];
  for (const image of images) for (const server of [hub, other]) place(server, image, "v1.0.0");
  const copies = await planned([world.source(hub), world.source(other)], [target]);
  expect(hostsOf(copies)).toEqual(images.map((image) => `${image} from ${hub.host}`));
  expect(asked(other)).toEqual([]);
  expect(log.warnings).toEqual([]);
});

test("too few pulls: what another source has byte for byte is read there, and only HEAD is sent", async () => {
  const [hub, other, target] = [await counting(2), await world.start(), await world.start()];
  for (const image of images) for (const server of [hub, other]) place(server, image, "v1.0.0");
  const copies = await planned(
    [world.source(hub), world.source(other, "mirror"), world.source(other)],
    [target],
  );
  expect(hostsOf(copies)).toEqual(images.map((image) => `${image} from ${other.host}`));
  expect(copies[0]?.repository).toBe("goharbor/app");
  expect([...asked(hub), ...asked(other)].filter((line) => !line.startsWith("HEAD "))).toEqual([]);
  expect(hub.pullsRemaining).toBe(2);
  expect(log.warnings).toEqual([]);
  expect(log.infos).toEqual([
    `The plan needs 3 pulls at ${hub.host}, which grants 100 and has 2 left. Images read from another source instead: 3.`,
  ]);
});

test("another image under the same name is not taken; what is still too much is said before anything starts", async () => {
  const [hub, other, target] = [await counting(1), await world.start(), await world.start()];
  for (const image of images) place(hub, image, "v1.0.0");
  place(other, "app", "v1.0.0");
  place(other, "base", "v1.0.0", "something else");
  const copies = await planned([world.source(hub), world.source(other)], [target]);
  expect(hostsOf(copies)).toEqual([
    `app from ${other.host}`,
    `base from ${hub.host}`,
    `web from ${hub.host}`,
  ]);
  expect(log.warnings).toHaveLength(1);
  expect(log.warnings[0]).toContain(
    `The plan needs 2 pulls at ${hub.host}, which grants 100 and has 1 left. Images read from another source: 1.`,
  );
  expect(log.warnings[0]).toMatch(/passes within 6 hours: log in .*or put another source first/);
});

test("no other source: said, with the platforms of an index counted at least", async () => {
  const [hub, target] = [await counting(0), await world.start()];
  for (const image of images) place(hub, image, "v1.0.0");
  const platforms = [buildImage({ seed: "amd64" }), buildImage({ seed: "arm64" })];
  pushTo(hub, "goharbor/app", buildIndex(platforms), "v1.0.0");
  await planned([world.source(hub)], [target]);
  expect(log.warnings[0]).toContain(`The plan needs at least 4 pulls at ${hub.host}`);
});

test("a destination does not become the source of its own images, and may be that of others", async () => {
  const [hub, other, target] = [await counting(0), await world.start(), await world.start()];
  for (const server of [hub, other]) place(server, "app", "v1.0.0");
  const renamed = { ...component("app", "v1.0.0"), to: "renamed" };
  const copies = await planned([world.source(hub), world.source(other)], [other, target], [renamed]);
  expect(copies.map(({ destination, from }) => `${destination} from ${from}`)).toEqual([
    `${other.host}/goharbor from ${hub.host}`,
    `${target.host}/goharbor from ${other.host}`,
  ]);
});

test("a source in trouble is no help, and no harm", async () => {
  const [hub, other, target] = [await counting(0), await world.start(), await world.start()];
  for (const image of images) place(hub, image, "v1.0.0");
  other.fault({ when: { path: /manifests/ }, times: Infinity, effect: { status: 403, body: "" } });
  const copies = await planned([world.source(hub), world.source(other)], [target]);
  expect(hostsOf(copies)).toEqual(images.map((image) => `${image} from ${hub.host}`));
  expect(log.warnings).toHaveLength(1);
});
