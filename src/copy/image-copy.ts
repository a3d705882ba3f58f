import { type Failure, failureOf } from "../errors.ts";
import { withAttachedBelow } from "../inventory/attached-below.ts";
import type { AttachmentFinder } from "../inventory/attachments.ts";
import type { Digest } from "../oci/digest.ts";
import { type Descriptor, isAttestation, keepChildren, type Manifest } from "../oci/manifest.ts";
import { onlyManifests } from "../oci/manifest-entries.ts";
import { isFallbackTag } from "../oci/reference.ts";
import type { ManifestRole, Repository } from "../oci/repository.ts";
import { madeHere, type SourceImage } from "../plan/snapshot.ts";
import {
  blobsOf,
  type ManifestNode,
  manifestsInOrder,
  type ReadManifest,
  readImageGraph,
} from "./image-graph.ts";
import { isRefused, lacksContent } from "./refused.ts";

/** Everything of an image that goes to a destination. */
export interface ImageContent {
  readonly root: ManifestNode;
  /** Signatures and the like, with the tag that each is to have. */
  readonly attachments: readonly AttachedContent[];
  /** All blobs, those of attachments included, each once. */
  readonly blobs: readonly Descriptor[];
}

export interface AttachedContent {
  readonly root: ManifestNode;
  readonly tag: string | undefined;
}

/**
 * Reads the manifests of an image, and of all that is attached to it, to its platforms and to attachments.
 * @param finder undefined: attachments are not wanted.
 * @throws OperationError
 */
export async function readImage(
  image: SourceImage,
  source: Repository,
  finder: AttachmentFinder | undefined,
  signal: AbortSignal,
  read: ReadManifest,
): Promise<ImageContent> {
  const made = new Map(madeHere(image).map((manifest) => [manifest.digest, manifest]));
  const readOrMade: ReadManifest = async (from, digest, until) =>
    made.get(digest) ?? read(from, digest, until);
  const root = await readImageGraph(
    source,
    await readOrMade(source, image.digest, signal),
    signal,
    readOrMade,
  );
  const children = manifestsInOrder(root).map((manifest) => manifest.digest);
  const below = children.filter((digest) => digest !== image.digest && !made.has(digest));
  const found =
    finder === undefined || image.unattached === true
      ? image.attachments
      : await withAttachedBelow(image.attachments, below, source, finder, signal);
  const attachments = await Promise.all(
    found.map(async ({ digest, tag }) => {
      const whole = await read(source, digest, signal);
      const manifest = tag !== undefined && isFallbackTag(tag) ? onlyManifests(whole) : whole;
      return { root: await readImageGraph(source, manifest, signal, read), tag };
    }),
  );
  const blobs = new Map<Digest, Descriptor>();
  for (const node of [root, ...attachments.map((attachment) => attachment.root)]) {
    for (const blob of blobsOf(node)) blobs.set(blob.digest, blob);
  }
  return { root, attachments, blobs: [...blobs.values()] };
}

/**
 * What is put by digest, with all below it, the image first. The index of a fallback tag is not: it is put under its tag, as it is or merged, or
 * nowhere, where the registry has the referrers API.
 */
export function rootsOf({ root, attachments }: ImageContent): readonly [ManifestNode, ...ManifestNode[]] {
  const attached = attachments.flatMap((attachment) =>
    attachment.tag !== undefined && isFallbackTag(attachment.tag)
      ? attachment.root.children
      : [attachment.root],
  );
  return [root, ...attached];
}

/** How many manifests an image has, those of attachments included, each once. */
export function manifestsIn({ root, attachments }: ImageContent): number {
  const all = [root, ...attachments.map((attachment) => attachment.root)].flatMap(manifestsInOrder);
  return new Set(all.map(({ digest }) => digest)).size;
}

/**
 * Sends blobs once more.
 * @param lacks whether the registry has said that it lacks them: else it is asked, and only what it does not have is sent.
 */
export type BringBack = (blobs: readonly Descriptor[], lacks: boolean) => Promise<void>;

/** What a destination has taken of an image. */
export interface PutImage {
  /** The image, and what is attached to it without what was refused. */
  readonly content: ImageContent;
  /** The manifests with a subject that the registry does not track itself. */
  readonly untracked: readonly Manifest[];
  /** Why signatures and the like are not there: the registry refuses them. */
  readonly refused: readonly Failure[];
}

/**
 * Puts the manifests of an image by digest, children before parents. Its blobs must be there. No tag moves. What is attached to
 * the image comes after it: where the registry refuses that, it has the image all the same.
 * @param bringBack for blobs that the registry turns out to lack.
 * @throws OperationError
 */
export async function putImage(
  content: ImageContent,
  repository: Repository,
  bringBack: BringBack,
  signal: AbortSignal,
): Promise<PutImage> {
  const untracked = new Set<Digest>();
  // Each manifest is put once: indexes that share children can have more paths through them than a run has time for.
  const puts = new Map<Digest, Promise<void>>();
  const putOnce = (node: ManifestNode, role: ManifestRole): Promise<void> => {
    const { digest, subject } = node.manifest;
    const known = puts.get(digest);
    if (known !== undefined) return known;
    const putting = putChildren(node, role).then(async () => {
      const { tracksSubject } = await putNode(node, role, repository, bringBack, signal);
      if (subject !== undefined && !tracksSubject) untracked.add(digest);
    });
    puts.set(digest, putting);
    return putting;
  };
  /** Waits for all: if a platform is refused as well, that is the cause, and not what attestations are. */
  const putChildren = async ({ manifest, children }: ManifestNode, role: ManifestRole): Promise<void> => {
    const attestations = new Set(manifest.children.filter(isAttestation).map(({ digest }) => digest));
    const isOne = (child: ManifestNode): boolean => attestations.has(child.manifest.digest);
    const ordered = [...children.filter((child) => !isOne(child)), ...children.filter(isOne)].map((child) =>
      putOnce(child, role === "image" && isOne(child) ? "attestation" : role),
    );
    const refused = (await Promise.allSettled(ordered)).find(({ status }) => status === "rejected");
    if (refused?.status === "rejected") throw refused.reason;
  };
  const [image, ...attached] = rootsOf(content);
  await putOnce(image, "image");
  const refused = new Map<Digest, Failure>();
  for (const root of attached) {
    await putOnce(root, "referrer").catch((error: unknown) => {
      if (!isRefused(error)) throw error;
      refused.set(root.manifest.digest, failureOf(error));
    });
  }
  const taken = withoutAttachments(content, new Set(refused.keys()));
  return {
    content: taken,
    // In the order of the images, not of the answers, so that the fallback index is always the same.
    untracked: rootsOf(taken)
      .flatMap(manifestsInOrder)
      .filter(({ digest }) => untracked.delete(digest)),
    refused: [...refused.values()],
  };
}

/** An image without the attachments that need a blob which the destination refuses. */
export function withoutBlobs(content: ImageContent, refused: ReadonlySet<Digest>): ImageContent {
  const [, ...attached] = rootsOf(content);
  const needing = attached.filter((root) => blobsOf(root).some(({ digest }) => refused.has(digest)));
  const roots = new Set(needing.map(({ manifest }) => manifest.digest));
  return {
    ...withoutAttachments(content, roots),
    blobs: content.blobs.filter(({ digest }) => !refused.has(digest)),
  };
}

/** An image without some attachments; an index of referrers lists the others. */
function withoutAttachments(content: ImageContent, refused: ReadonlySet<Digest>): ImageContent {
  if (refused.size === 0) return content;
  const isTaken = ({ manifest }: ManifestNode): boolean => !refused.has(manifest.digest);
  const attachments = content.attachments
    .filter(({ root }) => isTaken(root))
    .flatMap(({ root, tag }) => {
      const children = root.children.filter(isTaken);
      if (children.length === root.children.length) return [{ root, tag }];
      const manifest = keepChildren(root.manifest, ({ digest }) => !refused.has(digest));
      return children.length === 0 ? [] : [{ root: { manifest, children }, tag }];
    });
  return { ...content, attachments };
}

/**
 * Puts a manifest whose children are there. If the registry says that it lacks blobs, it has lost them, or never had them
 * whatever a HEAD says (https://github.com/goharbor/harbor/issues/16624): those that it names are sent in any case, and all of
 * them if it does not name any twice.
 */
async function putNode(
  node: ManifestNode,
  role: ManifestRole,
  repository: Repository,
  bringBack: BringBack,
  signal: AbortSignal,
): Promise<{ tracksSubject: boolean }> {
  const { manifest } = node;
  const put = (): Promise<{ tracksSubject: boolean }> =>
    repository.putManifest(manifest.digest, manifest, signal, role);
  const left = new Map(manifest.blobs.map((blob) => [blob.digest, blob]));
  for (let first = true; ; first = false) {
    try {
      return await put();
    } catch (error) {
      if (!lacksContent(error)) throw error;
      const names = error.details.digests ?? [];
      const named = [...left.values()].filter(({ digest }) => names.includes(digest));
      const lacking = named.length === 0 && !first ? [...left.values()] : named;
      if (lacking.length === 0 && !first) throw error;
      for (const { digest } of lacking) left.delete(digest);
      if (lacking.length > 0) await bringBack(lacking, true);
      if (!first) continue;
      if (left.size > 0) await bringBack([...left.values()], false);
      for (const child of manifestsInOrder(node).filter(({ digest }) => digest !== manifest.digest)) {
        await repository.putManifest(child.digest, child, signal);
      }
    }
  }
}
