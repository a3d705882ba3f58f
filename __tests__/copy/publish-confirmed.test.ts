import { describe, expect, it } from "vitest";
import { buildImage, buildIndex } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { wordsOf } from "../support/failures.ts";
import { blobBytesInto, imageWithBase, requestsTo, startWorld, type World } from "./harness.ts";

const index = buildIndex(
  ["linux/amd64", "linux/arm64"].map((platform) => buildImage({ seed: platform, platform })),
);

/** Copy steps of a version of two images, at all destinations. */
function twoImages(world: World): ReturnType<World["stepsFor"]> {
  const images = [world.place("core", imageWithBase("core")), world.place("multi", index)];
  return images.flatMap((image) => world.stepsFor(image));
}

function tagsAt(server: RegistryServer): readonly string[] {
  return server
    .repositories()
    .flatMap((name) => [...server.tags(name).keys()].map((tag) => `${name}:${tag}`));
}

/** Clears away what a registry has no tag for, as its garbage collection does. */
function clearUntagged(server: RegistryServer, repository: string): number {
  const stored = server.events.filter(
    (event) => event.kind === "manifest" && event.repository === repository,
  );
  return stored.filter(({ digest }) => server.deleteManifest(repository, digest)).length;
}

/** Blobs and manifests, as `repository/blobs/digest`, that a registry was asked for since its request number `from`. */
function headsSince(server: RegistryServer, from: number): readonly string[] {
  const paths = server.requests
    .slice(from)
    .flatMap(({ method, path }) =>
      method === "HEAD" ? (/^\/v2\/(.*sha256:.*)$/.exec(path)?.[1] ?? []) : [],
    );
  return [...new Set(paths)].toSorted();
}

/** What a registry has taken for the images of some steps. */
function everythingBelow(server: RegistryServer, steps: ReturnType<World["stepsFor"]>): readonly string[] {
  const repositories = steps.map(({ image }) => `mirror/${image}`);
  const kinds: ReadonlyMap<string, string> = new Map([
    ["blob", "blobs"],
    ["mount", "blobs"],
    ["manifest", "manifests"],
  ]);
  const paths = server.events.flatMap(({ kind, repository, digest }) => {
    const folder = kinds.get(kind);
    return folder !== undefined && repositories.includes(repository)
      ? [`${repository}/${folder}/${digest}`]
      : [];
  });
  return [...new Set(paths)].toSorted();
}

describe("copying without tags", () => {
  it("brings everything of every image, and sets no tag, those of signatures included", async () => {
    await using world = await startWorld({});
    const steps = twoImages(world);
    const image = steps[0]?.source;
    if (image === undefined) throw new Error("no image");
    const cosign = world.place("core", buildImage({ seed: "cosign", format: "oci" }));
    const signatureTag = `${image.digest.replace(":", "-")}.sig`;
    const source = { ...image, attachments: [{ digest: cosign.digest, tag: signatureTag }] };
    const signed = steps.map((step) => (step.source === image ? { ...step, source } : step));
    const { outcomes } = await world.run(signed, { moveTags: false });
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined, undefined]);
    for (const server of world.destinations) {
      expect(server.tagWrites).toEqual([]);
      expect(server.completeness("mirror/core", image.digest)).toEqual([]);
      expect(server.completeness("mirror/core", cosign.digest)).toEqual([]);
      expect(server.completeness("mirror/multi", index.digest)).toEqual([]);
    }
    const published = await world.publish(signed);
    expect(published.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined, undefined]);
    for (const server of world.destinations) {
      expect(tagsAt(server).toSorted()).toEqual(
        ["mirror/core:v1.0.0", `mirror/core:${signatureTag}`, "mirror/multi:v1.0.0"].toSorted(),
      );
    }
  });
});

describe("publishing what other jobs have copied", () => {
  it("asks for every blob and manifest, moves no blob, and reads none", async () => {
    await using world = await startWorld({});
    const steps = twoImages(world);
    await world.run(steps, { moveTags: false });
    const [first, second] = world.destinations;
    if (first === undefined || second === undefined) throw new Error("two destinations");
    const sent = world.destinations.map(blobBytesInto);
    const puts = requestsTo(first, "PUT", /manifests/);
    const before = first.requests.length;
    const reads = requestsTo(world.source, "GET", /blobs/);
    const outcomes = await world.publish(steps);
    expect(outcomes.map(({ step, failure }) => [step, failure])).toEqual(
      steps.map((step) => [step, undefined]),
    );
    expect(world.destinations.map(blobBytesInto)).toEqual(sent);
    expect(requestsTo(world.source, "GET", /blobs/)).toBe(reads);
    const own = steps.filter(({ destination }) => destination.startsWith(first.host));
    expect(headsSince(first, before)).toEqual(everythingBelow(first, own));
    // No manifest but those of the tags.
    expect(requestsTo(first, "PUT", /manifests/) - puts).toBe(2);
    for (const server of [first, second]) {
      expect(tagsAt(server)).toEqual(["mirror/core:v1.0.0", "mirror/multi:v1.0.0"]);
    }
  });

  it("sets no tag of a version that lacks a blob, at that destination alone (P3, P4)", async () => {
    await using world = await startWorld({});
    const [first, second] = world.destinations;
    if (first === undefined || second === undefined) throw new Error("two destinations");
    const steps = twoImages(world);
    // One destination has got a part of one image only; the other everything.
    const unfinished = steps.filter(
      ({ destination, image }) => destination.startsWith(first.host) && image === "core",
    );
    await world.run(
      steps.filter((step) => !unfinished.includes(step)),
      { moveTags: false },
    );
    const before = requestsTo(first, "PUT", /manifests/);
    const outcomes = await world.publish(steps);
    const failures = new Map(
      outcomes.map(({ step, failure }) => [`${step.destination} ${step.image}`, wordsOf(failure)]),
    );
    expect(failures.get(`${first.host}/mirror core`)).toMatch(
      /of its blobs \(.*\) are not there.*Re-run failed jobs/,
    );
    expect(failures.get(`${first.host}/mirror multi`)).toMatch(
      /^held back, its tag is not moved: core:v1\.0\.0/,
    );
    expect(failures.get(`${second.host}/mirror core`)).toBeUndefined();
    expect(failures.get(`${second.host}/mirror multi`)).toBeUndefined();
    expect(tagsAt(first)).toEqual([]);
    expect(requestsTo(first, "PUT", /manifests/)).toBe(before);
    expect(tagsAt(second)).toEqual(["mirror/core:v1.0.0", "mirror/multi:v1.0.0"]);
    // What the dead job did not do is done by its second try, and the rest stays as it is.
    await world.run(unfinished, { moveTags: false });
    const again = await world.publish(steps.filter(({ destination }) => destination.startsWith(first.host)));
    expect(again.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(tagsAt(first)).toEqual(["mirror/core:v1.0.0", "mirror/multi:v1.0.0"]);
  });

  it("puts manifests again that were cleared away, children first, before any tag", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [server] = world.destinations;
    if (server === undefined) throw new Error("one destination");
    const steps = twoImages(world);
    await world.run(steps, { moveTags: false });
    expect(clearUntagged(server, "mirror/multi")).toBe(3);
    expect(clearUntagged(server, "mirror/core")).toBe(1);
    const outcomes = await world.publish(steps);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const name of ["core", "multi"]) expect(server.completeness(`mirror/${name}`, "v1.0.0")).toEqual([]);
  });

  it("gives up, with all tags as they were, where a registry clears them away again", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [server] = world.destinations;
    if (server === undefined) throw new Error("one destination");
    const steps = twoImages(world);
    await world.run(steps, { moveTags: false });
    clearUntagged(server, "mirror/core");
    server.fault({
      when: { method: "HEAD", path: /mirror\/core\/manifests\/sha256/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 404 },
    });
    const outcomes = await world.publish(steps);
    const failed = outcomes.find(({ step }) => step.image === "core");
    expect(wordsOf(failed?.failure)).toContain("took these twice");
    expect(tagsAt(server)).toEqual([]);
  });

  it("lists referrers under the fallback tag where the registry keeps no track of them", async () => {
    await using world = await startWorld({ destinations: [{}, { referrers: false }] });
    const signed = buildImage({ seed: "signed", format: "oci" });
    const sbom = buildImage({
      seed: "sbom",
      format: "oci",
      subject: signed,
      artifactType: "application/spdx+json",
    });
    const image = world.place("core", signed);
    world.source.putBlob("goharbor/core", Buffer.from(""));
    const attachments = [{ digest: world.place("core", sbom).digest, tag: undefined }];
    const steps = world.stepsFor({ ...image, attachments });
    await world.run(steps, { moveTags: false });
    for (const server of world.destinations) expect(server.tagWrites).toEqual([]);
    await world.publish(steps);
    const [withApi, withoutApi] = world.destinations;
    const tag = image.digest.replace(":", "-");
    expect(withApi?.tags("mirror/core").has(tag)).toBe(false);
    const fallback = withoutApi?.manifest("mirror/core", tag);
    expect(JSON.parse(fallback?.bytes.toString() ?? "{}").manifests).toMatchObject([{ digest: sbom.digest }]);
    expect(withoutApi?.tagWrites.at(-1)?.tag).toBe("v1.0.0");
  });

  it("fails a version whose source cannot be read any more", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [server] = world.destinations;
    const steps = twoImages(world);
    await world.run(steps, { moveTags: false });
    world.source.fault({
      when: { path: /core\/manifests/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403 },
    });
    const outcomes = await world.publish(steps);
    expect(outcomes.every(({ failure }) => failure !== undefined)).toBe(true);
    expect(server?.tagWrites).toEqual([]);
  });
});
