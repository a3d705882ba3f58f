import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { parsePlatforms } from "../../src/inputs/values.ts";
import { tellPlatforms } from "../../src/inventory/platforms.ts";
import { waitForImages } from "../../src/inventory/wait.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, place, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** What is said of these images where some platforms are wanted, and what the source was asked. */
async function told(platforms: string, images: Readonly<Record<string, readonly string[]>>) {
  const server = await world.start();
  for (const [name, of] of Object.entries(images)) {
    const children = of.map((platform) => buildImage({ seed: name, platform, format: "oci" }));
    if (children.length === 0) place(server, name, "v1.0.0");
    else pushTo(server, `goharbor/${name}`, buildIndex(children), "v1.0.0");
  }
  const wanted = parsePlatforms(platforms, (problem) => expect.fail(problem));
  const components = Object.keys(images).map((name) => component(name, "v1.0.0"));
  const log = recordingLog();
  const options = { ...searching(world.source(server)), platforms: wanted, clock: fakeClock(), wait: 0 };
  const sightings = await waitForImages(components, [], options, never);
  const requests = asked(server).length;
  tellPlatforms({ platforms: wanted, log }, sightings.values());
  return { ...log, requests, after: asked(server).length };
}

describe("a wanted platform", () => {
  test("that no index has is told once for all images, without a request", async () => {
    const both = ["linux/amd64", "linux/arm64"];
    const { warnings, infos, requests, after } = await told("linux/amd64,linux/s390x,linux/arm/v7", {
      app: both,
      tool: both,
      db: both,
    });
    expect(warnings).toEqual([
      'No index has a platform that the input "platforms" names: linux/s390x, linux/arm/v7',
    ]);
    expect(infos).toEqual([]);
    expect(requests).toBe(6);
    expect(after).toBe(requests);
  });

  test.each([
    [
      "one index has",
      "linux/amd64,linux/arm64",
      { app: ["linux/amd64"], tool: ["linux/amd64", "linux/arm64"] },
    ],
    ["an index has in a variant", "linux/arm", { app: ["linux/amd64", "linux/arm/v7"] }],
  ])("that %s is fine", async (_, platforms, images) => {
    expect(await told(platforms, images)).toMatchObject({ warnings: [], infos: [] });
  });

  test("is not missed where all platforms are wanted", async () => {
    expect(await told("all", { app: [], tool: ["linux/amd64"] })).toMatchObject({ warnings: [], infos: [] });
  });
});

test("images of one platform, of which nothing can be chosen, are told in one line that is no warning", async () => {
  const { warnings, infos, requests } = await told("linux/arm64", { app: [], tool: [], db: [] });
  expect(warnings).toEqual([]);
  expect(infos).toEqual([
    '"platforms" chooses from indexes only. Of one platform, and left as found: 3 images (app, tool, db)',
  ]);
  expect(requests).toBe(3);
});

test("beside an index, both are told", async () => {
  const { warnings, infos } = await told("linux/amd64,linux/s390x", { app: ["linux/amd64"], tool: [] });
  expect(warnings).toEqual(['No index has a platform that the input "platforms" names: linux/s390x']);
  expect(infos).toEqual([expect.stringContaining("left as found: 1 image (tool)")]);
});
