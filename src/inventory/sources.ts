import { type Failure, failureOf, messageOf, OperationError, sentenceOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { type DescriptorPlatform, type Manifest, selectChildren } from "../oci/manifest.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import { isWanted, type Platform } from "../oci/platform.ts";
import {
  type Namespace,
  printNamespace,
  printReference,
  repositoryOf,
  sameNamespace,
} from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { Repository, ResolvedManifest } from "../oci/repository.ts";
import type { Component } from "../plan/component.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import type { AttachmentFinder, SearchedRepository } from "./attachments.ts";
import { bareIndex } from "./bare-index.ts";

/** What a look at a source needs of a repository. */
export type RepositoryToRead = SearchedRepository &
  Pick<Repository, "name" | "registry" | "manifest" | "resolveInDoubt">;

/** A place that images are read from. */
export interface Source extends Namespace {
  readonly client: Pick<Registry, "foresee" | "pullBudget">;
  /** Whether only the lines of `images` that name it are read from it. */
  readonly onlyNamed?: boolean;
  /** Present where it has nothing but Helm charts. */
  readonly charts?: true;
  readonly repository: (name: string) => RepositoryToRead;
}

/** What a destination wants of an image. */
export interface Receiver extends Namespace {
  /** Whether images keep BuildKit's attestations in their index there. */
  readonly attestations: boolean;
}

/** What each source says about one image: where it is there, or why it is not. */
export interface Location {
  readonly component: Component;
  /** In the order of the sources. */
  readonly answers: readonly Answer[];
}

/** What one source says. */
export interface Answer {
  readonly source: Source;
  readonly image: SourceImage | undefined;
  /** The image for destinations that take no attestations; the same where it has none. */
  readonly imageWithoutAttestations: SourceImage | undefined;
  /** Why there is none. */
  readonly reason: Failure | undefined;
  /** The platforms of the index that was read to choose some of them; undefined where none was read. */
  readonly platforms: readonly DescriptorPlatform[] | undefined;
}

export interface SourceOptions {
  /** In order of preference. */
  readonly sources: readonly Source[];
  readonly platforms: "all" | readonly Platform[];
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
  readonly log: Log;
}

/** The sources of an image: the one that its line names, else those that serve every image. */
export function sourcesOf<Place extends Namespace & Pick<Source, "onlyNamed">>(
  named: Namespace | undefined,
  sources: readonly Place[],
): readonly Place[] {
  return sources.filter((source) =>
    named === undefined ? source.onlyNamed !== true : sameNamespace(source, named),
  );
}

/** Tells the clients of sources which repositories they will be asked about: one token then serves for many. */
export function foreseeReading(
  images: readonly Pick<Component, "source" | "from">[],
  sources: readonly Omit<Source, "repository">[],
): void {
  for (const source of sources) {
    const read = images.filter((image) => sourcesOf(image.source, [source]).length > 0);
    source.client.foresee(read.map(({ from }) => repositoryOf(source, from)));
  }
}

/**
 * Looks for an image at the sources, in order, until there is one for every destination: a source that is the destination
 * itself does not count for it. Sends HEAD only, which Docker Hub does not count as a pull.
 * A source that fails is skipped. If no other has the image, its failure is reported.
 */
export async function locate(
  component: Component,
  destinations: readonly Receiver[],
  options: SourceOptions,
  signal: AbortSignal,
): Promise<Location> {
  const answers: Answer[] = [];
  for (const source of sourcesOf(component.source, options.sources)) {
    const everyoneServed = destinations.every(
      (destination) => imageFor({ component, answers }, destination) !== undefined,
    );
    if (answers.length > 0 && everyoneServed) break;
    answers.push({ source, ...(await askSource(component, source, destinations, options, signal)) });
  }
  if (isThere({ component, answers })) return { component, answers };
  const inDoubt = answers.map(async (answer) =>
    answer.reason === notFound && (await isHidden(component, answer.source, options, signal))
      ? { ...answer, ...(await askSource(component, answer.source, destinations, options, signal)) }
      : answer,
  );
  return { component, answers: await Promise.all(inDoubt) };
}

/** What a source answers that does not have an image. */
const notFound: Failure = { kind: "obstacle", problem: "not found" };

/** Whether an image that HEAD did not find is there all the same. */
async function isHidden(
  component: Component,
  source: Source,
  { log }: SourceOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const repository = source.repository(repositoryOf(source, component.from));
  try {
    return (await repository.resolveInDoubt(component.fromTag, signal)) !== undefined;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    log.debug(messageOf(error));
    return false;
  }
}

/** The image that a destination gets: the first that another namespace has. */
export function imageFor({ answers }: Location, destination: Receiver): SourceImage | undefined {
  const answer = answers.find(
    ({ source, image }) => image !== undefined && !sameNamespace(source, destination),
  );
  return destination.attestations ? answer?.image : answer?.imageWithoutAttestations;
}

/** Whether any source has the image. */
export function isThere({ answers }: Location): boolean {
  return answers.some(({ image }) => image !== undefined);
}

/**
 * Why no source has an image: the first failure, if there is one, and what the others answered.
 * @param what is said of the image.
 */
export function whyMissing({ component, answers }: Location, what = "the image is at no source"): Failure {
  const failed = answers.map(({ reason }) => reason).find((reason) => reason?.kind === "operation");
  const others = answers.flatMap(({ source, reason }) =>
    reason === undefined || reason === failed ? [] : [`${printNamespace(source)}: ${withoutNames(reason)}`],
  );
  const problem = others.length === 0 ? what : `${what} (${others.join("; ")})`;
  return failed === undefined
    ? { kind: "obstacle", problem, subject: printReference(component.from, component.fromTag) }
    : { ...failed, consequence: problem };
}

/** Why nobody knows whether an image is at another source than the destination itself: one of them is in trouble. */
export function whyUnanswered(location: Location, destination: Receiver): Failure | undefined {
  if (imageFor(location, destination) !== undefined) return undefined;
  const others = location.answers.filter(({ source }) => !sameNamespace(source, destination));
  if (!others.some(({ reason }) => reason?.kind === "operation")) return undefined;
  return whyMissing({ ...location, answers: others }, "no source other than this destination has it");
}

/** In the same words for every image: which one it is stands elsewhere. */
function withoutNames(reason: Failure): string {
  return sentenceOf({
    ...reason,
    subject: undefined,
    ...(reason.kind === "operation" && { repository: undefined }),
  });
}

/**
 * Asks one source for an image. HEAD only, unless a part of it has to be chosen.
 * @returns the image; or, without one, why the source does not have it.
 * @throws OperationError when the source is in trouble for good.
 */
async function askSource(
  component: Component,
  source: Source,
  destinations: readonly Receiver[],
  options: SourceOptions,
  signal: AbortSignal,
): Promise<Omit<Answer, "source">> {
  const repository = source.repository(repositoryOf(source, component.from));
  try {
    const resolved = await repository.resolve(component.fromTag, signal);
    if (resolved === undefined) return { ...noImage, reason: notFound };
    const isBareWanted = destinations.some(({ attestations }) => !attestations);
    const inPart = options.platforms !== "all" || isBareWanted;
    const index = inPart ? await readIndex(repository, resolved, signal) : undefined;
    const chosen = index && choosePlatforms(repository, index, options);
    const bared =
      chosen && isBareWanted
        ? await bareIndex(chosen, (digest) => repository.manifest(digest, signal))
        : undefined;
    const bare = bared?.top ?? chosen;
    const imageOf = async (
      manifest: Manifest | undefined,
      isWanted: boolean,
      rewrittenBelow: readonly Manifest[] = [],
    ): Promise<SourceImage> => {
      const rewritten = manifest === index ? undefined : manifest;
      // A signature of the whole index does not sign a part of it.
      const finder = rewritten === undefined && isWanted ? options.attachments : undefined;
      return {
        source: { registry: source.registry, path: source.path },
        repository: repository.name,
        tag: component.fromTag,
        digest: manifest?.digest ?? resolved.digest,
        mediaType: resolved.mediaType,
        ...(source.charts && { isChart: true }),
        rewritten,
        rewrittenBelow,
        attachments: (await finder?.find(repository, resolved.digest, signal)) ?? [],
        ...(options.attachments === undefined && { unattached: true }),
      };
    };
    const isSame = bare === chosen;
    const changed = `${repository.reference}@${resolved.digest}`;
    if (chosen !== index)
      options.log.info(`${changed}: with only the wanted platforms it becomes ${chosen?.digest}`);
    if (!isSame) options.log.info(`${changed}: without attestations it becomes ${bare?.digest}`);
    const image = await imageOf(chosen, isSame || destinations.some(({ attestations }) => attestations));
    return {
      image,
      imageWithoutAttestations: isSame ? image : await imageOf(bare, true, bared?.below),
      reason: undefined,
      platforms:
        options.platforms === "all" ? undefined : index?.children.flatMap(({ platform }) => platform ?? []),
    };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    options.log.debug(messageOf(error));
    // To a login that may not know what exists, registries answer 401 or 403 for what does not.
    if (error.status === 401 || error.status === 403) {
      const problem = `refused with status ${error.status}: not there, or not public`;
      return { ...noImage, reason: { kind: "obstacle", problem } };
    }
    // A failure of one source, such as used up pulls, does not keep the next one from serving the image.
    return { ...noImage, reason: failureOf(error) };
  }
}

const noImage = { image: undefined, imageWithoutAttestations: undefined, platforms: undefined } as const;

/** The index of an image. That is a pull, but for an image that is known to be no index. */
async function readIndex(
  repository: RepositoryToRead,
  { digest, mediaType }: ResolvedManifest,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  if (isManifestType(mediaType) && !isIndexType(mediaType)) return undefined;
  const manifest = await repository.manifest(digest, signal);
  return manifest.kind === "index" ? manifest : undefined;
}

/** What fails where the input `platforms` leaves nothing of an image. */
const choosing = "choosing the platforms of";

/** Whether a source has an image of which the inputs leave nothing. */
export function isLeftNothing({ answers }: Location): boolean {
  return answers.some(({ reason }) => reason?.kind === "operation" && reason.operation === choosing);
}

/** The index with only the wanted platforms: the same where they are all. */
function choosePlatforms(
  repository: RepositoryToRead,
  index: Manifest,
  { platforms }: SourceOptions,
): Manifest {
  const { digest } = index;
  if (platforms === "all") return index;
  try {
    return selectChildren(index, (of) => isWanted(of, platforms));
  } catch (error) {
    const request = {
      scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
      operation: choosing,
      subject: digest,
    };
    const advice = 'Change the input "platforms".';
    throw repository.registry.failure(request, { problem: messageOf(error), advice, cause: error });
  }
}
