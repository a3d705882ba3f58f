import { describe, expect, it } from "vitest";
import { buildImage } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { wordsOf } from "../support/failures.ts";
import {
  blobBytesInto,
  blobBytesOutOf,
  imageWithBase,
  requestsTo,
  startWorld,
  type World,
} from "./harness.ts";

const trivy = buildImage({ seed: "trivy", layers: [{ size: 3_000_000 }] });

/** Three images of one version, two of which share a layer, and their steps to all destinations. */
function release(world: World) {
  const images = ["core", "portal"].map((name) => world.place(name, imageWithBase(name)));
  const big = world.place("trivy", trivy);
  return [...images, big].flatMap((image) => world.stepsFor(image));
}

function two(world: World): readonly [RegistryServer, RegistryServer] {
  const [one, other] = world.destinations;
  if (one === undefined || other === undefined) throw new Error("two destinations expected");
  return [one, other];
}

const blobUpload = { method: "PUT", path: /\/blobs\/uploads\// };
const trivyLayer = trivy.layers[0]?.digest ?? "no layer";

/** The request that ends the upload of a blob; its digest is in the query, escaped. */
const putOf = (digest: string): RegExp => new RegExp(`/blobs/uploads/.*${digest.split(":").at(-1)}`);
const blobRead = { method: "GET", path: /\/blobs\/sha256:/ };

describe("a destination in trouble", () => {
  it("moves no tag of a version while one of its images is not complete (P3)", async () => {
    await using world = await startWorld({});
    const [healthy, broken] = two(world);
    broken.fault({
      when: { method: "PUT", path: /mirror\/trivy\/blobs\/uploads/ },
      times: Infinity,
      effect: { status: 403 },
    });
    const { outcomes } = await world.run(release(world));
    expect(healthy.tagWrites).toHaveLength(3);
    expect(broken.tagWrites).toEqual([]);
    const failures = outcomes.filter(({ step }) => step.destination.startsWith(broken.host));
    expect(failures.map(({ failure }) => wordsOf(failure))).toEqual([
      expect.stringContaining("held back"),
      expect.stringContaining("held back"),
      expect.stringMatching(/destination .*mirror\/trivy: uploading the blob .* status 403/),
    ]);
  });

  it("does not keep another destination from completing when it is dead (P4)", async () => {
    await using world = await startWorld({});
    const [healthy, dead] = two(world);
    dead.fault({ when: {}, times: Infinity, effect: { reset: true } });
    const { outcomes } = await world.run(release(world));
    expect(healthy.tagWrites).toHaveLength(3);
    const failed = outcomes.filter(({ failure }) => failure !== undefined);
    expect(failed).toHaveLength(3);
    expect(failed.every(({ step }) => step.destination.startsWith(dead.host))).toBe(true);
    expect(await world.leftovers()).toEqual([]);
  });

  it.each([408, 425, 429, 500, 502, 503, 504])("tries again after %i and gets through", async (status) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const headers = { "retry-after": "1" };
    for (const method of ["HEAD", "POST", "PUT"]) {
      destination?.fault({ when: { method }, times: 2, effect: { status, headers } });
    }
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
  });

  it("sends a broken upload again from the spool, without reading the source again", async () => {
    await using world = await startWorld({});
    const [breaking] = two(world);
    breaking.fault({ when: blobUpload, times: 3, effect: { resetRequestAfter: 20_000 } });
    const { outcomes, bytesRead } = await world.run(release(world));
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(blobBytesOutOf(world.source)).toBe(bytesRead);
  });

  it("gives a token that ran out during an upload a second chance", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    destination?.fault({ when: blobUpload, effect: { status: 401 } });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
  });

  it("brings back a blob that the registry turns out to have lost, once", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const body = JSON.stringify({ errors: [{ code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown" }] });
    destination?.fault({ when: { method: "PUT", path: /manifests/ }, effect: { status: 400, body } });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
  });

  it("believes no earlier answer about a blob once a manifest has shown that it was lost", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const body = JSON.stringify({ errors: [{ code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown" }] });
    const manifest = { method: "PUT", path: /mirror\/trivy\/manifests/ };
    destination?.fault({ when: manifest, effect: { status: 400, body } });
    // Asked before the copy, while the rest is on its way, for bringing it back, and at the end: from there on it is gone.
    const layer = { method: "HEAD", path: new RegExp(trivyLayer) };
    destination?.fault({ when: layer, skip: 3, times: Infinity, effect: { status: 404 } });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure)).join()).toContain(
      "took these twice and does not have them",
    );
    expect(destination?.tagWrites).toEqual([]);
  });

  it("sets no tag when the registry does not have what it took", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    destination?.fault({
      when: { method: ["HEAD", "GET"], path: /mirror\/core\/manifests\/sha256/ },
      times: Infinity,
      effect: { status: 404 },
    });
    const { outcomes } = await world.run(release(world));
    expect(destination?.tagWrites).toEqual([]);
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([
      expect.stringMatching(/confirming the image .*took these twice and does not have them/),
      expect.stringContaining("held back"),
      expect.stringContaining("held back"),
    ]);
  });

  it("brings back a blob that is gone after the registry took it, before any tag moves", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const layer = trivyLayer;
    // Asked before the copy, while the rest is on its way, and at the end.
    destination?.fault({
      when: { method: "HEAD", path: new RegExp(layer) },
      skip: 1,
      times: 2,
      effect: { status: 404 },
    });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
    expect(
      destination === undefined ? 0 : requestsTo(destination, "HEAD", new RegExp(layer)),
    ).toBeGreaterThanOrEqual(5);
    expect(destination?.completeness("mirror/trivy", "v1.0.0")).toEqual([]);
  });

  it.each([404, 403])("asks once more at the end for a blob of which it heard %i before", async (status) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("a destination expected");
    const layer = new RegExp(trivyLayer);
    destination.fault({ when: { method: "HEAD", path: layer }, skip: 1, effect: { status } });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
    expect(requestsTo(destination, "HEAD", layer)).toBe(3);
    expect(requestsTo(destination, "PUT", putOf(trivyLayer))).toBe(1);
  });

  it("is asked for what it took while the rest is still on its way", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const asked = Promise.withResolvers<void>();
    const config = new RegExp(trivy.config?.digest ?? "no config");
    destination?.fault({
      when: { method: "HEAD", path: config },
      skip: 1,
      effect: { run: () => asked.resolve() },
    });
    destination?.fault({
      when: { method: "PUT", path: putOf(trivyLayer) },
      effect: { run: () => asked.promise },
    });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([undefined, undefined, undefined]);
    expect(destination === undefined ? 0 : requestsTo(destination, "HEAD", config)).toBe(2);
  });

  it("says which tags did not move when a tag write fails for good", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    destination?.fault({
      when: { method: "PUT", path: /mirror\/portal\/manifests\/v1/ },
      times: Infinity,
      effect: { status: 403 },
    });
    const { outcomes } = await world.run(release(world));
    expect(destination?.tagWrites.map(({ repository }) => repository).sort()).toEqual([
      "mirror/core",
      "mirror/trivy",
    ]);
    expect(outcomes.map(({ failure }) => failure !== undefined)).toEqual([false, true, false]);
  });
});

describe("a source in trouble", () => {
  it("goes on with a broken download where it broke", async () => {
    await using world = await startWorld({});
    const layer = new RegExp(trivy.layers[0]?.digest ?? "no layer");
    world.source.fault({ when: { method: "GET", path: layer }, times: 2, effect: { cutBodyAfter: 70_000 } });
    const { outcomes, bytesRead } = await world.run(release(world));
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    const ranged = world.source.requests.filter(({ headers }) => headers.range !== undefined);
    expect(ranged).toHaveLength(2);
    for (const destination of world.destinations) expect(bytesRead).toBe(blobBytesInto(destination));
  });

  it("publishes nothing of an image whose bytes are wrong, and everything of other versions (P1)", async () => {
    await using world = await startWorld({});
    const good = world.place("portal", imageWithBase("portal"));
    const bad = world.place("core", buildImage({ seed: "bad", layers: [{ size: 50_000 }] }));
    world.source.fault({
      when: { method: "GET", path: /goharbor\/core\/blobs/ },
      times: Infinity,
      effect: { spoilBody: true },
    });
    const { outcomes } = await world.run([
      ...world.stepsFor(good, { version: "v1.0.0" }),
      ...world.stepsFor(bad, { version: "v1.0.1" }),
    ]);
    expect(outcomes.map(({ failure }) => wordsOf(failure))).toEqual([
      undefined,
      undefined,
      expect.stringMatching(/source .*do not have the digest/),
      expect.stringMatching(/source .*do not have the digest/),
    ]);
    for (const destination of world.destinations) {
      expect(destination.state()).toEqual({ "mirror/portal": { "v1.0.0": good.digest } });
      expect(destination.repositories().filter((name) => name === "mirror/core")).toEqual([]);
    }
  });

  it("names the source when it does not give a blob, and asks each only so often", async () => {
    await using world = await startWorld({});
    world.source.fault({ when: blobRead, times: Infinity, effect: { status: 404 } });
    const { outcomes } = await world.run(release(world));
    expect(outcomes.every(({ failure }) => failure !== undefined)).toBe(true);
    expect(
      outcomes.some(({ failure }) => /source .*reading the blob .* 404/.test(wordsOf(failure) ?? "")),
    ).toBe(true);
    for (const destination of world.destinations) expect(destination.tagWrites).toEqual([]);
  });

  it("reads no blob whose manifest cannot be read", async () => {
    await using world = await startWorld({});
    world.source.fault({
      when: { method: "GET", path: /manifests/ },
      times: Infinity,
      effect: { status: 403 },
    });
    const { outcomes } = await world.run(release(world));
    expect(
      outcomes.every(({ failure }) => /source .*reading the manifest .* 403/.test(wordsOf(failure) ?? "")),
    ).toBe(true);
    expect(requestsTo(world.source, "GET", /blobs/)).toBe(0);
  });
});

describe("a destination that cannot be made ready", () => {
  it("fails its images, and does not end the process where no image could be read either", async () => {
    await using world = await startWorld({});
    const steps = release(world);
    world.source.fault({
      when: { method: "GET", path: /manifests/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403 },
    });
    const prepare = () => Promise.reject(new Error("the namespace cannot be created"));
    // A rejection that nobody handles fails the test run.
    const { outcomes } = await world.run(steps, { prepare });
    expect(
      outcomes.every(({ failure }) => /source .*reading the manifest/.test(wordsOf(failure) ?? "")),
    ).toBe(true);
  });
});

describe("a cancelled run", () => {
  it("stops, moves no tag, and leaves no file behind", async () => {
    await using world = await startWorld({});
    const [slow] = two(world);
    slow.fault({ when: blobUpload, times: Infinity, effect: { requestBytesPerSecond: 20_000 } });
    const cancelled = new AbortController();
    const steps = release(world);
    setTimeout(() => cancelled.abort(new Error("the run was cancelled")), 200);
    const { outcomes } = await world.run(steps, { signal: cancelled.signal });
    const slowOnes = outcomes.filter(({ step }) => step.destination.startsWith(slow.host));
    expect(slowOnes.every(({ failure }) => failure !== undefined)).toBe(true);
    expect(slow.tagWrites).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
  });
});
