import { describe, expect, it } from "vitest";
import { type Artifact, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import type { CopyOutcome } from "../../src/copy/outcome.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { CopyStep } from "../../src/plan/plan.ts";
import { wordsOf } from "../support/failures.ts";
import { requestsTo, startWorld, type World } from "./harness.ts";

const forEver = Number.POSITIVE_INFINITY;

function signatureOf(
  subject: Artifact,
  seed = "signature",
  artifactType = "application/x.signature",
): Artifact {
  return buildImage({ seed, format: "oci", subject, artifactType });
}

/** A destination that answers every PUT of these manifests so. */
function refuse(
  server: RegistryServer | undefined,
  reference: string,
  status: number,
  code = "DENIED",
): void {
  const body = JSON.stringify({ errors: [{ code, message: "not here" }] });
  server?.fault({
    when: { method: "PUT", path: new RegExp(`/manifests/${reference.replaceAll(".", "\\.")}$`) },
    times: forEver,
    effect: { status, body },
  });
}

interface Signed {
  readonly app: Artifact;
  readonly signature: Artifact;
  readonly steps: readonly CopyStep[];
}

/** Steps of an image with a signature that only the referrers API lists. */
function signed(world: World, name = "app"): Signed {
  const app = buildImage({ seed: name, format: "oci" });
  const signature = signatureOf(app, `signature of ${name}`);
  world.place(name, signature);
  const image = world.place(name, app, [{ digest: signature.digest as Digest, tag: undefined }]);
  return { app, signature, steps: world.stepsFor(image) };
}

function refusedWords(outcome: CopyOutcome | undefined): readonly string[] {
  return (outcome?.refused ?? []).map((failure) => wordsOf(failure) ?? "");
}

describe("a signature that the destination refuses", () => {
  it.each([
    [400, "MANIFEST_INVALID"],
    [403, "DENIED"],
    [405, "UNSUPPORTED"],
    [406, "UNSUPPORTED"],
    [412, "PRECONDITION"],
    [413, "SIZE_INVALID"],
    [415, "MANIFEST_INVALID"],
    [422, "MANIFEST_INVALID"],
    [501, "UNSUPPORTED"],
  ])("with %i %s keeps no image from its tag, and is told", async (status, code) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const { app, signature, steps } = signed(world);
    refuse(destination, signature.digest, status, code);
    const { outcomes } = await world.run(steps);
    expect(outcomes[0]?.failure).toBeUndefined();
    expect(destination?.tags("mirror/app").get("v1.0.0")).toBe(app.digest);
    expect(refusedWords(outcomes[0])).toEqual([
      expect.stringContaining(
        `writing the referrer ${signature.digest} failed with status ${status} ${code}`,
      ),
    ]);
  });

  it.each([401, 404, 408, 429, 500, 503])(
    "with %i may be taken later: nothing is published",
    async (status) => {
      await using world = await startWorld({ destinations: [{}] });
      const [destination] = world.destinations;
      const { signature, steps } = signed(world);
      refuse(destination, signature.digest, status);
      const { outcomes } = await world.run(steps);
      expect(wordsOf(outcomes[0]?.failure)).toContain(`${status}`);
      expect(destination?.tags("mirror/app").size).toBe(0);
    },
  );

  it("says which input leaves it out", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const { signature, steps } = signed(world);
    refuse(world.destinations[0], signature.digest, 403);
    const { outcomes } = await world.run(steps);
    expect(refusedWords(outcomes[0])[0]).toContain("`referrers: false`");
  });

  it("goes to the other destination", async () => {
    await using world = await startWorld({ destinations: [{}, {}] });
    const [strict, other] = world.destinations;
    const { signature, steps } = signed(world);
    refuse(strict, signature.digest, 403);
    const { outcomes } = await world.run(steps);
    expect(outcomes.map((outcome) => refusedWords(outcome).length)).toEqual([1, 0]);
    expect(other?.completeness("mirror/app", signature.digest)).toEqual([]);
  });

  it("is sent once for all images, where the registry refuses its type", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const images = ["a", "b", "c", "d"].map((name) => signed(world, name));
    for (const { signature } of images) refuse(destination, signature.digest, 403);
    const { outcomes } = await world.run(images.flatMap(({ steps }) => steps));
    expect(outcomes.map((outcome) => refusedWords(outcome).length)).toEqual([1, 1, 1, 1]);
    for (const [index, { signature }] of images.entries())
      expect(refusedWords(outcomes[index])[0]).toContain(`${signature.digest} failed with status 403`);
    const puts = images.map(({ signature }) =>
      requestsTo(destination, "PUT", new RegExp(`manifests/${signature.digest}`)),
    );
    expect(puts.reduce((sum, count) => sum + count)).toBe(1);
  });

  it("is sent for each image, where another may be taken: a quota, a rule about a tag", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const [one, other] = [signed(world, "a"), signed(world, "b")];
    refuse(destination, one.signature.digest, 412);
    const { outcomes } = await world.run([...one.steps, ...other.steps]);
    expect(outcomes.map((outcome) => refusedWords(outcome).length)).toEqual([1, 0]);
    expect(destination.completeness("mirror/b", other.signature.digest)).toEqual([]);
  });

  it("keeps no SBOM of another type away", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci" });
    const signature = signatureOf(app);
    const sbom = signatureOf(app, "sbom", "application/x.sbom");
    for (const artifact of [signature, sbom]) pushTo(world.source, "goharbor/app", artifact);
    const attachments = [signature, sbom].map(({ digest }) => ({ digest: digest as Digest, tag: undefined }));
    refuse(destination, signature.digest, 415);
    const { outcomes } = await world.run(world.stepsFor(world.place("app", app, attachments)));
    expect(refusedWords(outcomes[0])).toHaveLength(1);
    expect(destination?.completeness("mirror/app", sbom.digest)).toEqual([]);
  });
});

describe("a blob that only a signature needs and the destination refuses", () => {
  /** A destination that takes no upload of this blob. */
  function refuseBlob(server: RegistryServer | undefined, digest: string | undefined, status: number): void {
    const body = JSON.stringify({ errors: [{ code: "DENIED", message: "not here" }] });
    const path = new RegExp(`/blobs/uploads/.*${digest?.split(":").at(-1)}`);
    server?.fault({ when: { method: "PUT", path }, times: forEver, effect: { status, body } });
  }

  it.each([400, 403, 413, 415])("with %i costs the signature alone, and is told", async (status) => {
    await using world = await startWorld({ destinations: [{}, {}] });
    const [strict, other] = world.destinations;
    const { app, signature, steps } = signed(world);
    refuseBlob(strict, signature.layers[0]?.digest, status);
    const { outcomes } = await world.run(steps);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const server of [strict, other]) expect(server?.tags("mirror/app").get("v1.0.0")).toBe(app.digest);
    expect(strict?.completeness("mirror/app", app.digest)).toEqual([]);
    expect(strict?.manifest("mirror/app", signature.digest)).toBeUndefined();
    expect(other?.completeness("mirror/app", signature.digest)).toEqual([]);
    expect(outcomes.map((outcome) => refusedWords(outcome).length)).toEqual([1, 0]);
    expect(refusedWords(outcomes[0])[0]).toMatch(new RegExp(`status ${status}`));
  });

  it("keeps no other signature of the image away, nor that of another image", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci" });
    const [large, small] = [signatureOf(app, "large"), signatureOf(app, "small")];
    for (const artifact of [large, small]) pushTo(world.source, "goharbor/app", artifact);
    const attachments = [large, small].map(({ digest }) => ({ digest: digest as Digest, tag: undefined }));
    const tool = signed(world, "tool");
    refuseBlob(destination, large.layers[0]?.digest, 413);
    const { outcomes } = await world.run([
      ...world.stepsFor(world.place("app", app, attachments)),
      ...tool.steps,
    ]);
    expect(outcomes.map((outcome) => refusedWords(outcome).length)).toEqual([1, 0]);
    expect(destination?.completeness("mirror/app", small.digest)).toEqual([]);
    expect(destination?.completeness("mirror/tool", tool.signature.digest)).toEqual([]);
  });

  it("is left out of an index of referrers", async () => {
    await using world = await startWorld({
      source: { referrers: false },
      destinations: [{ referrers: false }],
    });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci" });
    const tag = app.digest.replace(":", "-");
    const [good, bad] = [signatureOf(app, "good"), signatureOf(app, "bad")];
    const index = pushTo(world.source, "goharbor/app", buildIndex([good, bad]), tag) as Digest;
    refuseBlob(destination, bad.layers[0]?.digest, 413);
    const { outcomes } = await world.run(world.stepsFor(world.place("app", app, [{ digest: index, tag }])));
    expect(outcomes[0]?.failure).toBeUndefined();
    const present = destination?.manifest("mirror/app", destination.tags("mirror/app").get(tag) ?? "");
    const { manifests } = JSON.parse(present?.bytes.toString() ?? "{}");
    expect(manifests.map(({ digest }: { digest: string }) => digest)).toEqual([good.digest]);
  });

  it("fails the version where the image needs it as well, and where it may be taken later", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci", layers: [{ size: 4096, seed: "shared" }] });
    const signature = buildImage({
      seed: "signature",
      format: "oci",
      subject: app,
      artifactType: "application/x.signature",
      layers: [{ size: 4096, seed: "shared" }],
    });
    world.place("app", signature);
    const image = world.place("app", app, [{ digest: signature.digest as Digest, tag: undefined }]);
    refuseBlob(destination, app.layers[0]?.digest, 413);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(wordsOf(outcomes[0]?.failure)).toContain("413");
    expect(destination?.tags("mirror/app").size).toBe(0);

    await using later = await startWorld({ destinations: [{}] });
    const busy = signed(later);
    refuseBlob(later.destinations[0], busy.signature.layers[0]?.digest, 503);
    expect(wordsOf((await later.run(busy.steps)).outcomes[0]?.failure)).toContain("503");
  });
});

describe("a tag of a signature that the destination refuses", () => {
  it("is told, and the image gets its tag", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci" });
    const signature = buildImage({ seed: "cosign", format: "oci" });
    const tag = `${app.digest.replace(":", "-")}.sig`;
    pushTo(world.source, "goharbor/app", signature, tag);
    const image = world.place("app", app, [{ digest: signature.digest as Digest, tag }]);
    refuse(destination, tag, 412);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes[0]?.failure).toBeUndefined();
    expect([...(destination?.tags("mirror/app").keys() ?? [])]).toEqual(["v1.0.0"]);
    expect(refusedWords(outcomes[0])).toEqual([
      expect.stringContaining(`writing the referrer ${tag} failed with status 412`),
    ]);
  });

  it("fails the version where the registry has trouble of its own", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const app = buildImage({ seed: "app", format: "oci" });
    const signature = buildImage({ seed: "cosign", format: "oci" });
    const tag = `${app.digest.replace(":", "-")}.sig`;
    pushTo(world.source, "goharbor/app", signature, tag);
    const image = world.place("app", app, [{ digest: signature.digest as Digest, tag }]);
    refuse(destination, tag, 503);
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(wordsOf(outcomes[0]?.failure)).toContain("503");
    expect(destination?.tags("mirror/app").size).toBe(0);
  });
});

describe("an index of referrers of which the destination refuses some", () => {
  const app = buildImage({ seed: "app", format: "oci" });
  const tag = app.digest.replace(":", "-");
  const [good, bad] = [signatureOf(app, "good"), signatureOf(app, "bad", "application/x.unknown")];

  async function copied(children: readonly Artifact[], refused: readonly Artifact[]) {
    const world = await startWorld({ source: { referrers: false }, destinations: [{ referrers: false }] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const index = pushTo(world.source, "goharbor/app", buildIndex(children), tag) as Digest;
    const image = world.place("app", app, [{ digest: index, tag }]);
    for (const artifact of refused) refuse(destination, artifact.digest, 403);
    const { outcomes } = await world.run(world.stepsFor(image));
    return { world, destination, outcome: outcomes[0] };
  }

  it("lists the others", async () => {
    const { world, destination, outcome } = await copied([good, bad], [bad]);
    await using _ = world;
    expect(outcome?.failure).toBeUndefined();
    expect(refusedWords(outcome)).toHaveLength(1);
    const present = destination.manifest("mirror/app", destination.tags("mirror/app").get(tag) ?? "");
    const { manifests } = JSON.parse(present?.bytes.toString() ?? "{}");
    expect(manifests.map(({ digest }: { digest: string }) => digest)).toEqual([good.digest]);
  });

  it("is not there where none is left", async () => {
    const { world, destination, outcome } = await copied([bad], [bad]);
    await using _ = world;
    expect(outcome?.failure).toBeUndefined();
    expect([...destination.tags("mirror/app").keys()]).toEqual(["v1.0.0"]);
  });
});

describe("a signature that is refused while several jobs share the work", () => {
  it("is told by the job that copies and by the one that publishes, and the tag is set", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const { app, signature, steps } = signed(world);
    refuse(destination, signature.digest, 403);
    const { outcomes } = await world.run(steps, { moveTags: false });
    expect(refusedWords(outcomes[0])).toHaveLength(1);
    const published = await world.publish(steps);
    expect(published[0]?.failure).toBeUndefined();
    expect(refusedWords(published[0])).toHaveLength(1);
    expect(destination?.tags("mirror/app").get("v1.0.0")).toBe(app.digest);
  });
});
