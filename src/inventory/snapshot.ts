import { type Failure, OperationError } from "../errors.ts";
import type { Catalogue } from "../harbor/catalogue.ts";
import type { Log } from "../log/log.ts";
import { repositoryOf, sameNamespace } from "../oci/reference.ts";
import type { Component } from "../plan/component.ts";
import { ownershipOf } from "../plan/ownership.ts";
import { makePlan } from "../plan/plan.ts";
import {
  type DestinationSnapshot,
  imageKey,
  type Overwrite,
  type Snapshot,
  type SourceImage,
  type WantedVersion,
} from "../plan/snapshot.ts";
import type { AnyVersion, Version } from "../plan/version.ts";
import { inTurns } from "../turns.ts";
import { lateAttachments } from "./attached-below.ts";
import {
  type DestinationToRead,
  failedSnapshot,
  hasInPlace,
  type LookAtSource,
  prunableAt,
  readDestination,
  withBrokenImages,
} from "./destinations.ts";
import { withHeldDigests } from "./going-tags.ts";
import { tellPlatforms } from "./platforms.ts";
import { withinPullBudgets } from "./pull-budget.ts";
import {
  foreseeReading,
  imageFor,
  isLeftNothing,
  isThere,
  type RepositoryToRead,
  type Source,
  whyMissing,
  whyUnanswered,
} from "./sources.ts";
import { type Sighting, type WaitOptions, waitForImages } from "./wait.ts";

/** What a plan is about: these images, in these versions. */
export interface Route {
  /** Names it where a run has several. */
  readonly route?: string;
  /** `owner/name` whose releases count, or the sources whose tags do. */
  readonly repository: string;
  /** All versions that count. */
  readonly universe: readonly Version[];
  /** Those that the filter leaves out. Absent: none. */
  readonly outside?: readonly Version[];
  /** No source says which versions there are, so nothing is deleted. */
  readonly unlisted?: true;
  /** Newest first. */
  readonly wanted: readonly AnyVersion[];
  readonly catalogue: Catalogue;
}

export interface SnapshotOptions extends Route {
  readonly destinations: readonly DestinationToRead[];
  readonly overwrite: Overwrite;
  /** Most versions that are deleted at a destination in one run. */
  readonly pruneLimit: number | "all";
  /** Whether what is in place is proven to be whole; else that is done only where something would be deleted. */
  readonly proves: boolean;
  readonly wait: WaitOptions;
  readonly signal: AbortSignal;
}

/** Most routes that are looked at at once: a thousand at once took a quarter more memory than sixteen (2026-11-27). */
export const routesAtOnce = 16;

/**
 * Looks at sources and destinations for all routes. The time to wait for images runs for all of them at once: a route whose
 * turn comes late has what is left of it.
 * @returns a snapshot for each, in their order.
 * @throws InputError or OperationError when GitHub or the inputs do not say which images the wanted versions have.
 */
export async function takeSnapshots(
  routes: readonly SnapshotOptions[],
  log: Log,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const begun = routes.map((route) => ({ route, at: route.wait.clock.now() }));
  const snapshots = await inTurns(begun, routesAtOnce, ({ route, at }) => {
    const left = Math.max(0, at + route.wait.wait - route.wait.clock.now());
    return takeRouteSnapshot({ ...route, wait: { ...route.wait, wait: left } });
  });
  const sourcesOf = routes.map(({ wait }) => wait.sources);
  return withinPullBudgets(snapshots, sourcesOf, log, signal);
}

/**
 * Looks at sources and destinations and writes down what the plan needs. Waits for images that are not there yet; sends
 * no write anywhere.
 * @throws InputError or OperationError when GitHub or the inputs do not say which images the wanted versions have.
 */
async function takeRouteSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const {
    repository,
    route,
    universe,
    outside = [],
    catalogue,
    destinations,
    overwrite,
    pruneLimit,
    signal,
  } = options;
  const wantedComponents = new Map<string, readonly Component[]>();
  for (const version of options.wanted) wantedComponents.set(version.tag, await catalogue.read(version));
  const all = [...wantedComponents.values()].flat();
  foreseeReading(all, options.wait.sources);
  foreseeLooks(
    all.map(({ to }) => to),
    catalogue,
    destinations,
  );
  const sightings = await waitForImages(all, destinations, options.wait, signal, (missing, found) =>
    notInPlaceEverywhere(missing, found, wantedComponents, options),
  );
  tellPlatforms(options.wait, sightings.values());
  const wanted = options.wanted.map((version) => wantedVersion(version, wantedComponents, sightings));
  const names = new Set(all.map(({ to }) => to));
  const listed = { wanted: [...names], old: catalogue.images.filter((image) => !names.has(image)) };
  const { sources, attachments, log } = options.wait;
  const sourceOf = repositoriesIn(sources);
  const atSources = { sourceOf, attachmentsOf: lateAttachments(sourceOf, attachments, log, signal) };
  const holdings = await Promise.all(
    destinations.map(async (destination) => {
      try {
        const [prunable, holding] = await Promise.all([
          prunableAt(destination, listed, options.wait.log, signal),
          readDestination(destination, all, imagesFor(destination, all, sightings), atSources, signal),
        ]);
        return { ...holding, ...prunable, unanswered: unansweredFor(destination, all, sightings) };
      } catch (error) {
        if (signal.aborted) throw error;
        return failedSnapshot(destination, error);
      }
    }),
  );
  const components = await componentsSeen([...universe, ...outside], wantedComponents, catalogue, holdings);
  const snapshot: Snapshot = {
    repository,
    universe,
    outside,
    ...(options.unlisted && { unlisted: true }),
    wanted,
    components,
    destinations: holdings,
    overwrite,
    pruneLimit,
  };
  const completed = await Promise.all(
    holdings.map((holding, index) => complete(snapshot, holding, destinations[index], atSources, options)),
  );
  const whole = { ...snapshot, destinations: completed };
  return route === undefined ? whole : { ...whole, route };
}

/**
 * Tells the clients of destinations which repositories they will be asked about: one token then serves for many. Those of old
 * versions are asked about only in order to prune.
 */
function foreseeLooks(
  images: readonly string[],
  catalogue: Catalogue,
  destinations: readonly DestinationToRead[],
): void {
  for (const destination of destinations) {
    const looked = destination.retention.keep === "all" ? images : [...images, ...catalogue.images];
    destination.client.foresee(looked.map((image) => repositoryOf(destination, image)));
  }
}

/**
 * Leaves out the images of versions that every destination has in place: there is nothing to wait for. What is missing is asked
 * for first, so that a version that is still to come costs one HEAD at each destination.
 */
async function notInPlaceEverywhere(
  missing: readonly Component[],
  sightings: ReadonlyMap<Component, Sighting>,
  components: ReadonlyMap<string, readonly Component[]>,
  { universe, outside = [], wanted, destinations, signal }: SnapshotOptions,
): Promise<readonly Component[]> {
  const ownership = ownershipOf([...universe, ...outside], components, wanted);
  const waiting = wanted.map(async (version) => {
    const own = components.get(version.tag) ?? [];
    const lacking = own.filter((component) => missing.includes(component));
    if (lacking.length === 0 || lacking.some((component) => isMistaken(sightings.get(component))))
      return lacking;
    const brought = ownership.brought(version);
    const order = [...brought].sort(
      (one, other) => Number(lacking.includes(other)) - Number(lacking.includes(one)),
    );
    const answers = await Promise.all(
      destinations.map((destination) =>
        hasInPlace(destination, order, imagesFor(destination, own, sightings), signal).catch(() => {
          signal.throwIfAborted();
          // A destination that cannot be asked fails when it is read.
          return false;
        }),
      ),
    );
    return answers.every((isThere) => isThere) ? [] : lacking;
  });
  return (await Promise.all(waiting)).flat();
}

function repositoriesIn(sources: readonly Source[]): (image: SourceImage) => RepositoryToRead {
  return ({ source, repository }) => {
    const found = sources.find((one) => sameNamespace(one, source));
    if (found === undefined) throw new Error(`no source is known for ${repository}`);
    return found.repository(repository);
  };
}

/** Adds what is asked only where the plan needs it. */
async function complete(
  snapshot: Snapshot,
  holding: DestinationSnapshot,
  destination: DestinationToRead | undefined,
  atSources: LookAtSource,
  { proves, wait, signal }: Pick<SnapshotOptions, "proves" | "wait" | "signal">,
): Promise<DestinationSnapshot> {
  if (destination === undefined || holding.failure !== undefined) return holding;
  const components = snapshot.wanted.flatMap((wanted) => wanted.components);
  try {
    const held = await withHeldDigests(snapshot, holding, destination, wait.log, signal);
    const deletes = makePlan({ ...snapshot, destinations: [held] }).steps.some(
      ({ kind }) => kind === "prune",
    );
    if (proves) return await withBrokenImages(held, components, destination, atSources, signal);
    if (!deletes) return held;
    // What cannot be proven now is tried once more before the first deletion, and nothing is deleted without it.
    return await withBrokenImages(held, components, destination, atSources, signal).catch(
      (error: unknown) => {
        if (error instanceof OperationError) return held;
        throw error;
      },
    );
  } catch (error) {
    if (signal.aborted) throw error;
    return failedSnapshot(destination, error);
  }
}

function wantedVersion(
  version: AnyVersion,
  components: ReadonlyMap<string, readonly Component[]>,
  sightings: ReadonlyMap<Component, Sighting>,
): WantedVersion {
  const own = components.get(version.tag) ?? [];
  const missing = own.flatMap((component) => {
    const sighting = sightings.get(component);
    const failure = whyNotThere(sighting);
    if (failure === undefined) return [];
    return [{ component, failure, isMistake: isMistaken(sighting) }];
  });
  return { version, components: own, missing };
}

function isMistaken(sighting: Sighting | undefined): boolean {
  return sighting !== undefined && "answers" in sighting && isLeftNothing(sighting);
}

function whyNotThere(sighting: Sighting | undefined): Failure | undefined {
  if (sighting === undefined) return { kind: "obstacle", problem: "nobody looked for it" };
  if ("failure" in sighting) return sighting.failure;
  return isThere(sighting) ? undefined : whyMissing(sighting);
}

/**
 * Where each wanted image is read for a destination, by its name and tag there.
 * @param components of the newest version first: a tag that several versions make belongs to the newest of them.
 */
function imagesFor(
  destination: DestinationToRead,
  components: readonly Component[],
  sightings: ReadonlyMap<Component, Sighting>,
): ReadonlyMap<string, SourceImage> {
  const images = new Map<string, SourceImage>();
  // From the oldest on, so that the newest overwrites the others.
  for (const component of components.toReversed()) {
    const sighting = sightings.get(component);
    const image =
      sighting !== undefined && "answers" in sighting ? imageFor(sighting, destination) : undefined;
    if (image !== undefined) images.set(imageKey(component.to, component.toTag), image);
  }
  return images;
}

/** Why nobody knows whether another source than the destination itself has an image, by its name and tag there. */
function unansweredFor(
  destination: DestinationToRead,
  components: readonly Component[],
  sightings: ReadonlyMap<Component, Sighting>,
): ReadonlyMap<string, Failure> {
  return new Map(
    components.flatMap((component) => {
      const sighting = sightings.get(component);
      const why = sighting !== undefined && "answers" in sighting && whyUnanswered(sighting, destination);
      return why ? [[imageKey(component.to, component.toTag), why] as const] : [];
    }),
  );
}

/**
 * The images of every version that counts. If a version is neither wanted nor known, its images are read only where some
 * destination has a tag of its name.
 */
async function componentsSeen(
  universe: readonly Version[],
  wanted: ReadonlyMap<string, readonly Component[]>,
  catalogue: Catalogue,
  holdings: readonly DestinationSnapshot[],
): Promise<ReadonlyMap<string, readonly Component[]>> {
  const seenTags = new Set(holdings.flatMap(({ tags }) => [...tags.values()].flat()));
  const components = new Map(wanted);
  for (const version of universe) {
    if (components.has(version.tag)) continue;
    const known =
      catalogue.known(version) ?? (seenTags.has(version.tag) ? await catalogue.read(version) : undefined);
    if (known !== undefined) components.set(version.tag, known);
  }
  return components;
}
