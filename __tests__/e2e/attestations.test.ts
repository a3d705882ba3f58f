import { afterEach, expect, it } from "vitest";
import { buildAttestation, buildImage, buildIndex, mediaTypes, pushTo } from "../../sandbox/images.ts";
import { startRegistry } from "../../sandbox/registry.ts";
import { act, startSandboxWorld } from "./world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const event = { name: "workflow_dispatch", payload: { inputs: { version: "v2.15.2" } } };

/** A source with an image that BuildKit has attested, Docker Hub, and a registry that refuses attestations as Alibaba's does. */
async function startWorld() {
  const world = await startSandboxWorld();
  open.push(world);
  const registry = await startRegistry({ unknownConfigs: [mediaTypes.ociEmpty] });
  open.push(registry);
  const platforms = ["linux/amd64", "linux/arm64"].map((platform) =>
    buildImage({ seed: platform, platform, format: "oci" }),
  );
  const index = buildIndex([...platforms, ...platforms.map(buildAttestation)]);
  await world.source.seed((target) => pushTo(target, "goharbor/app", index, "v2.15.2"));
  const run = (attributes: string) =>
    act(world, {
      event,
      inputs: {
        images: "app",
        destinations: `${world.near.line}\n${registry.host}/goharbor,keep=all${attributes}`,
      },
    });
  return { world, registry, index, platforms, run };
}

it("a registry that refuses attestations is named, with what to do; no tag is set there", async () => {
  const { world, registry, index, run } = await startWorld();
  const { exitCode, log, outputs } = await run("");
  expect(exitCode).toBe(1);
  expect(outputs).toMatchObject({ copied: "1", failed: "1" });
  expect(log).toMatch(
    /writing the attestation manifest sha256:\w+ failed with status 403 DENIED: unknown manifest class/,
  );
  expect(log).toContain("`attestations=false` on the line of this destination");
  expect(registry.tags("goharbor/app").size).toBe(0);
  expect((await world.near.state())["goharbor/app"]).toEqual({ "v2.15.2": index.digest });
});

it("with attestations=false it gets an index of another digest without them, which the next run finds in place", async () => {
  const { world, registry, index, platforms, run } = await startWorld();
  const first = await run(",attestations=false");
  expect(first.exitCode).toBe(0);
  const digest = registry.tags("goharbor/app").get("v2.15.2") ?? "";
  expect(digest).not.toBe(index.digest);
  expect(JSON.parse(registry.manifest("goharbor/app", digest)?.bytes.toString() ?? "")).toEqual({
    ...JSON.parse(index.bytes.toString()),
    manifests: JSON.parse(index.bytes.toString()).manifests.slice(0, platforms.length),
  });
  expect(registry.completeness("goharbor/app", "v2.15.2")).toEqual([]);
  expect((await world.near.state())["goharbor/app"]).toEqual({ "v2.15.2": index.digest });
  const images = JSON.parse(first.outputs.images ?? "[]") as { destination: string; digest: string }[];
  expect(images.find(({ destination }) => destination.startsWith(registry.host))?.digest).toBe(digest);
  expect(first.log).toContain(`${index.digest}: without attestations it becomes ${digest}`);
  const writes = registry.requests.filter(({ method }) => !["GET", "HEAD"].includes(method)).length;
  const again = await run(",attestations=false");
  expect(again.exitCode).toBe(0);
  expect(again.outputs).toMatchObject({ copied: "0", skipped: "2" });
  expect(registry.requests.filter(({ method }) => !["GET", "HEAD"].includes(method))).toHaveLength(writes);
});
