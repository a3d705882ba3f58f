import type { DestinationInput } from "../destinations/destination-input.ts";
import { InputError } from "../errors.ts";
import type { Trigger } from "../github/event.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import { harbor, sameRepository } from "../harbor/harbor-components.ts";
import type { RouteInputs } from "../inputs/inputs.ts";
import { printable } from "../log/log.ts";
import { ofTags, parseSelection, type Selection } from "../plan/selection.ts";
import { areFixed } from "../plan/tag-versions.ts";
import { type Release, versionOf } from "../plan/version.ts";

/** Which versions this run is about, of a repository's releases or of the tags at the sources; or, with the reason, none. */
export type Resolution =
  | {
      readonly kind: "releases";
      readonly repository: RepositoryId;
      readonly selection: Selection;
      /** The release of the event, for when GitHub's list does not show it yet. */
      readonly eventRelease: Release | undefined;
      /** Whether the event chose the version, and not a person: then a prerelease is passed over quietly. */
      readonly byEvent: boolean;
    }
  | { readonly kind: "tags"; readonly selection: Selection }
  | { readonly kind: "nothing"; readonly reason: string };

/** What the inputs of a route ask for, once the event has been read. */
export type Wanted = Exclude<Resolution, { kind: "nothing" }>;
export type WantedReleases = Extract<Resolution, { kind: "releases" }>;

/** The inputs that decide which versions are wanted. */
export interface SelectionInputs
  extends Pick<
    RouteInputs,
    "name" | "version" | "versionsFrom" | "images" | "repository" | "retention" | "prereleases"
  > {
  readonly destinations: readonly Pick<DestinationInput, "retention">[];
}

/** A route, and which of its versions are wanted. */
export interface WantedRoute {
  readonly inputs: RouteInputs;
  readonly wanted: Wanted;
}

/** A route that has nothing to do in this run. */
export interface IdleRoute {
  readonly inputs: Pick<RouteInputs, "name" | "destinations">;
  readonly reason: string;
}

/** The routes of a run, by whether there is anything to do. */
export interface ResolvedRoutes {
  readonly wanted: readonly WantedRoute[];
  readonly idle: readonly IdleRoute[];
}

/**
 * Decides for each route from its inputs and the event what is wanted.
 * @throws InputError when neither says it for one of them, with the name of the route.
 */
export function resolveRoutes(routes: readonly RouteInputs[], trigger: Trigger): ResolvedRoutes {
  const wanted: WantedRoute[] = [];
  const idle: IdleRoute[] = [];
  for (const inputs of routes) {
    const resolution = namingRoute(inputs, () => resolveSelection(inputs, trigger));
    if (resolution.kind === "nothing") idle.push({ inputs, reason: resolution.reason });
    else wanted.push({ inputs, wanted: resolution });
  }
  return { wanted, idle };
}

/** Does something for a route. What is thrown for a mistake in the inputs names the route. */
function namingRoute<T>({ name }: Pick<RouteInputs, "name">, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof InputError) || name === undefined) throw error;
    throw new InputError(`${name}: ${error.message}`, { cause: error });
  }
}

/** What is said of a route that has nothing to do. */
export function sentenceOfIdle({ inputs: { name }, reason }: IdleRoute): string {
  return name === undefined ? reason : `${name}: ${reason}`;
}

/** Actions of a `release` event after which the release is there for everyone. */
const publishingActions: readonly string[] = ["published", "released", "prereleased"];

/**
 * Decides from inputs and event what is wanted. The input `version` wins over the event.
 * @throws InputError when neither says it, saying what to set; or when the event is of a failed run, a draft, or a
 *   release that was not just published.
 */
export function resolveSelection(inputs: SelectionInputs, trigger: Trigger): Resolution {
  if (inputs.versionsFrom === "tags")
    return { kind: "tags", selection: ofTags(selectionOfTags(inputs, trigger)) };
  const about = ofEvent(trigger);
  const repository = inputs.repository ?? about ?? harbor;
  const isOfOther = about !== undefined && !sameRepository(repository, about);
  if (inputs.name !== undefined && inputs.version === undefined && isOfOther)
    return { kind: "nothing", reason: `the event is about ${printable(`${about.owner}/${about.name}`)}` };
  const wanted = inputs.version ?? selectionOf(inputs, trigger);
  if (typeof wanted === "string") return { kind: "nothing", reason: wanted };
  const byEvent = inputs.version === undefined && trigger.kind !== "workflow_dispatch";
  return {
    kind: "releases",
    repository,
    selection: wanted,
    eventRelease: eventRelease(trigger, repository),
    byEvent,
  };
}

/**
 * The repository that an event is about. What is released, tagged or built there is its own; a schedule or a person says
 * nothing of the kind, and is mostly in a repository that mirrors another.
 */
function ofEvent(trigger: Trigger): RepositoryId | undefined {
  const { kind } = trigger;
  return kind === "release" || kind === "push" || kind === "workflow_run" ? trigger.repository : undefined;
}

/** The tags at the sources do not depend on an event, but for the version that a person gives to one. */
function selectionOfTags(inputs: SelectionInputs, trigger: Trigger): Selection {
  if (inputs.version !== undefined) return inputs.version;
  if (trigger.kind === "workflow_dispatch" && trigger.version !== undefined)
    return dispatchSelection(trigger.version);
  if (inputs.images !== "auto" && inputs.images.length > 0 && areFixed(inputs.images))
    return parseSelection("glob:*");
  return newestKept(inputs);
}

/** What the event asks for; or, as a text, why it asks for nothing. */
function selectionOf(inputs: SelectionInputs, trigger: Trigger): Selection | string {
  switch (trigger.kind) {
    case "release":
      return ofRelease(inputs, trigger);
    case "workflow_run":
      return ofTag(inputs, workflowRunTag(trigger));
    case "push":
      if (trigger.tag === undefined) throw noVersion("a push event of a branch names no version");
      return ofTag(inputs, trigger.tag);
    case "schedule":
      return newestKept(inputs);
    case "workflow_dispatch":
      if (trigger.version === undefined) {
        throw noVersion('the workflow_dispatch event has no value for an input "version"');
      }
      return dispatchSelection(trigger.version);
    case "other":
      throw noVersion(
        trigger.name === "" ? "there is no event" : `the event ${printable(trigger.name)} names no version`,
      );
  }
}

type ReleaseTrigger = Extract<Trigger, { kind: "release" }>;

function ofRelease(inputs: SelectionInputs, trigger: ReleaseTrigger): Selection | string {
  const tag = printable(trigger.tag);
  if (trigger.draft) {
    throw new InputError(`The release ${tag} is a draft; run on "release: types: [published]".`);
  }
  if (!publishingActions.includes(trigger.action)) {
    throw new InputError(
      `The release event says "${printable(trigger.action)}"; only ${publishingActions.join(", ")} start a mirror run: ` +
        'use "release: types: [published]".',
    );
  }
  return ofTag(inputs, trigger.tag, trigger.prerelease);
}

/** One tag; none for an unwanted prerelease, as those are tagged and published like other versions. */
function ofTag(inputs: SelectionInputs, tag: string, flagged = false): Selection | string {
  const prerelease = flagged || versionOf({ tag, prerelease: false, publishedAt: 0 })?.prerelease === true;
  if (!prerelease || inputs.prereleases) return { kind: "tags", tags: [tag] };
  return unwantedPrerelease(tag);
}

/** Why a prerelease does not count. */
export const prereleaseReason = 'a prerelease, and the input "prereleases" is false';

/** Why the prerelease of an event is not mirrored. */
export function unwantedPrerelease(tag: string): string {
  return `${printable(tag)} is ${prereleaseReason}`;
}

/** The release that was just published, if it is one of the repository whose releases count. */
function eventRelease(trigger: Trigger, repository: RepositoryId): Release | undefined {
  if (trigger.kind !== "release" || !publishingActions.includes(trigger.action)) return undefined;
  const { tag, prerelease, publishedAt } = trigger;
  if (trigger.draft || publishedAt === undefined) return undefined;
  return sameRepository(repository, trigger.repository) ? { tag, prerelease, publishedAt } : undefined;
}

function workflowRunTag(trigger: Extract<Trigger, { kind: "workflow_run" }>): string {
  const workflow = `The run of the workflow "${printable(trigger.workflow)}"`;
  if (trigger.conclusion !== "success") {
    const outcome =
      trigger.conclusion === undefined ? "has not ended" : `ended with ${printable(trigger.conclusion)}`;
    throw new InputError(
      `${workflow} ${outcome}, so its images may not be there; run it again, set the input "version", or give the job ` +
        "if: github.event.workflow_run.conclusion == 'success'.",
    );
  }
  if (trigger.tag === undefined) throw noVersion(`${workflow} was not of a version's tag`);
  return trigger.tag;
}

/** What each destination keeps. For one that keeps all, the input `keep` says how many versions a schedule brings. */
function newestKept({ destinations, retention }: SelectionInputs): Selection {
  const retentions = destinations
    .map(({ retention: own }) => (own.keep === "all" ? { ...own, keep: retention.keep } : own))
    .filter(({ keep }) => keep !== "all");
  if (retentions.length > 0) return { kind: "kept", retentions };
  throw noVersion('without it the newest "keep" versions are mirrored, but keep is all');
}

function dispatchSelection(text: string): Selection {
  try {
    return parseSelection(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`The input "version" of the workflow_dispatch event: ${printable(error.message)}`, {
      cause: error,
    });
  }
}

function noVersion(reason: string): InputError {
  return new InputError(
    `No version to mirror: ${reason}. Set the input "version", for example v2.15.2 or newest:3.`,
  );
}
