import { describe, expect, it } from "vitest";
import { buildImage, buildIndex, randomBytes } from "../../sandbox/images.ts";
import { wordsOf } from "../support/failures.ts";
import { type RecordingLog, recordingLog } from "../support/recording-log.ts";
import { blobBytesInto, blobBytesOutOf, imageWithBase, requestsTo, startWorld } from "./harness.ts";

/** Sum of the distinct blobs of images made by `imageWithBase`. */
function uniqueBytes(...artifacts: readonly ReturnType<typeof imageWithBase>[]): number {
  const blobs = new Map(
    artifacts
      .flatMap(({ config, layers }) => [...(config === undefined ? [] : [config]), ...layers])
      .map(({ digest, size }) => [digest, size]),
  );
  return [...blobs.values()].reduce((sum, size) => sum + size, 0);
}

describe("the log of a copy", () => {
  /** What the log has said, without the time that it took. */
  const toldBy = ({ infos }: RecordingLog): readonly string[] =>
    infos.map((line) => line.replace(/after \d+\.\d s$/, "after … s"));

  it("has a line for each image at each destination, and one when the version is complete there", async () => {
    await using world = await startWorld({});
    const log = recordingLog();
    await world.run(world.stepsFor(world.place("core", imageWithBase("core"))), { log });
    const lines = toldBy(log);
    for (const { host } of world.destinations) {
      const image = lines.findIndex((line) => line.startsWith(`✓ core:v1.0.0 → ${host}/mirror: `));
      expect(lines[image]).toMatch(/: 162\.\d kB uploaded, after … s$/);
      const version = `★ v1.0.0 is complete at ${host}/mirror: 1 image tagged, after … s`;
      expect(lines.indexOf(version)).toBeGreaterThan(image);
    }
    expect(lines).toHaveLength(4);
  });

  it("says which image keeps a version from being complete, and that no tag was set by this job", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const images = ["core", "portal"].map((name) => world.place(name, imageWithBase(name)));
    const steps = images.flatMap((image) => world.stepsFor(image));
    const [destination] = world.destinations;
    destination?.fault({
      when: { method: "PUT", path: /mirror\/core\/manifests/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403 },
    });
    const [log, withoutTags] = [recordingLog(), recordingLog()];
    await world.run(steps, { log });
    expect(toldBy(log)).toContainEqual(expect.stringMatching(/^✗ core:v1\.0\.0 → .* status 403/));
    expect(toldBy(log).at(-1)).toBe(
      `✗ v1.0.0 is not complete at ${destination?.host}/mirror: 2 of 2 images failed or held back`,
    );
    destination?.clearFaults();
    await world.run(steps, { log: withoutTags, moveTags: false });
    expect(toldBy(withoutTags).at(-1)).toMatch(/^★ v1\.0\.0 of this share is at .*: 2 images without tags/);
  });
});

describe("the time in which an image moved", () => {
  it("begins with its own first byte, not with the copy, and ends before the tag of the version is set", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const images = ["core", "portal"].map((name) => world.place(name, imageWithBase(name)));
    const steps = images.flatMap((image) => world.stepsFor(image));
    // The uploads of one image take a while; the other is complete before, and waits for the tags of the version.
    world.destinations[0]?.fault({
      when: { method: "PUT", path: /mirror\/portal\/blobs/ },
      times: Number.POSITIVE_INFINITY,
      effect: { delayMs: 150 },
    });
    const { outcomes } = await world.run(steps);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const { moved, milliseconds } of outcomes) {
      if (moved === undefined) throw new Error("the image did not move");
      expect(moved.begin).toBeLessThanOrEqual(moved.end);
      expect(moved.end).toBeLessThanOrEqual(milliseconds);
    }
    // Never less, however busy the machine: the delay is part of the upload. A timer may fire a little early.
    const portal = outcomes[1]?.moved;
    expect((portal?.end ?? 0) - (portal?.begin ?? 0)).toBeGreaterThanOrEqual(140);
  });

  it("is known of an image that failed on the way, and not of one that could not be read", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const core = world.place("core", imageWithBase("core"));
    world.destinations[0]?.fault({
      when: { method: "PUT", path: /mirror\/core\/manifests/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403 },
    });
    const [failed] = (await world.run(world.stepsFor(core))).outcomes;
    expect(wordsOf(failed?.failure)).toContain("403");
    expect(failed?.moved?.end).toBeGreaterThanOrEqual(failed?.moved?.begin ?? Number.NaN);
    world.source.fault({
      when: { path: /goharbor\/core\/manifests/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 404 },
    });
    const [unread] = (await world.run(world.stepsFor(core))).outcomes;
    expect(unread?.failure).toBeDefined();
    expect(unread?.moved).toBeUndefined();
  });
});

describe("copy", () => {
  it("brings every image to every destination, byte for byte", async () => {
    await using world = await startWorld({});
    const core = world.place("core", imageWithBase("core"));
    const portal = world.place("portal", imageWithBase("portal"));
    const { outcomes } = await world.run([...world.stepsFor(core), ...world.stepsFor(portal)]);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined, undefined]);
    for (const destination of world.destinations) {
      for (const image of [core, portal]) {
        const repository = image.repository.replace("goharbor", "mirror");
        expect(destination.tags(repository).get("v1.0.0")).toBe(image.digest);
        expect(destination.completeness(repository, "v1.0.0")).toEqual([]);
        expect(destination.manifest(repository, "v1.0.0")?.bytes).toEqual(
          world.source.manifest(image.repository, "v1.0.0")?.bytes,
        );
      }
    }
    expect(await world.leftovers()).toEqual([]);
  });

  it("reads each blob once and uploads it once to each destination, and mounts it in other repositories (P2)", async () => {
    await using world = await startWorld({});
    const artifacts = ["core", "portal", "jobservice"].map((name) => imageWithBase(name));
    const images = artifacts.map((artifact, index) => world.place(`image-${index}`, artifact));
    const { outcomes, bytesRead } = await world.run(images.flatMap((image) => world.stepsFor(image)));
    const expected = uniqueBytes(...artifacts);
    expect(bytesRead).toBe(expected);
    expect(blobBytesOutOf(world.source)).toBe(expected);
    for (const destination of world.destinations) expect(blobBytesInto(destination)).toBe(expected);
    const mounted = outcomes.reduce((sum, { bytes }) => sum + bytes.mounted, 0);
    expect(mounted).toBe(2 * 2 * 100_000);
  });

  it("cancels an upload that it opened ahead when the blob turns out to be there, and sends it nowhere", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const artifact = buildImage({ seed: "ahead", layers: [{ size: 300_000 }, { size: 400_000 }] });
    const image = world.place("core", artifact);
    const [destination] = world.destinations;
    for (const { bytes = Buffer.alloc(0) } of artifact.layers) destination?.putBlob("mirror/core", bytes);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ bytes, failure }) => [bytes.present, failure])).toEqual([[700_000, undefined]]);
    if (destination === undefined) throw new Error("no destination");
    expect(requestsTo(destination, "DELETE", /\/blobs\/uploads\//)).toBe(2);
    expect(destination.uploadsOpen()).toBe(0);
    expect(blobBytesInto(destination)).toBe(artifact.config?.size);
    expect(blobBytesOutOf(world.source)).toBe(artifact.config?.size);
  });

  it("goes on where an upload cannot be opened ahead", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const image = world.place("core", buildImage({ seed: "ahead", layers: [{ size: 300_000 }] }));
    const [destination] = world.destinations;
    destination?.fault({ when: { method: "POST" }, effect: { status: 403 } });
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(destination?.completeness("mirror/core", "v1.0.0")).toEqual([]);
    expect(destination?.uploadsOpen()).toBe(0);
  });

  it("opens the upload of the largest blob before it has asked for all the small ones", async () => {
    await using world = await startWorld({ destinations: [{}] });
    // More blobs than small requests that a registry is sent at once, and only one that fills a link.
    const small = Array.from({ length: 40 }, (_, index) => 1_000 + index);
    const artifact = buildImage({ seed: "many", layers: [...small, 300_000].map((size) => ({ size })) });
    await world.run(world.stepsFor(world.place("core", artifact)));
    const [destination] = world.destinations;
    const order = destination?.requests.map(({ method, path }) => `${method} ${path}`) ?? [];
    const firstUpload = order.findIndex((request) => request.startsWith("POST"));
    const smallest = artifact.layers[0]?.digest ?? "";
    const lastQuestion = order.indexOf(`HEAD /v2/mirror/core/blobs/${smallest}`);
    expect(firstUpload).toBeGreaterThan(0);
    expect(firstUpload).toBeLessThan(lastQuestion);
    expect(destination?.completeness("mirror/core", "v1.0.0")).toEqual([]);
  });

  it("uploads from the spool, without a second read, where a registry refuses to mount", async () => {
    await using world = await startWorld({ destinations: [{ mount: "never" }, { mount: "refuse" }] });
    const artifacts = ["core", "portal"].map((name) => imageWithBase(name));
    const images = artifacts.map((artifact, index) => world.place(`image-${index}`, artifact));
    const { outcomes, bytesRead } = await world.run(images.flatMap((image) => world.stepsFor(image)));
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(bytesRead).toBe(uniqueBytes(...artifacts));
    for (const destination of world.destinations) {
      expect(blobBytesInto(destination)).toBe(uniqueBytes(...artifacts) + 100_000);
      expect(destination.uploadsOpen()).toBe(0);
    }
  });

  it("does not read a blob that every destination has, and does not send what a destination has (P2)", async () => {
    await using world = await startWorld({});
    const [near, far] = world.destinations;
    const image = world.place("core", imageWithBase("core"));
    near?.putBlob("mirror/core", randomBytes("base", 100_000));
    far?.putBlob("mirror/core", randomBytes("base", 100_000));
    far?.putBlob("mirror/core", randomBytes("core#1", 60_000));
    const { outcomes, bytesRead } = await world.run(world.stepsFor(image));
    const rest = uniqueBytes(imageWithBase("core")) - 100_000;
    expect(bytesRead).toBe(rest);
    expect(outcomes.map(({ bytes }) => bytes.present)).toEqual([100_000, 160_000]);
    if (near === undefined || far === undefined) throw new Error("two destinations expected");
    expect(blobBytesInto(near)).toBe(rest);
    expect(blobBytesInto(far)).toBe(rest - 60_000);
  });

  it("mounts a blob that another repository of the destination has already", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const images = ["core", "portal"].map((name) => world.place(name, imageWithBase(name)));
    destination?.putBlob("mirror/portal", randomBytes("base", 100_000));
    const { bytesRead } = await world.run(images.flatMap((image) => world.stepsFor(image)));
    expect(bytesRead).toBe(uniqueBytes(imageWithBase("core"), imageWithBase("portal")) - 100_000);
    expect(destination?.completeness("mirror/core", "v1.0.0")).toEqual([]);
  });

  it("copies indexes with all their children, nested ones too, and foreign layers only in name", async () => {
    await using world = await startWorld({});
    const platforms = ["linux/amd64", "linux/arm64"].map((platform) =>
      buildImage({ seed: platform, platform }),
    );
    const nested = buildIndex([
      buildIndex(platforms),
      buildImage({ seed: "windows", layers: [{ size: 10, foreign: true }, { size: 500 }] }),
    ]);
    const image = world.place("multi", nested);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const destination of world.destinations)
      expect(destination.completeness("mirror/multi", "v1.0.0")).toEqual([]);
    expect(requestsTo(world.source, "GET", /manifests/)).toBe(5);
  });

  it("copies signatures and other referrers, and sets their tags before the image's", async () => {
    await using world = await startWorld({ destinations: [{}, { referrers: false }] });
    const signed = buildImage({ seed: "signed", format: "oci" });
    const sbom = buildImage({
      seed: "sbom",
      format: "oci",
      subject: signed,
      artifactType: "application/spdx+json",
    });
    const cosign = buildImage({ seed: "cosign", format: "oci" });
    const image = world.place("core", signed, []);
    world.source.putBlob("goharbor/core", Buffer.from(""));
    const tag = image.digest.replace(":", "-");
    const attachments = [
      { digest: world.place("core", sbom).digest, tag: undefined },
      { digest: world.place("core", cosign).digest, tag: `${tag}.sig` },
    ];
    const { outcomes } = await world.run(world.stepsFor({ ...image, attachments }));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    const [withApi, withoutApi] = world.destinations;
    for (const destination of world.destinations) {
      const tags = destination.tagWrites.map((write) => write.tag);
      expect(tags.at(-1)).toBe("v1.0.0");
      expect(tags).toContain(`${tag}.sig`);
      expect(destination.completeness("mirror/core", sbom.digest)).toEqual([]);
    }
    expect(withApi?.tags("mirror/core").has(tag)).toBe(false);
    const fallback = withoutApi?.manifest("mirror/core", tag);
    expect(JSON.parse(fallback?.bytes.toString() ?? "{}").manifests).toMatchObject([
      { digest: sbom.digest, artifactType: "application/spdx+json" },
    ]);
  });

  it("keeps within the spool's bound without deadlock, also with a blob larger than the bound", async () => {
    await using world = await startWorld({ destinations: [{ mount: "never" }, {}] });
    const images = ["one", "two", "three"].map((name) =>
      world.place(name, imageWithBase(name, [50_000, 30_000, 20_000, 400])),
    );
    const { outcomes, bytesRead } = await world.run(
      images.flatMap((image) => world.stepsFor(image)),
      { spoolLimit: 60_000 },
    );
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(bytesRead).toBe(
      uniqueBytes(
        ...["one", "two", "three"].map((name) => imageWithBase(name, [50_000, 30_000, 20_000, 400])),
      ),
    );
  });
});
