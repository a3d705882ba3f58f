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

it("with attestations=false they are left out of indexes in an index, and the next run finds that in place", async () => {
  const { world, registry, platforms, run } = await startWorld();
  const inner = platforms.map((platform) => buildIndex([platform, buildAttestation(platform)]));
  await world.source.seed((target) => pushTo(target, "goharbor/app", buildIndex(inner), "v2.15.2"));
  const first = await run(",attestations=false");
  expect(first.exitCode).toBe(0);
  expect(registry.completeness("goharbor/app", "v2.15.2")).toEqual([]);
  const documentAt = (digest: string) =>
    JSON.parse(registry.manifest("goharbor/app", digest)?.bytes.toString() ?? "{}") as {
      manifests: { digest: string }[];
    };
  const { manifests } = documentAt(registry.tags("goharbor/app").get("v2.15.2") ?? "");
  expect(manifests.map(({ digest }) => documentAt(digest).manifests.map((child) => child.digest))).toEqual(
    platforms.map(({ digest }) => [digest]),
  );
  const again = await run(",attestations=false");
  expect(again.outputs).toMatchObject({ copied: "0", skipped: "2" });
});

it("a registry that refuses SBOMs gets the images without them, and is asked once in each run", async () => {
  const world = await startSandboxWorld();
  open.push(world);
  const registry = await startRegistry();
  open.push(registry);
  const names = ["app", "db"];
  const images = names.map((seed) => buildImage({ seed, format: "oci" }));
  const sboms = images.map((subject, index) =>
    buildImage({ seed: `sbom ${index}`, format: "oci", subject, artifactType: "text/spdx+json" }),
  );
  await world.source.seed((target) => {
    for (const [index, name] of names.entries()) {
      const [image, sbom] = [images[index] ?? expect.fail(), sboms[index] ?? expect.fail()];
      pushTo(target, `goharbor/${name}`, image, "v2.15.2");
      pushTo(target, `goharbor/${name}`, sbom);
      pushTo(target, `goharbor/${name}`, buildIndex([sbom]), image.digest.replace(":", "-"));
    }
  });
  const errors = [{ code: "DENIED", message: "unknown manifest class" }];
  registry.fault({
    when: { method: "PUT", path: new RegExp(sboms.map(({ digest }) => digest).join("|")) },
    times: Number.POSITIVE_INFINITY,
    effect: { status: 403, body: JSON.stringify({ errors }) },
  });
  const inputs = {
    images: names.join("\n"),
    destinations: `${registry.host}/goharbor,keep=all`,
    verify: "full",
  };
  for (const counts of [
    { copied: "2", skipped: "0" },
    { copied: "0", skipped: "2" },
  ]) {
    const before = registry.requests.length;
    const { exitCode, log, outputs } = await act(world, { event, inputs });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ ...counts, failed: "0", versions: '["v2.15.2"]' });
    expect(log.match(/::warning::/g)).toHaveLength(1);
    expect(log).toMatch(
      /::warning::2 images \(app:v2\.15\.2, db:v2\.15\.2\) at .*: writing the referrer failed with status 403 DENIED: unknown manifest class.*referrers: false/,
    );
    const puts = registry.requests.slice(before).filter(({ method }) => method === "PUT");
    const refused = puts.filter(({ path }) => sboms.some(({ digest }) => path.endsWith(digest)));
    expect(refused).toHaveLength(1);
    for (const [index, name] of names.entries())
      expect(registry.tags(`goharbor/${name}`).get("v2.15.2")).toBe(images[index]?.digest);
  }
  const audit = await act(world, { event, inputs: { ...inputs, "dry-run": "true" } });
  expect(audit.exitCode).toBe(1);
  expect(audit.log).toContain("says why the registry refuses them");
});
