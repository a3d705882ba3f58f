import { describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { describeMainCases } from "./cases.ts";
import { imageOfArchives } from "./image-of-archives.ts";
import { behindBodyLimit, otherJudges, realRegistries, startRealWorld } from "./real-registries.ts";
import { describeRegistryCases } from "./registry-cases.ts";
import { act } from "./world.ts";

const byHand = { name: "workflow_dispatch", payload: { inputs: { version: "v2.15.2" } } };

const absentJudges = Object.entries(otherJudges).filter(([program]) => !isInstalled(program));
if (absentJudges.length > 0) {
  describe("judges beside skopeo", () => {
    for (const [program, installation] of absentJudges) skipWithout(program, installation);
  });
}

for (const registry of realRegistries) {
  const title = `the built Action, with ${registry.name}`;
  const missing = Object.entries(registry.programs).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) {
    describeMainCases(title, () => startRealWorld(registry));
    describeRegistryCases(title, () => startRealWorld(registry));
    it.skipIf(absentJudges.length > 0)(
      `${title} brings an image that crane finds whole, byte by byte`,
      async () => {
        await using world = await startRealWorld(registry);
        await world.source.seed((target) => pushTo(target, "goharbor/app", imageOfArchives(), "v2.15.2"));
        const { exitCode } = await act(world, { event: byHand, inputs: { images: "app" } });
        expect(exitCode).toBe(0);
        for (const place of [world.near, world.far])
          expect(await place.validate("goharbor/app", "v2.15.2")).toEqual([]);
      },
    );
  } else {
    describe(title, () => {
      for (const [program, installation] of missing) skipWithout(program, installation);
    });
  }
}

describe(`the built Action, with ${behindBodyLimit.name}`, () => {
  const missing = Object.entries(behindBodyLimit.programs).filter(([program]) => !isInstalled(program));
  for (const [program, installation] of missing) skipWithout(program, installation);

  it.skipIf(missing.length > 0)("brings layers that are larger than the limit, in parts", async () => {
    await using world = await startRealWorld(behindBodyLimit);
    const layers = [
      { seed: "large", size: 9_000_000 },
      { seed: "larger", size: 12_000_000 },
    ];
    await world.source.seed((target) =>
      pushTo(target, "goharbor/app", buildImage({ seed: "app", layers }), "v2.15.2"),
    );
    const { exitCode, outputs } = await act(world, { event: byHand, inputs: { images: "app" } });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ failed: "0", copied: "2" });
    for (const place of [world.near, world.far])
      expect(await place.problems("goharbor/app", "v2.15.2")).toEqual([]);
  });
});
