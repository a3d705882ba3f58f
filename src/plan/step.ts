import { type Failure, sentenceOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Overwrite, SourceImage } from "./snapshot.ts";

/** An image of a version at a destination. */
export interface PlannedPlace {
  /** The route that it is of; absent where a run has only one. */
  readonly route?: string;
  readonly destination: string;
  /** Tag of the version. */
  readonly version: string;
  /** Name below the destination's namespace. */
  readonly image: string;
  readonly tag: string;
}

/** What happens to it, and why. */
export interface PlannedImage extends PlannedPlace {
  readonly reason: string;
}

/** The image is brought to the destination and its tag is set. */
export interface CopyStep extends PlannedImage {
  readonly kind: "copy";
  readonly source: SourceImage;
  /** What the tag points to now, if that is something else. */
  readonly replaces: Digest | undefined;
  /** What is done with a tag that another sets after the plan was made; absent: it is replaced. */
  readonly overwrite?: Exclude<Overwrite, true>;
  /** It is in place already, and lacks signatures or the like only. */
  readonly attachmentsOnly?: true;
  /** The tag is one that moves, such as `latest`: that it does is news, and no warning. */
  readonly floating?: true;
}

/** Another mechanism brings the image to the destination: nothing is written there, and its tag is read until it is right. */
export interface AwaitStep extends PlannedImage {
  readonly kind: "await";
  /** What the tag is to point to. */
  readonly digest: Digest;
}

/** Nothing has to be done, or nothing is done on purpose. */
export interface SkipStep extends PlannedImage {
  readonly kind: "skip";
  /** Present when the image is in place. */
  readonly digest: Digest | undefined;
  /** Present where it is a Helm chart, as far as its source tells. */
  readonly isChart?: true;
  /** The reason, as data, where the user is to be warned of it. */
  readonly warning?: Failure;
}

/** The image cannot be brought to the destination; the run fails, the rest goes on. */
export interface FailStep extends PlannedImage {
  readonly kind: "fail";
  /** The reason, as data. */
  readonly failure: Failure;
}

/** An image of a version that is kept. */
export interface KeptImage extends Pick<PlannedImage, "image" | "tag"> {
  /** What this run brings there, or has found in place; absent where nobody has asked. */
  readonly digest?: Digest | undefined;
}

/** The destination keeps this version. */
export interface KeepStep {
  readonly kind: "keep";
  readonly route?: string;
  readonly destination: string;
  readonly version: string;
  /** What the version is complete with here: all of it must be there before anything is deleted. */
  readonly images: readonly KeptImage[];
  readonly reason: string;
}

/** The tag is deleted, once everything has been copied well. */
export interface PruneStep extends PlannedImage, MaybeUntagged {
  readonly kind: "prune";
  readonly digest: Digest | undefined;
}

/** The tag belongs to a version that is not kept, but stays. */
export interface LeaveStep extends PlannedImage, MaybeUntagged {
  readonly kind: "leave";
  /** Its version goes, and counts for `prune-limit`: this tag stays because deleting it may take another along. */
  readonly goesButShared?: true;
}

/** Such a step can be about what a tag held, and not about the tag. */
interface MaybeUntagged {
  /** What the tag held until this run overwrites it: the step is about this manifest, and the tag stays. */
  readonly untagged?: Digest;
}

/** What is planned for an image of a wanted version. */
export type ImageStep = CopyStep | AwaitStep | SkipStep | FailStep;

/** What is planned for what a destination keeps. */
export type RetentionStep = KeepStep | PruneStep | LeaveStep;

export type Step = ImageStep | RetentionStep;

/** Stands for the version of what could not be listed: it is none that is known. */
export const unknownVersion = "*";

/**
 * What a step is about, below the namespace: `image:tag`, or `image@digest` where the tag itself stays. Of what could not be
 * listed, the route.
 */
export function subjectOf(step: Exclude<Step, KeepStep>): string {
  if (step.version === unknownVersion) return nameOfVersion(step);
  return isUntagged(step) ? `${step.image}@${step.untagged}` : `${step.image}:${step.tag}`;
}

/** Whether a step is about what an overwritten tag held, and not about the tag. */
export function isUntagged(step: Step): step is (PruneStep | LeaveStep) & { readonly untagged: Digest } {
  return "untagged" in step && step.untagged !== undefined;
}

/** The step of an image that cannot be brought to a destination. */
export function failing(place: PlannedPlace, failure: Failure): FailStep {
  return { kind: "fail", ...placeOf(place), reason: sentenceOf(failure), failure };
}

/** Where a step is planned, without what is planned there. */
export function placeOf({ route, destination, version, image, tag }: PlannedPlace): PlannedPlace {
  const place = { destination, version, image, tag };
  return route === undefined ? place : { route, ...place };
}

/** Whether the steps are of several routes. */
export function hasRoutes({ steps }: { readonly steps: readonly Pick<PlannedPlace, "route">[] }): boolean {
  return steps.some(({ route }) => route !== undefined);
}

/** What is mirrored as one at a destination: the steps of one version of one route. */
export function versionKey({ route = "", version }: Pick<PlannedPlace, "route" | "version">): string {
  return `${route} ${version}`;
}

/** What a reader knows a version by: of several routes, with the route. */
export function nameOfVersion({ route, version }: Pick<PlannedPlace, "route" | "version">): string {
  if (route === undefined) return version;
  return version === unknownVersion ? route : `${route} ${version}`;
}

/** Why an image is held back with another one of its version (P3). @param what happens to that one. */
export function heldBackBy({ image, tag }: PlannedPlace, what: string): Failure {
  return { kind: "held-back", problem: `held back: ${image}:${tag} of this version ${what}` };
}

/** The step of an image that is left as it is, where `overwrite` is skip. */
export function leavingAlone(planned: PlannedPlace, warning: Failure): SkipStep {
  const place = placeOf(planned);
  return { kind: "skip", digest: undefined, ...place, reason: sentenceOf(warning), warning };
}

/** Whether an image is left as it is because `overwrite` is skip. */
export function isLeftAlone(step: Step): step is SkipStep & { readonly warning: Failure } {
  return step.kind === "skip" && step.warning !== undefined && step.digest === undefined;
}

/** Whether an image is in place, and no source has it to compare it with. */
export function isUncompared(step: Step): boolean {
  return step.kind === "skip" && step.warning !== undefined && step.digest !== undefined;
}

export function isImageStep(step: Step): step is ImageStep {
  return step.kind === "copy" || step.kind === "await" || step.kind === "skip" || step.kind === "fail";
}

/** The digest that a step is about, where it is known. */
export function digestOfStep(step: Step): Digest | undefined {
  if (step.kind === "copy") return step.source.digest;
  if (step.kind === "leave") return step.untagged;
  return step.kind === "fail" || step.kind === "keep" ? undefined : step.digest;
}
