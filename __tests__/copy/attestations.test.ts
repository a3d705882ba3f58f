import { describe, expect, it } from "vitest";
import { buildAttestation, buildImage, buildIndex, mediaTypes } from "../../sandbox/images.ts";
import { parseManifest, withoutAttestations } from "../../src/oci/manifest.ts";
import { wordsOf } from "../support/failures.ts";
import { requestsTo, startWorld } from "./harness.ts";

const forEver = Number.POSITIVE_INFINITY;
const platforms = ["linux/amd64", "linux/arm64"].map((platform) =>
  buildImage({ seed: platform, platform, format: "oci" }),
);
const index = buildIndex([...platforms, ...platforms.map(buildAttestation)]);

describe("a registry that takes no attestations of BuildKit", () => {
  const unknownConfigs = [mediaTypes.ociEmpty];

  it("is told of with what it refused, in its words, and with what leaves them out", async () => {
    await using world = await startWorld({ destinations: [{ unknownConfigs }] });
    const image = world.place("app", index);
    const { outcomes } = await world.run(world.stepsFor(image));
    const words = wordsOf(outcomes[0]?.failure);
    expect(words).toMatch(/: writing the attestation manifest sha256:\w+ failed with status 403 DENIED/);
    expect(words).toContain(`unknown manifest class for ${mediaTypes.ociEmpty}`);
    expect(words).toContain("`attestations=false` on the line of this destination");
    expect(world.destinations[0]?.tags("mirror/app").size).toBe(0);
  });

  it("gets the image without them, and another destination the whole of it, each manifest read once", async () => {
    await using world = await startWorld({ destinations: [{}, { unknownConfigs }] });
    const [whole, bare] = world.destinations;
    if (whole === undefined || bare === undefined) throw new Error("no destinations");
    const image = world.place("app", index);
    const rewritten = withoutAttestations(parseManifest(index.bytes, index.mediaType, undefined));
    const part = { ...image, digest: rewritten.digest, rewritten };
    const steps = [...world.stepsFor(image, { to: [whole] }), ...world.stepsFor(part, { to: [bare] })];
    const { outcomes } = await world.run(steps);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(whole.tags("mirror/app").get("v1.0.0")).toBe(index.digest);
    expect(bare.tags("mirror/app").get("v1.0.0")).toBe(rewritten.digest);
    for (const destination of world.destinations)
      expect(destination.completeness("mirror/app", "v1.0.0")).toEqual([]);
    expect(requestsTo(world.source, "GET", /manifests/)).toBe(5);
  });
});

it("a registry that refuses the index which lists them is told of with the same advice", async () => {
  await using world = await startWorld({ destinations: [{}] });
  const image = world.place("app", index);
  world.destinations[0]?.fault({
    when: { method: "PUT", path: new RegExp(`manifests/${index.digest}`) },
    times: forEver,
    effect: { status: 400 },
  });
  const { outcomes } = await world.run(world.stepsFor(image));
  expect(wordsOf(outcomes[0]?.failure)).toMatch(/writing the manifest .*`attestations=false`/);
});

it("a registry that takes no manifest at all is not told of as one that takes no attestations", async () => {
  await using world = await startWorld({ destinations: [{}] });
  const image = world.place("app", index);
  const effect = { status: 403 };
  world.destinations[0]?.fault({ when: { method: "PUT", path: /manifests/ }, times: forEver, effect });
  const { outcomes } = await world.run(world.stepsFor(image));
  const words = wordsOf(outcomes[0]?.failure);
  expect(words).toContain("writing the manifest");
  expect(words).not.toContain("attestations=false");
});
