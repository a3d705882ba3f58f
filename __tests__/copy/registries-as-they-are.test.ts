import { describe, expect, it } from "vitest";
import { blobsOf } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { imageWithBase, requestsTo, startWorld } from "./harness.ts";

const forEver = Number.POSITIVE_INFINITY;

/** Uploads of whole blobs, by their digests. */
function uploads(server: RegistryServer): readonly string[] {
  return server.requests
    .filter(({ method, path }) => method === "PUT" && path.includes("/blobs/uploads/"))
    .map(({ path }) => decodeURIComponent(/digest=([^&]+)/.exec(path)?.[1] ?? ""));
}

describe("a project whose policy lets nobody pull what is not signed (412)", () => {
  const withheld = () => "The image is not signed by Cosign.";

  it("gets the image and its tag: a 201 with the right digest confirms both", async () => {
    await using world = await startWorld({ destinations: [{ withheld }] });
    const [destination] = world.destinations;
    const images = ["app", "db"].map((name) => world.place(name, imageWithBase(name)));
    const { outcomes } = await world.run(images.flatMap((image) => world.stepsFor(image)));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const image of images)
      expect(destination?.tags(image.repository.replace("goharbor", "mirror")).get("v1.0.0")).toBe(
        image.digest,
      );
    // Nothing is put twice for want of an answer.
    expect(destination && requestsTo(destination, "PUT", /\/manifests\/v1\.0\.0$/)).toBe(2);
  });

  it.each([
    [false, "failure"],
    ["skip", "withheld"],
  ] as const)("keeps a tag that another has set meanwhile, where overwrite is %j", async (overwrite, why) => {
    await using world = await startWorld({ destinations: [{ withheld }] });
    const [destination] = world.destinations;
    const image = world.place("app", imageWithBase("app"));
    const other = imageWithBase("other");
    const { outcomes } = await world.run(world.stepsFor(image), {
      overwrite,
      prepare: async () =>
        void destination?.putManifest("mirror/app", other.bytes, other.mediaType, "v1.0.0"),
    });
    const words = `another has set the tag, and overwrite is ${overwrite}`;
    expect(JSON.stringify(outcomes[0]?.[why])).toContain(words);
    expect(outcomes[0]?.failure === undefined).toBe(overwrite === "skip");
    expect(destination?.tags("mirror/app").get("v1.0.0")).toBe(other.digest);
  });
});

describe("a registry that says that it has a blob, and does not know it in a manifest", () => {
  /** The first manifest is refused so often, for want of these blobs. */
  async function refusing(named: (layers: readonly string[]) => readonly string[], times: number) {
    const world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const artifact = imageWithBase("app");
    const image = world.place("app", artifact);
    const blobs = blobsOf(artifact);
    const layers = blobs.map(({ digest }) => digest);
    for (const { digest, size } of blobs) {
      destination.fault({
        when: { method: "HEAD", path: new RegExp(`/blobs/${digest}`) },
        times: forEver,
        effect: { status: 200, headers: { "content-length": String(size) } },
      });
    }
    const errors = named(layers).map((detail) => ({
      code: "MANIFEST_BLOB_UNKNOWN",
      message: "blob unknown",
      detail,
    }));
    const body = JSON.stringify({ errors });
    destination.fault({
      when: { method: "PUT", path: /\/manifests\// },
      times,
      effect: { status: 400, body },
    });
    return { world, destination, image, layers };
  }

  it("gets the blobs that it names, and no others", async () => {
    const { world, destination, image, layers } = await refusing(([one = ""]) => [one], 1);
    await using _ = world;
    for (const blob of layers.slice(1)) seed(world.source, destination, blob);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(uploads(destination)).toEqual([layers[0]]);
  });

  it("gets all of them, where it does not say which", async () => {
    const { world, destination, image, layers } = await refusing(() => [""], 2);
    await using _ = world;
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect([...uploads(destination)].sort()).toEqual([...layers].sort());
  });

  it("is given up when it still says so then", async () => {
    const { world, destination, image, layers } = await refusing((all) => all, forEver);
    await using _ = world;
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(JSON.stringify(outcomes[0]?.failure)).toContain("MANIFEST_BLOB_UNKNOWN");
    expect([...uploads(destination)].sort()).toEqual([...layers].sort());
  });
});

/** Puts a blob of the source into the destination. */
function seed(source: RegistryServer, destination: RegistryServer, digest: string): void {
  const bytes = source.blob("goharbor/app", digest);
  if (bytes === undefined) throw new Error(`no blob ${digest}`);
  destination.putBlob("mirror/app", bytes);
}

describe("a registry that answers HEAD of manifests by", () => {
  it.each([400, 404, 405])("%i gets the image, and is asked by GET", async (status) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const image = world.place("app", imageWithBase("app"));
    for (const server of [world.source, destination])
      server.fault({ when: { method: "HEAD", path: /\/manifests\// }, times: forEver, effect: { status } });
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(destination.tags("mirror/app").get("v1.0.0")).toBe(image.digest);
    expect(requestsTo(destination, "PUT", /\/manifests\/v1\.0\.0$/)).toBe(1);
  });
});
