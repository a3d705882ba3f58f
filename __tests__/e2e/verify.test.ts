import { describe, expect, it } from "vitest";
import { componentsOf, harborImage } from "../../sandbox/harbor.ts";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { act, scale, startSandboxWorld, tagsOf, version } from "./world.ts";

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

const core = harborImage("harbor-core", "v2.15.2", { scale });
const layer = core.layers[0]?.digest ?? "";

/** Loses a layer of harbor-core at TCR. */
function loseLayer({ sandbox }: SandboxWorld): void {
  expect(sandbox.tcr.registry.loseBlob("goharbor/harbor-core", layer)).toBe(true);
}

/** Everything in place at both destinations. */
async function startMirrored(): Promise<SandboxWorld> {
  const world = await startSandboxWorld();
  for (const place of [world.source, world.near, world.far]) await place.seed(version("v2.15.2"));
  return world;
}

function writesAt({ sandbox }: SandboxWorld): readonly string[] {
  return [sandbox.tcr.registry, sandbox.dockerHub.registry].flatMap(({ requests }) =>
    requests.filter(({ method }) => method !== "GET" && method !== "HEAD").map(({ path }) => path),
  );
}

describe("a blob that a destination has lost, below a right tag", () => {
  it("is not looked for by default: a run with nothing to do reads no manifest there", async () => {
    await using world = await startMirrored();
    loseLayer(world);
    const { exitCode, outputs } = await act(world);
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "0", skipped: "24" });
    const read = world.sandbox.tcr.registry.requests.filter(
      ({ method, path }) => method === "GET" && /\/(manifests|blobs)\//.test(path),
    );
    expect(read).toEqual([]);
  });

  it("is brought back with verify: full, and nothing else is sent", async () => {
    await using world = await startMirrored();
    loseLayer(world);
    const { exitCode, outputs, log } = await act(world, { inputs: { verify: "full" } });
    expect(exitCode).toBe(0);
    expect(log).toContain(`its tag is right, but it lacks ${layer}`);
    expect(outputs).toMatchObject({ copied: "1", skipped: "23", failed: "0" });
    expect(await world.far.problems("goharbor/harbor-core", "v2.15.2")).toEqual([]);
    const uploads = writesAt(world).filter((path) => path.includes("/blobs/uploads/"));
    expect(uploads.every((path) => path.startsWith("/v2/goharbor/harbor-core/"))).toBe(true);
  });

  it("is brought back by a run that deletes, before it deletes", async () => {
    await using world = await startMirrored();
    for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
    loseLayer(world);
    const { exitCode, outputs } = await act(world);
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "12", failed: "0" });
    expect(await world.far.problems("goharbor/harbor-core", "v2.15.2")).toEqual([]);
  });

  it("is told by an audit, which fails, writes nothing and lets go on what is right", async () => {
    await using world = await startMirrored();
    loseLayer(world);
    await world.near.seed((target) =>
      pushTo(target, "goharbor/harbor-db", buildImage({ seed: "moved" }), "v2.15.2"),
    );
    const { exitCode, outputs, log } = await act(world, {
      inputs: { verify: "full", "dry-run": "true" },
    });
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ failed: "2" });
    expect(log).toContain(`its tag is right, but it lacks ${layer}`);
    expect(log).toContain("the tag holds another digest than the source");
    expect(writesAt(world)).toEqual([]);
  });

  it("makes no failure of a version without any tag there in an audit", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    await world.near.seed(version("v2.15.2"));
    const { exitCode, log } = await act(world, { inputs: { verify: "full", "dry-run": "true" } });
    expect(exitCode).toBe(0);
    expect(log).toContain("it is not there yet");
    expect(tagsOf(await world.far.state(), "harbor-core")).toEqual([]);
    expect(componentsOf("v2.15.2")).toHaveLength(12);
  });
});

describe("what is lost at any depth below a right tag", () => {
  const repository = "goharbor/server";
  const child = buildImage({ seed: "amd64", format: "oci" });
  const image = buildIndex([child, buildImage({ seed: "arm64", format: "oci", platform: "linux/arm64" })]);
  const signature = buildImage({ seed: "signature", format: "oci" });
  const childSignature = buildImage({ seed: "signature of amd64", format: "oci" });
  const attestation = buildImage({ seed: "attestation", format: "oci", subject: child });
  const tagOf = (digest: string) => digest.replace(":", "-");

  it.each([
    ["config of a platform", child.config],
    ["layer of a signature", signature.layers[0]],
    ["layer of a platform's signature", childSignature.layers[0]],
    ["layer of a referrer that the source has in a fallback index", attestation.layers[0]],
  ])("is told by an audit and brought back with verify: full: the %s", async (_what, blob) => {
    await using world = await startSandboxWorld();
    await world.source.seed((target) => {
      pushTo(target, repository, image, "v2.15.2");
      pushTo(target, repository, signature, `${tagOf(image.digest)}.sig`);
      pushTo(target, repository, childSignature, `${tagOf(child.digest)}.sig`);
      pushTo(target, repository, buildIndex([attestation]), tagOf(child.digest));
    });
    const inputs = { destinations: world.far.line, images: "server" };
    expect((await act(world, { inputs })).exitCode).toBe(0);
    const { registry } = world.sandbox.tcr;
    expect(registry.tags(repository).has(tagOf(child.digest))).toBe(false);
    expect(registry.loseBlob(repository, blob?.digest ?? "")).toBe(true);

    const audit = await act(world, { inputs: { ...inputs, verify: "full", "dry-run": "true" } });
    expect(audit.log).toContain(`it lacks ${blob?.digest}`);
    expect(audit.exitCode).toBe(1);
    const full = await act(world, { inputs: { ...inputs, verify: "full" } });
    expect(full.exitCode).toBe(0);
    expect(registry.hasBlob(repository, blob?.digest ?? "")).toBe(true);
    const again = await act(world, { inputs: { ...inputs, verify: "full" } });
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "1" });
    // What another has set under a fallback tag that this registry does not need changes nothing.
    const foreign = buildImage({ seed: "foreign", format: "oci", subject: child });
    pushTo(registry, repository, buildIndex([foreign]), tagOf(child.digest));
    expect(registry.loseBlob(repository, blob?.digest ?? "")).toBe(true);
    expect((await act(world, { inputs: { ...inputs, verify: "full" } })).outputs.copied).toBe("1");
    expect((await act(world, { inputs })).outputs.copied).toBe("0");
  });
});
