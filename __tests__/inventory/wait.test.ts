import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RegistryServer } from "../../sandbox/registry.ts";
import type { Clock } from "../../src/clock.ts";
import { sentenceOf } from "../../src/errors.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import { isThere, whyMissing } from "../../src/inventory/sources.ts";
import { type Sighting, type WaitOptions, waitForImages } from "../../src/inventory/wait.ts";
import { silentLog } from "../../src/log/log.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import { asked, component, listeningLog, never, openWorld, place, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const minute = 60_000;
const core = component("harbor-core", "v2.15.2");
const valkey = component("valkey-photon", "v2.15.2");
const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };

/** A clock on which something happens after each sleep, given how many there were. */
function eventful(clock: FakeClock, afterSleep: (count: number) => void): Clock {
  return {
    ...clock,
    sleep: async (ms, signal) => {
      await clock.sleep(ms, signal);
      afterSleep(clock.slept.length);
    },
  };
}

function waiting(server: RegistryServer, wait: number, clock: Clock): WaitOptions {
  return { ...searching(world.source(server)), wait, clock };
}

function present(sighting: Sighting | undefined): boolean {
  return sighting !== undefined && "answers" in sighting && isThere(sighting);
}

test("images that are all there are not waited for", async () => {
  const server = await world.start();
  place(server, "harbor-core", "v2.15.2");
  place(server, "valkey-photon", "v2.15.2");
  const clock = fakeClock();
  const found = await waitForImages([core, valkey], [elsewhere], waiting(server, 60 * minute, clock), never);
  expect([present(found.get(core)), present(found.get(valkey))]).toEqual([true, true]);
  expect(clock.slept).toEqual([]);
  expect(asked(server)).toHaveLength(2);
});

describe("an image that is pushed after the release was published", () => {
  test("is found when it is there; only what is missing is looked for again, by HEAD", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2");
    const clock = fakeClock();
    const pushing = eventful(clock, (count) => {
      if (count === 3) place(server, "valkey-photon", "v2.15.2");
    });
    const found = await waitForImages(
      [core, valkey],
      [elsewhere],
      waiting(server, 60 * minute, pushing),
      never,
    );
    expect([present(found.get(core)), present(found.get(valkey))]).toEqual([true, true]);
    expect(clock.slept).toHaveLength(3);
    expect(asked(server).filter((line) => line.includes("harbor-core"))).toHaveLength(1);
    expect(asked(server).filter((line) => line.includes("valkey-photon"))).toHaveLength(4);
    expect(asked(server).every((line) => line.startsWith("HEAD "))).toBe(true);
  });

  test("may come to any source", async () => {
    const [first, second] = [await world.start(), await world.start()];
    const arriving = eventful(fakeClock(), () => place(second, "valkey-photon", "v2.15.2"));
    const options = {
      ...searching(world.source(first), world.source(second)),
      wait: minute,
      clock: arriving,
    };
    const found = await waitForImages([valkey], [elsewhere], options, never);
    expect(present(found.get(valkey))).toBe(true);
  });

  test("at the last moment is found: the last look is when the wait is over", async () => {
    const server = await world.start();
    const clock = fakeClock();
    const start = clock.now();
    const late = eventful(clock, () => {
      if (clock.now() - start === 10 * minute) place(server, "valkey-photon", "v2.15.2");
    });
    const found = await waitForImages([valkey], [elsewhere], waiting(server, 10 * minute, late), never);
    expect(present(found.get(valkey))).toBe(true);
  });
});

describe("when the wait is over", () => {
  test("what is missing is told, beside what was found", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2");
    const found = await waitForImages(
      [core, valkey],
      [elsewhere],
      waiting(server, 5 * minute, fakeClock()),
      never,
    );
    const sighting = found.get(valkey);
    expect(present(found.get(core))).toBe(true);
    expect(sighting !== undefined && "answers" in sighting && sentenceOf(whyMissing(sighting))).toBe(
      `the image is at no source (${server.host}/goharbor: not found): valkey-photon:v2.15.2`,
    );
  });

  test("exactly that time has passed, in pauses that double up to half a minute", async () => {
    const server = await world.start();
    const clock = fakeClock();
    await waitForImages([valkey], [elsewhere], waiting(server, 2 * minute, clock), never);
    expect(clock.slept).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("the log has said what was waited for", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2");
    const log = listeningLog();
    const options = { ...waiting(server, 1_000, fakeClock()), log };
    await waitForImages([core, valkey], [elsewhere], options, never);
    expect(log.lines).toEqual(["Waiting for 1 of 2 images, 1 min at most: valkey-photon:v2.15.2"]);
  });

  test("which is at once for a wait of 0: one look", async () => {
    const server = await world.start();
    const clock = fakeClock();
    const found = await waitForImages([valkey], [elsewhere], waiting(server, 0, clock), never);
    expect(present(found.get(valkey))).toBe(false);
    expect(clock.slept).toEqual([]);
    const path = "goharbor/valkey-photon/manifests/v2.15.2";
    // A HEAD that has shown nothing yet is not believed alone.
    expect(asked(server)).toEqual([`HEAD ${path}`, `GET ${path}`]);
  });
});

describe("a source in trouble", () => {
  test("for good: the failure is told, for the image that it concerns", async () => {
    const server = await world.start();
    place(server, "harbor-core", "v2.15.2");
    server.fault({ when: { path: /valkey/ }, times: Number.POSITIVE_INFINITY, effect: { status: 502 } });
    const found = await waitForImages(
      [core, valkey],
      [elsewhere],
      waiting(server, minute, fakeClock()),
      never,
    );
    expect(present(found.get(core))).toBe(true);
    const sighting = found.get(valkey);
    if (sighting === undefined || !("answers" in sighting)) throw new Error("an answer was expected");
    expect(sentenceOf(whyMissing(sighting))).toMatch(
      /source .*\/goharbor\/valkey-photon: looking up v2\.15\.2 .*502/,
    );
  });

  test.each([
    ["with the image", /manifests/],
    ["with its signatures", /referrers/],
    ["with its list of tags", /tags/],
  ])("%s, that ends during the wait, is forgotten", async (_what, path) => {
    const server = await world.start();
    place(server, "valkey-photon", "v2.15.2");
    server.fault({ when: { path }, times: Number.POSITIVE_INFINITY, effect: { status: 502 } });
    const mended = eventful(fakeClock(), () => server.clearFaults());
    const attachments = new AttachmentFinder(silentLog);
    const options = { ...waiting(server, minute, mended), attachments };
    const found = await waitForImages([valkey], [elsewhere], options, never);
    expect(present(found.get(valkey))).toBe(true);
  });
});

test("a cancelled job does not wait on", async () => {
  const server = await world.start();
  const cancelled = new AbortController();
  const clock = fakeClock();
  const cancelling = eventful(clock, () => cancelled.abort(new Error("the run was cancelled")));
  const options = waiting(server, 60 * minute, cancelling);
  await expect(waitForImages([valkey], [elsewhere], options, cancelled.signal)).rejects.toThrow(
    "the run was cancelled",
  );
  expect(clock.slept).toHaveLength(1);
});
