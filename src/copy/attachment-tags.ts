import * as v from "valibot";
import { type Failure, failureOf, messageOf, OperationError } from "../errors.ts";
import { BodyError, parseJson, readBytes } from "../http/http.ts";
import type { Log } from "../log/log.ts";
import { type Digest, digestOf, hasDigest } from "../oci/digest.ts";
import { buildIndex, type Descriptor, type Manifest } from "../oci/manifest.ts";
import { configOf, type Entry, entriesIn, entriesLacking, withEntries } from "../oci/manifest-entries.ts";
import { isFallbackTag, referrersTag } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { Overwrite } from "../plan/snapshot.ts";
import type { AttachedContent, ImageContent } from "./image-copy.ts";
import { isRefused } from "./refused.ts";
import { setTag, tagFailure } from "./set-tag.ts";
import { once } from "./upload.ts";

/** How the tags of attachments are set. */
export interface AttachmentTagging {
  /** False: a tag that cannot be merged is a failure; else it is left with a warning. */
  readonly overwrite: Overwrite;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Largest config of a signature that is read to merge it, in bytes: a thousand signatures, the most that cosign reads, are 200 kB. */
const configLimit = 1024 * 1024;

/**
 * Sets the tags under which an image's attachments are found. What another has added there stays: it is merged with what
 * comes from the source, or the tag is left alone.
 * @param untracked the manifests with a subject that the registry does not track itself.
 * @returns why tags are not set: the registry refuses them.
 * @throws OperationError
 */
export async function tagAttachmentsOf(
  repository: Repository,
  { attachments }: Pick<ImageContent, "attachments">,
  untracked: readonly Manifest[],
  tagging: AttachmentTagging,
): Promise<readonly Failure[]> {
  const refused: Failure[] = [];
  const bring = (tag: string, manifest: Manifest): Promise<unknown> =>
    afterOthers(repository, tag, () => bringTag(repository, tag, manifest, tagging)).catch(
      (error: unknown) => {
        if (!isRefused(error)) throw error;
        refused.push(failureOf(error));
      },
    );
  const notTracked = new Set(untracked.map(({ digest }) => digest));
  for (const attachment of attachments) {
    const { tag, root } = attachment;
    if (tag === undefined || isTracked(attachment, notTracked)) continue;
    await bring(tag, root.manifest);
  }
  const fallbackTags = new Set(attachments.map(({ tag }) => tag));
  for (const [subject, manifests] of Map.groupBy(untracked, (manifest) => manifest.subject)) {
    if (subject === undefined || fallbackTags.has(referrersTag(subject))) continue;
    await bring(referrersTag(subject), buildIndex(manifests.map(descriptorOf)));
  }
  return refused;
}

/** Whether the registry lists all that a fallback index lists by its referrers API: then the tag stands in for nothing. */
function isTracked({ tag, root }: AttachedContent, untracked: ReadonlySet<Digest>): boolean {
  if (tag === undefined || !isFallbackTag(tag) || root.manifest.blobs.length > 0) return false;
  return root.children.every(
    ({ manifest }) => manifest.subject !== undefined && !untracked.has(manifest.digest),
  );
}

function descriptorOf(manifest: Manifest): Descriptor {
  const { mediaType, digest, bytes, artifactType, annotations } = manifest;
  return { mediaType, digest, size: bytes.length, artifactType, annotations };
}

/** Who was the last to ask for a tag, by the client of the registry and `repository:tag`. */
const settings = new WeakMap<Repository["registry"], Map<string, Promise<void>>>();

/**
 * Sets such a tag after all who asked before. Two routes can bring one image with signatures of their own: if both looked before
 * either has set the tag, one signature would be lost.
 */
function afterOthers(repository: Repository, tag: string, set: () => Promise<void>): Promise<void> {
  const ofRegistry = settings.get(repository.registry) ?? new Map<string, Promise<void>>();
  settings.set(repository.registry, ofRegistry);
  const key = `${repository.name}:${tag}`;
  const before = ofRegistry.get(key);
  // How the setting before ended is for who asked for it.
  const setting = before === undefined ? set() : before.then(set, set);
  ofRegistry.set(key, setting);
  return setting;
}

/** Makes a tag lead to a manifest, or to one that has all entries of it and of what is there. */
async function bringTag(
  repository: Repository,
  tag: string,
  wanted: Manifest,
  tagging: AttachmentTagging,
): Promise<void> {
  const { overwrite, log, signal } = tagging;
  const found = await unlessWithheld(repository.resolve(tag, signal));
  if (found !== "withheld" && found?.digest === wanted.digest) return;
  const set = (manifest: Manifest): Promise<void> => {
    const before = found === "withheld" ? undefined : found?.digest;
    const lookAgain = async (): Promise<void> => {
      const now = await unlessWithheld(repository.resolve(tag, signal));
      if (now === "withheld" || now === undefined || [before, manifest.digest].includes(now.digest)) return;
      throw tagFailure(repository, tag, `another has moved it to ${now.digest} meanwhile`);
    };
    return setTag(repository, tag, manifest, lookAgain, signal, "referrer");
  };
  if (found === undefined) return set(wanted);
  const merged =
    found === "withheld"
      ? "a policy of the registry lets nobody read it now"
      : await merge(repository, tag, found.digest, wanted, signal);
  if (typeof merged === "string") {
    const problem = `the tag has signatures or the like that another has set, and they cannot be merged: ${merged}`;
    if (overwrite === false) throw tagFailure(repository, tag, `${problem}; overwrite is false`);
    log.warning(`${repository.reference}:${tag}: ${problem}; it is left alone`);
  } else if (found === "withheld" || merged.digest !== found.digest) {
    await set(merged);
    log.info(`${repository.reference}:${tag}: merged with what another has added there`);
  }
}

/** @returns what the tag is to lead to: the present manifest where it lacks nothing. A text: why they cannot be merged. */
async function merge(
  repository: Repository,
  tag: string,
  digest: Digest,
  wanted: Manifest,
  signal: AbortSignal,
): Promise<Manifest | string> {
  try {
    const present = await repository.manifest(digest, signal);
    const lacking = entriesLacking(present, wanted);
    if (lacking === undefined) return "one is an index and the other is none";
    if (lacking.length === 0) return present;
    if (isFallbackTag(tag)) return withEntries(present, lacking);
    // cosign reads an SBOM only where it is alone. https://github.com/sigstore/cosign/blob/main/pkg/oci/remote/remote.go
    if (!tag.endsWith(".sig") && !tag.endsWith(".att")) return "this tag holds one document";
    return await mergeImages(repository, present, wanted, lacking, signal);
  } catch (error) {
    signal.throwIfAborted();
    // Only trouble that passes is worth the failure of a version: the rest is the same in every run.
    const passes = error instanceof OperationError && error.temporary;
    if (passes || !(error instanceof OperationError || error instanceof BodyError)) throw error;
    return messageOf(error);
  }
}

const configSchema = v.looseObject({
  rootfs: v.looseObject({ diff_ids: v.array(v.string()) }),
  history: v.optional(v.array(v.unknown())),
});

/**
 * Merges two images of signatures as cosign adds one: the layers follow each other, and the config lists them all. Where the
 * config lists fewer, the next signature cannot be added.
 * https://github.com/sigstore/cosign/blob/main/pkg/oci/mutate/signatures.go
 * @throws OperationError or BodyError
 */
async function mergeImages(
  repository: Repository,
  present: Manifest,
  wanted: Manifest,
  lacking: readonly Entry[],
  signal: AbortSignal,
): Promise<Manifest> {
  const [config, other] = await Promise.all([
    readConfig(repository, present, signal),
    readConfig(repository, wanted, signal),
  ]);
  const theirs = entriesIn(wanted);
  const isAdded = new Set(lacking.map((entry) => JSON.stringify(entry)));
  const added = other.rootfs.diff_ids.filter((_diffId, index) => isAdded.has(JSON.stringify(theirs[index])));
  const document = {
    ...config,
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, ...added] },
    ...(config.history && { history: [...config.history, ...added.map(() => ({ created: noTime }))] }),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const descriptor = { ...configOf(present), digest: digestOf(bytes), size: bytes.length };
  if (!(await repository.hasBlob(descriptor, signal))) {
    const upload = await repository.startUpload(signal);
    await upload.finish(descriptor, once(bytes), 0, { signal });
  }
  return withEntries(present, lacking, descriptor);
}

/** What cosign writes for the time of a layer that has none. */
const noTime = "0001-01-01T00:00:00Z";

/** Reads the config of an image of signatures, and checks that it lists as many layers as the image has. */
async function readConfig(
  repository: Repository,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof configSchema>> {
  const descriptor = manifest.blobs.find(({ digest }) => digest === configOf(manifest).digest);
  if (descriptor === undefined || descriptor.size > configLimit)
    throw new BodyError("its config is not one that lists layers");
  const blob = await repository.readBlob(descriptor, { from: 0, to: descriptor.size }, signal);
  const bytes = await readBytes(blob, descriptor.size);
  if (!hasDigest(bytes, descriptor.digest))
    throw new BodyError(`the bytes of its config do not have the digest ${descriptor.digest}`);
  const config = parseJson(bytes.toString("utf8"), configSchema, "its config");
  if (config.rootfs.diff_ids.length !== entriesIn(manifest).length)
    throw new BodyError("its config does not list its layers");
  return config;
}
