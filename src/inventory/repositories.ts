import { type ListedPlace, type ListingContext, repositoryPages } from "../destinations/repositories.ts";
import { InputError, OperationError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { isChartRepository, isRepository, printNamespace, repositoryOf } from "../oci/reference.ts";
import { PatternError } from "../pattern.ts";

export interface ListingOptions {
  readonly signal: AbortSignal;
  /** Most repositories that may be wanted. */
  readonly limit: number;
  /** Which repositories are wanted, by their paths below the namespace. Default: all. */
  readonly wanted?: (paths: readonly string[]) => readonly string[];
}

/** Most pages of one list: at a hundred repositories a page, all of them. A list that goes on is broken. */
const pageLimit = 1000;
/** Most repositories of one list, wanted or not: the list has to fit in memory. */
const entryLimit = 100_000;

/**
 * The repositories below a namespace, or of its whole registry where the path is empty: their paths below it, sorted.
 * A name that breaks the grammar of repositories is left out: nothing could be asked about it. So is what is below a destination
 * that lies in the namespace: a mirror is not mirrored into itself, deeper with each run.
 * @throws InputError when they cannot be listed with these logins; PatternError when more are wanted than the limit allows; OperationError when
 * the registry or its API is in trouble.
 */
export async function listRepositories(
  place: ListedPlace,
  context: ListingContext,
  options: ListingOptions,
): Promise<readonly string[]> {
  try {
    return [...(await wantedBelow(place, context, options))].sort();
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { side, vendor } = place.client;
    // A vendor's API is mostly that of a destination, and what it advises helps there: to mend a line, or a right to write.
    const advice = error.temporary && error.details.side === side ? error.details.advice : undefined;
    const failure = new OperationError({ ...error.details, side, advice }, { cause: error });
    if (error.temporary || isChartRepository(place.registry)) throw failure;
    throw new InputError(
      `The repositories of ${printNamespace(place)} cannot be listed: ${failure.message} ` +
        `What a list takes here: ${vendor.listing.text} Or name the images one a line in the input "images".`,
      { cause: error },
    );
  }
}

async function wantedBelow(
  place: ListedPlace,
  context: ListingContext,
  { signal, limit, wanted: chosen = (paths) => paths }: ListingOptions,
): Promise<ReadonlySet<string>> {
  const prefix = repositoryOf(place, "");
  const inside = context.destinations
    .filter(({ registry, path }) => registry === place.registry && path !== place.path)
    .map((destination) => repositoryOf(destination, ""))
    .filter((below) => below.startsWith(prefix));
  for (const below of inside)
    context.log.debug(`${place.registry}/${below} is a destination, and left out of the list`);
  const seen = new Set<string>();
  const wanted = new Set<string>();
  let pages = 0;
  for await (const names of repositoryPages(place, context, signal)) {
    if (pages === pageLimit || seen.size > entryLimit) throw endless(place, pages, seen.size);
    pages += 1;
    const before = seen.size;
    const below: string[] = [];
    for (const name of names) {
      if (seen.has(name)) continue;
      seen.add(name);
      if (!isRepository(name))
        context.log.debug(`${place.registry} lists ${printable(name)}, which is no name of a repository`);
      else if (name.startsWith(prefix) && !inside.some((below) => name.startsWith(below)))
        below.push(name.slice(prefix.length));
    }
    for (const path of chosen(below)) wanted.add(path);
    if (wanted.size > limit) throw tooMany(place, wanted.size, limit);
    // An empty page does not end a list. One without new names does: some registries give the same page for ever.
    if (names.length > 0 && seen.size === before) break;
  }
  return wanted;
}

function tooMany(place: ListedPlace, count: number, limit: number): PatternError {
  return new PatternError(
    `${printNamespace(place)} has at least ${count} repositories that are asked for, and ${limit} is the most of a run: narrow the ` +
      'pattern in the input "images", or set the input "repository-limit" to a higher number.',
  );
}

/** This is a failure, not the end of the list: a part of the repositories must not be taken for all. */
function endless({ client }: ListedPlace, pages: number, entries: number): OperationError {
  return new OperationError({
    side: client.side,
    host: client.registry,
    operation: "listing the repositories",
    problem: `the list goes on after ${pages} pages and ${entries} repositories`,
  });
}
