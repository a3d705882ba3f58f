import type { Clock } from "../clock.ts";
import { type Failure, failureOf } from "../errors.ts";
import { printReference } from "../oci/reference.ts";
import type { Component } from "../plan/component.ts";
import { isThere, type Location, locate, type Receiver, type SourceOptions } from "./sources.ts";

/** First pause between two looks, in milliseconds; it doubles up to the longest. */
export const firstPause = 2_000;
/** Longest pause, in milliseconds: a dozen HEADs a minute are nothing to a registry, and a release waits for people. */
export const longestPause = 30_000;

export interface WaitOptions extends SourceOptions {
  readonly clock: Clock;
  /** How long to wait in all, in milliseconds; 0: look once. */
  readonly wait: number;
}

/** An image that was looked for: where it is, or why that is not known. */
export type Sighting = Location | { readonly component: Component; readonly failure: Failure };

/** Chooses the images that are worth waiting for, of those that a first look has not found. */
export type WorthWaiting = (
  missing: readonly Component[],
  found: ReadonlyMap<Component, Sighting>,
) => Promise<readonly Component[]>;

/**
 * Looks for images until every one is at some source, or the time is over: a release is published before its images are
 * pushed. Only those still missing are looked for again.
 */
export async function waitForImages(
  components: readonly Component[],
  destinations: readonly Receiver[],
  options: WaitOptions,
  signal: AbortSignal,
  worthWaiting: WorthWaiting = (missing) => Promise.resolve(missing),
): Promise<ReadonlyMap<Component, Sighting>> {
  const { clock, log, wait } = options;
  const until = clock.now() + wait;
  const found = new Map<Component, Sighting>();
  const lookFor = async (sought: readonly Component[]): Promise<readonly Component[]> => {
    await Promise.all(
      sought.map(async (component) =>
        found.set(component, await look(component, destinations, options, signal)),
      ),
    );
    return sought.filter((component) => !isComplete(found.get(component)));
  };
  const notFound = await lookFor(components);
  let missing = notFound.length > 0 && wait > 0 ? await worthWaiting(notFound, found) : notFound;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    const left = until - clock.now();
    if (missing.length === 0 || left <= 0) return found;
    const names = missing.map(({ from, fromTag }) => printReference(from, fromTag)).join(", ");
    log.info(
      `Waiting for ${missing.length} of ${components.length} images, ${Math.ceil(left / 60_000)} min at most: ${names}`,
    );
    await clock.sleep(Math.min(pause, left), signal);
    missing = await lookFor(missing);
  }
}

async function look(
  component: Component,
  destinations: readonly Receiver[],
  options: WaitOptions,
  signal: AbortSignal,
): Promise<Sighting> {
  try {
    return await locate(component, destinations, options, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { component, failure: failureOf(error) };
  }
}

function isComplete(sighting: Sighting | undefined): boolean {
  return sighting !== undefined && "answers" in sighting && isThere(sighting);
}
