import type { ListingContext } from "../destinations/repositories.ts";
import { InputError, messageOf } from "../errors.ts";
import type { Inputs, RouteInputs } from "../inputs/inputs.ts";
import { askEach } from "../inventory/answers.ts";
import { listRepositories } from "../inventory/repositories.ts";
import { sourcesOf } from "../inventory/sources.ts";
import { printNamespace } from "../oci/reference.ts";
import { type ChoosingPattern, choosing, matching } from "../pattern.ts";
import { listOf } from "../wording.ts";
import type { OpenSource, RegistryContext } from "./registries.ts";

/** Most names that a message has. */
const namedLimit = 3;

/**
 * The repositories at the sources that any of the patterns fits, by their paths below the source, sorted. A source that does not
 * list is passed over, with a warning, where another does.
 * @throws InputError or OperationError when no source lists; InputError when a pattern fits none; PatternError when one
 * fits too many, or takes too long.
 */
export async function listFitting(
  patterns: readonly ChoosingPattern[],
  inputs: Pick<RouteInputs, "repositoryLimit"> &
    Pick<Inputs, keyof Pick<ListingContext, "awsKey" | "githubToken" | "githubApiUrl" | "destinations">>,
  sources: readonly OpenSource[],
  { signal, ...registries }: RegistryContext & { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { repositoryLimit: limit } = inputs;
  const wanted = (paths: readonly string[]) => choosing(patterns, paths);
  const { answers, refused } = await askEach(
    sourcesOf(undefined, sources),
    (source) => listRepositories(source, { ...inputs, ...registries }, { signal, limit, wanted }),
    signal,
  );
  for (const { source, error } of refused)
    registries.log.warning(`What ${printNamespace(source)} has is not known. ${messageOf(error)}`);
  const names = [...new Set(answers.flat())].sort();
  const texts = (some: readonly ChoosingPattern[]) =>
    listOf(
      some.map(({ text }) => text),
      namedLimit,
    );
  // One that leaves out may have nothing to leave out.
  const idle = patterns.filter((pattern) => pattern.except !== true && matching(pattern, names).length === 0);
  // What a source that did not answer has may fit.
  if (names.length === 0 || (idle.length > 0 && refused.length === 0))
    throw new InputError(
      `images: no repository at the sources fits ${texts(idle.length > 0 ? idle : patterns)}`,
    );
  if (names.length > limit)
    throw new InputError(
      `images: ${names.length} repositories fit ${texts(patterns)}, and ${limit} is the most of a run: set repository-limit to ${names.length} if all are meant`,
    );
  return names;
}
