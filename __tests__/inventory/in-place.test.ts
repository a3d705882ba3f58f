import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { listedCatalogue } from "../../src/harbor/catalogue.ts";
import type { DestinationToRead } from "../../src/inventory/destinations.ts";
import { type SnapshotOptions, takeSnapshots } from "../../src/inventory/snapshot.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { harborUniverse, imagesIn, stepsOf } from "../plan/snapshot-builder.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { asked, never, openWorld, place, searching, type World } from "./harness.ts";

/** A version that is in place at its destinations, and of which no source has everything. */

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const tag = "v2.15.2";
const rule = (image: string) => ({ from: image, fromTag: "{{tag}}", to: image, toTag: "{{tag}}" });
const catalogue = listedCatalogue(["core", "db"].map(rule));

/** A snapshot with ten minutes to wait, and how long it waited. */
async function look(
  source: RegistryServer,
  destinations: readonly DestinationToRead[],
  more: Partial<SnapshotOptions> = {},
  platforms: "all" | readonly { os: string; architecture: string; variant: undefined }[] = "all",
) {
  const clock = fakeClock();
  const wanted = harborUniverse.filter((version) => version.tag === tag);
  const route = { repository: "goharbor/harbor", universe: harborUniverse, wanted, catalogue };
  const request = {
    ...route,
    destinations,
    overwrite: true,
    pruneLimit: "all",
    proves: false,
    wait: { ...searching(world.source(source)), platforms, wait: 600_000, clock },
    signal: never,
    ...more,
  } as const;
  const [snapshot] = await takeSnapshots([request], request.wait.log, never);
  if (snapshot === undefined) throw new Error("no snapshot");
  return { plan: makePlan(snapshot), waited: clock.slept.length > 0 };
}

function fill(server: RegistryServer, ...images: readonly string[]): void {
  for (const image of images) place(server, image, tag);
}

const keepAll = { retention: { keep: "all", keepBy: "semver" } } as const;
const down = { when: { path: /\/manifests\// }, times: Number.POSITIVE_INFINITY } as const;

describe("is not waited for", () => {
  test.each([401, 403, 404, 503])("where its source answers %j", async (status) => {
    const [source, hub, tcr] = [await world.start(), await world.start(), await world.start()];
    for (const server of [hub, tcr]) fill(server, "core", "db");
    source.fault({ ...down, effect: { status } });
    const destinations = [world.destination(hub, keepAll), world.destination(tcr)];
    const { plan, waited } = await look(source, destinations);
    expect(waited).toBe(false);
    expect(stepsOf(plan, "skip").map(({ reason }) => reason.slice(0, 55))).toEqual(
      Array(4).fill("in place and not compared, as the image is at no source"),
    );
    expect(stepsOf(plan, "skip").every(({ digest }) => digest !== undefined)).toBe(true);
    expect(stepsOf(plan, "fail")).toEqual([]);
  });

  test("where one image is gone, and the others are the same", async () => {
    const [source, tcr] = [await world.start(), await world.start()];
    fill(source, "core");
    fill(tcr, "core", "db");
    const { plan, waited } = await look(source, [world.destination(tcr)]);
    expect(waited).toBe(false);
    expect(stepsOf(plan, "skip").map(({ image, warning }) => [image, warning !== undefined])).toEqual([
      ["core", false],
      ["db", true],
    ]);
  });
});

describe("is waited for", () => {
  test("where it is still to come, which costs one HEAD more at each destination, once", async () => {
    const [source, tcr] = [await world.start(), await world.start()];
    const { plan, waited } = await look(source, [world.destination(tcr, keepAll)]);
    expect(waited).toBe(true);
    expect([...asked(tcr)].sort()).toEqual([
      `HEAD goharbor/core/manifests/${tag}`,
      `HEAD goharbor/core/manifests/${tag}`,
      `HEAD goharbor/db/manifests/${tag}`,
    ]);
    expect(stepsOf(plan, "fail")).toHaveLength(2);
  });

  test("where one of two destinations lacks it; it stays at the other, and fails there alone", async () => {
    const [source, hub, tcr] = [await world.start(), await world.start(), await world.start()];
    fill(hub, "core", "db");
    fill(tcr, "core");
    const destinations = [world.destination(hub, keepAll), world.destination(tcr, keepAll)];
    const { plan, waited } = await look(source, destinations);
    expect(waited).toBe(true);
    expect(stepsOf(plan, "skip", `${hub.host}/goharbor`)).toHaveLength(2);
    expect(stepsOf(plan, "fail", `${tcr.host}/goharbor`)).toHaveLength(2);
  });

  test("where another image is another than at the source: what is missing may be on its way", async () => {
    const [source, tcr] = [await world.start(), await world.start()];
    place(source, "core", tag, "new");
    fill(tcr, "core", "db");
    const { plan, waited } = await look(source, [world.destination(tcr)]);
    expect(waited).toBe(true);
    expect(stepsOf(plan, "fail")).toHaveLength(2);
  });

  test("where a destination does not answer", async () => {
    const [source, hub, tcr] = [await world.start(), await world.start(), await world.start()];
    fill(hub, "core", "db");
    tcr.fault({ ...down, effect: { status: 503 } });
    const destinations = [world.destination(hub, keepAll), world.destination(tcr, keepAll)];
    const { plan, waited } = await look(source, destinations);
    expect(waited).toBe(true);
    expect(stepsOf(plan, "skip", `${hub.host}/goharbor`)).toHaveLength(2);
    expect(stepsOf(plan, "fail", `${tcr.host}/goharbor`)).toHaveLength(2);
  });
});

test.each([
  [503, ["in place and not compared, as no source other than this destination has it: source"]],
  [404, ["it is in place; no other source has it"]],
  [403, ["it is in place; no other source has it"]],
])("at a destination that is a source itself, where the other source answers %j", async (status, reasons) => {
  const [other, hub, tcr] = [await world.start(), await world.start(), await world.start()];
  for (const server of [hub, tcr]) fill(server, "core", "db");
  other.fault({ ...down, effect: { status } });
  const sources = searching(world.source(other), world.source(hub));
  const destinations = [world.destination(hub), world.destination(tcr, keepAll)];
  const wait = { ...sources, wait: 600_000, clock: fakeClock() };
  const { plan } = await look(other, destinations, { wait });
  const skips = (server: RegistryServer) => stepsOf(plan, "skip", `${server.host}/goharbor`);
  expect(skips(hub)).toHaveLength(2);
  expect(skips(hub).every(({ digest }) => digest !== undefined)).toBe(true);
  expect([...new Set(skips(hub).map(({ reason }) => reason.replace(/: source .*/, ": source")))]).toEqual(
    reasons,
  );
  expect(skips(tcr).map(({ reason }) => reason)).toEqual(Array(2).fill("it is in place"));
});

test("nothing is asked at a destination in a run that does not wait", async () => {
  const [source, tcr] = [await world.start(), await world.start()];
  fill(tcr, "core", "db");
  const wait = { ...searching(world.source(source)), wait: 0, clock: fakeClock() };
  const { plan } = await look(source, [world.destination(tcr, keepAll)], { wait });
  expect(asked(tcr)).toHaveLength(2);
  expect(stepsOf(plan, "skip")).toHaveLength(2);
});

test("platforms that leave nothing of an image are a mistake, and no reason to let it be", async () => {
  const [source, tcr] = [await world.start(), await world.start()];
  for (const server of [source, tcr]) {
    const child = buildImage({ seed: "core", platform: "linux/amd64" });
    pushTo(server, "goharbor/core", buildIndex([child]), tag);
    fill(server, "db");
  }
  const platforms = [{ os: "linux", architecture: "s390x", variant: undefined }];
  const { plan } = await look(source, [world.destination(tcr, keepAll)], {}, platforms);
  expect(stepsOf(plan, "fail").map(({ image }) => image)).toEqual(["core", "db"]);
  expect(JSON.stringify(plan)).toContain("none of its platforms is wanted");
});

test("what is at no source is proven to be whole by itself, where everything is to be proven", async () => {
  const [source, tcr] = [await world.start(), await world.start()];
  const image = buildImage({ seed: "core" });
  pushTo(tcr, "goharbor/core", image, tag);
  fill(tcr, "db");
  tcr.loseBlob("goharbor/core", image.layers[0]?.digest ?? "");
  const { plan } = await look(source, [world.destination(tcr, keepAll)], { proves: true });
  expect(imagesIn(stepsOf(plan, "fail"))).toEqual([`core:${tag}`]);
  expect(stepsOf(plan, "fail")[0]?.reason).toContain(
    `its tag is there, but it lacks ${image.layers[0]?.digest}, and no source has it`,
  );
});
