import { describe, expect, it } from "vitest";
import { type Artifact, buildImage, buildIndex, digestOf, mediaTypes, pushTo } from "../../sandbox/images.ts";
import type { RegistryOptions, RegistryServer } from "../../sandbox/registry.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { wordsOf } from "../support/failures.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type RunOptions, startWorld, type World } from "./harness.ts";

const repository = "mirror/core";
const image = buildImage({ seed: "image", format: "oci" });
const tagForm = image.digest.replace(":", "-");

/** A referrer of the image. */
function referrer(seed: string): Artifact {
  return buildImage({ seed, format: "oci", subject: image, artifactType: "application/x.signature" });
}

/** A pushed index or image whose document says more than the builders of the sandbox do. */
function pushDocument(
  server: RegistryServer,
  at: string,
  document: object,
  mediaType: string,
  tag: string,
): Digest {
  return server.putManifest(at, Buffer.from(JSON.stringify(document)), mediaType, tag) as Digest;
}

function descriptorOf(artifact: Artifact, more: object = {}): object {
  const { mediaType, digest, bytes } = artifact;
  return { mediaType, digest, size: bytes.length, ...more };
}

/** An image of signatures as cosign makes it: all keys sign one payload, and the signature is an annotation of the layer. */
function pushSignatures(
  server: RegistryServer,
  at: string,
  keys: readonly string[],
  suffix = ".sig",
): Digest {
  const payload = Buffer.from('{"critical":{},"optional":null}');
  server.putBlob(at, payload);
  const layers = keys.map((key) => ({
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    digest: digestOf(payload),
    size: payload.length,
    annotations: { "dev.cosignproject.cosign/signature": key },
  }));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "",
      history: keys.map(() => ({ created: "0001-01-01T00:00:00Z" })),
      rootfs: { type: "layers", diff_ids: keys.map(() => digestOf(payload)) },
    }),
  );
  server.putBlob(at, config);
  const configDescriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length };
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: configDescriptor, layers };
  return pushDocument(server, at, document, mediaTypes.ociManifest, `${tagForm}${suffix}`);
}

interface Signed {
  readonly world: World;
  readonly destination: RegistryServer;
  /** Copies the image with what the source has under a tag. */
  run(tag: string, options?: RunOptions): Promise<string>;
  /** The document that a tag of the destination leads to. */
  documentAt(tag: string): Record<string, unknown> & { readonly [list: string]: readonly unknown[] };
}

async function startSigned(options: RegistryOptions = { referrers: false }): Promise<Signed> {
  const world = await startWorld({ source: { referrers: false }, destinations: [options] });
  const [destination] = world.destinations;
  if (destination === undefined) throw new Error("no destination");
  const placed = world.place("core", image);
  pushTo(destination, repository, image, "v1.0.0");
  return {
    world,
    destination,
    async run(tag, runOptions) {
      const digest = world.source.tags("goharbor/core").get(tag) as Digest;
      const steps = world.stepsFor({ ...placed, attachments: [{ digest, tag }] });
      const { outcomes } = await world.run(steps, runOptions);
      const failure = outcomes[0]?.failure;
      return wordsOf(failure) ?? "";
    },
    documentAt(tag) {
      const digest = destination.tags(repository).get(tag) ?? "";
      return JSON.parse(destination.manifest(repository, digest)?.bytes.toString() ?? "{}");
    },
  };
}

function writesOf(server: RegistryServer, from: number): readonly string[] {
  return server.requests
    .slice(from)
    .filter(
      ({ method, path }) => method !== "GET" && method !== "HEAD" && !path.includes("/manifests/sha256:"),
    )
    .map(({ method, path }) => `${method} ${path}`);
}

describe("the index of referrers at a registry without the referrers API", () => {
  it("keeps what another has added there, whatever overwrite says, and gets what the source has", async () => {
    for (const overwrite of [true, false, "skip"] as const) {
      const signed = await startSigned();
      await using _world = signed.world;
      const [own, foreign] = [referrer("own"), referrer("foreign")];
      pushTo(signed.world.source, "goharbor/core", buildIndex([own]), tagForm);
      pushTo(signed.destination, repository, foreign);
      const entries = [descriptorOf(foreign, { annotations: { by: "another" }, extra: 1 })];
      const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries, note: "kept" };
      pushDocument(signed.destination, repository, document, mediaTypes.ociIndex, tagForm);
      expect(await signed.run(tagForm, { overwrite })).toBe("");
      const merged = signed.documentAt(tagForm);
      expect(merged).toMatchObject({ note: "kept" });
      expect(merged.manifests).toEqual([...entries, expect.objectContaining({ digest: own.digest })]);
      const before = signed.destination.requests.length;
      expect(await signed.run(tagForm, { overwrite })).toBe("");
      expect(writesOf(signed.destination, before)).toEqual([`PUT /v2/${repository}/manifests/v1.0.0`]);
    }
  });

  it("is not put again over what another has set meanwhile", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    const { destination } = signed;
    pushTo(signed.world.source, "goharbor/core", buildIndex([referrer("own")]), tagForm);
    const foreign = buildIndex([referrer("foreign")]);
    const path = new RegExp(`/manifests/${tagForm}$`);
    destination.fault({ when: { method: "PUT", path }, effect: { status: 503 } });
    const push = () => void pushTo(destination, repository, foreign, tagForm);
    destination.fault({ when: { path }, skip: 2, effect: { run: push } });
    expect(await signed.run(tagForm)).toContain(`another has moved it to ${foreign.digest} meanwhile`);
    expect(destination.tags(repository).get(tagForm)).toBe(foreign.digest);
    expect(await signed.run(tagForm)).toBe("");
    expect(signed.documentAt(tagForm).manifests).toHaveLength(2);
  });

  it("is the source's own, byte for byte, where there is none", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    const index = pushTo(signed.world.source, "goharbor/core", buildIndex([referrer("own")]), tagForm);
    expect(await signed.run(tagForm)).toBe("");
    expect(signed.destination.tags(repository).get(tagForm)).toBe(index);
  });

  it("comes without entries of types that registries do not take", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    const own = referrer("own");
    pushTo(signed.world.source, "goharbor/core", own);
    const artifact = { mediaType: "application/vnd.oci.artifact.manifest.v1+json", size: 2 };
    const manifests = [{ ...artifact, digest: digestOf("{}") }, descriptorOf(own)];
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    pushDocument(signed.world.source, "goharbor/core", document, mediaTypes.ociIndex, tagForm);
    expect(await signed.run(tagForm)).toBe("");
    expect(signed.documentAt(tagForm).manifests).toEqual(manifests.slice(1));
  });

  it("stays as it is where the tag leads to something else", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    pushTo(signed.world.source, "goharbor/core", buildIndex([referrer("own")]), tagForm);
    const foreign = pushTo(signed.destination, repository, referrer("foreign"), tagForm);
    const log = recordingLog();
    expect(await signed.run(tagForm, { log })).toBe("");
    expect(log.warnings.join("\n")).toContain(
      "cannot be merged: one is an index and the other is none; it is left",
    );
    expect(signed.destination.tags(repository).get(tagForm)).toBe(foreign);
  });

  it("keeps what another has added to it where the source has the API", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    const [own, foreign] = [referrer("own"), referrer("foreign")];
    pushTo(signed.destination, repository, buildIndex([foreign]), tagForm);
    const { digest } = signed.world.place("core", own);
    const placed = signed.world.place("core", image);
    const step = signed.world.stepsFor({ ...placed, attachments: [{ digest, tag: undefined }] });
    const { outcomes } = await signed.world.run(step);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(signed.documentAt(tagForm).manifests).toMatchObject([
      { digest: foreign.digest },
      { digest: own.digest },
    ]);
  });
});

describe("the index of referrers at a registry with the referrers API", () => {
  it("is not pushed, under its tag or alone: the registry lists the referrers itself (D6)", async () => {
    const signed = await startSigned({});
    await using _world = signed.world;
    const own = referrer("own");
    const index = pushTo(signed.world.source, "goharbor/core", buildIndex([own]), tagForm);
    expect(await signed.run(tagForm)).toBe("");
    expect(signed.destination.tags(repository).has(tagForm)).toBe(false);
    expect(signed.destination.manifest(repository, index)).toBeUndefined();
    expect(signed.destination.completeness(repository, own.digest)).toEqual([]);
  });

  it("is pushed where it lists what names no subject, which the registry cannot list", async () => {
    const signed = await startSigned({});
    await using _world = signed.world;
    const listed = [referrer("own"), buildImage({ seed: "no subject", format: "oci" })];
    const index = pushTo(signed.world.source, "goharbor/core", buildIndex(listed), tagForm);
    expect(await signed.run(tagForm)).toBe("");
    expect(signed.destination.tags(repository).get(tagForm)).toBe(index);
  });
});

describe.each([".sig", ".att"])("the signatures under cosign's %s", (suffix) => {
  const tag = `${tagForm}${suffix}`;

  it("keep those of another at the destination, and get those of the source, with a config that lists all", async () => {
    for (const overwrite of [true, false, "skip"] as const) {
      const signed = await startSigned();
      await using _world = signed.world;
      pushSignatures(signed.world.source, "goharbor/core", ["ours", "both"], suffix);
      pushSignatures(signed.destination, repository, ["theirs", "both"], suffix);
      expect(await signed.run(tag, { overwrite })).toBe("");
      const merged = signed.documentAt(tag);
      expect(merged.layers).toMatchObject(
        ["theirs", "both", "ours"].map((key) => ({
          annotations: { "dev.cosignproject.cosign/signature": key },
        })),
      );
      const { digest, size } = merged.config as unknown as { digest: string; size: number };
      const config = signed.destination.blob(repository, digest);
      expect(config?.length).toBe(size);
      const { rootfs, history } = JSON.parse(config?.toString() ?? "{}");
      expect([rootfs.diff_ids.length, history.length]).toEqual([3, 3]);
      const before = signed.destination.requests.length;
      expect(await signed.run(tag, { overwrite })).toBe("");
      expect(writesOf(signed.destination, before)).toEqual([`PUT /v2/${repository}/manifests/v1.0.0`]);
    }
  });

  it("are left alone with a warning where a config does not list them; a failure with overwrite: false", async () => {
    const signed = await startSigned();
    await using _world = signed.world;
    pushSignatures(signed.world.source, "goharbor/core", ["ours"], suffix);
    const config = Buffer.from("{}");
    signed.destination.putBlob(repository, config);
    const descriptor = { mediaType: mediaTypes.ociEmpty, digest: digestOf(config), size: config.length };
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: descriptor, layers: [] };
    const foreign = pushDocument(signed.destination, repository, document, mediaTypes.ociManifest, tag);
    const log = recordingLog();
    expect(await signed.run(tag, { log })).toBe("");
    expect(log.warnings.join("\n")).toContain("it is left alone");
    const skipping = recordingLog();
    expect(await signed.run(tag, { overwrite: "skip", log: skipping })).toBe("");
    expect(skipping.warnings.join("\n")).toContain("it is left alone");
    expect(await signed.run(tag, { overwrite: false })).toContain("cannot be merged");
    expect(signed.destination.tags(repository).get(tag)).toBe(foreign);
  });
});

it("leaves an SBOM under cosign's .sbom alone, of which cosign reads one alone", async () => {
  const tag = `${tagForm}.sbom`;
  const signed = await startSigned();
  await using _world = signed.world;
  pushTo(signed.world.source, "goharbor/core", buildImage({ seed: "sbom", format: "oci" }), tag);
  const foreign = pushTo(signed.destination, repository, buildImage({ seed: "other", format: "oci" }), tag);
  const log = recordingLog();
  expect(await signed.run(tag, { log })).toBe("");
  expect(log.warnings.join("\n")).toContain(
    "cannot be merged: this tag holds one document; it is left alone",
  );
  expect(await signed.run(tag, { overwrite: false })).toContain("overwrite is false");
  expect(signed.destination.tags(repository).get(tag)).toBe(foreign);
});

describe("what is attached to an attachment", () => {
  it.each([true, false])("is copied: the signature of an SBOM (referrers API: %s)", async (referrers) => {
    await using world = await startWorld({ source: { referrers }, destinations: [{}, { referrers: false }] });
    const placed = world.place("core", image);
    const sbom = referrer("sbom");
    const { digest } = world.place("core", sbom);
    const signature = buildImage({ seed: "signature", format: "oci", ...(referrers && { subject: sbom }) });
    const tag = `${sbom.digest.replace(":", "-")}.sig`;
    pushTo(world.source, "goharbor/core", signature, referrers ? undefined : tag);
    const steps = world.stepsFor({ ...placed, attachments: [{ digest, tag: undefined }] });
    const { outcomes } = await world.run(steps);
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const destination of world.destinations) {
      expect(destination.completeness(repository, signature.digest)).toEqual([]);
      if (!referrers) expect(destination.tags(repository).get(tag)).toBe(signature.digest);
    }
  });
});
