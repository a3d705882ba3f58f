import { InputError, messageOf } from "../errors.ts";
import { askSource, type Source, type SourceOptions } from "../inventory/sources.ts";
import { printNamespace } from "../oci/reference.ts";
import type { ImageStep, Plan } from "../plan/plan.ts";
import type { PlanDocument, PlannedCopy } from "./document.ts";

export interface ShareContext extends SourceOptions {
  readonly destinations: readonly { readonly name: string }[];
  readonly signal: AbortSignal;
}

/**
 * What one copy job has to do. The plan's word is taken for names only, within the destinations and sources of the inputs:
 * each source is asked again what it has under a tag, and what is no longer the planned image is not copied.
 * @throws InputError when there is no such share, or it leads to places that the inputs do not name.
 */
export async function planOfShare(
  document: PlanDocument,
  share: number,
  context: ShareContext,
): Promise<Plan> {
  const copies = document.copies.filter((copy) => copy.share === share);
  if (copies.length === 0) throw new InputError(`share: the plan has no share ${share}`);
  const { destinations } = context;
  const foreign = copies.find(({ destination }) => destinations.every(({ name }) => name !== destination));
  if (foreign !== undefined) {
    throw new InputError(`plan: it copies to ${foreign.destination}, which is not among the destinations`);
  }
  const looking = copies.map((copy) => ({ copy, source: sourceOf(copy, context.sources) }));
  const steps = await Promise.all(looking.map(({ copy, source }) => stepOf(copy, source, context)));
  const { repository, versions } = document;
  return {
    repository,
    versions: versions.filter((tag) => steps.some((step) => step.version === tag)),
    steps,
  };
}

function sourceOf({ source }: PlannedCopy, sources: readonly Source[]): Source {
  const known = sources.find((candidate) => printNamespace(candidate) === source);
  if (known === undefined)
    throw new InputError(`plan: it reads from ${source}, which is not among the sources`);
  return known;
}

async function stepOf(copy: PlannedCopy, source: Source, context: ShareContext): Promise<ImageStep> {
  const { destination, version, image, tag, from, fromTag, digest } = copy;
  const planned = { destination, version, image, tag };
  const fail = (reason: string): ImageStep => ({ kind: "fail", ...planned, reason });
  const component = { from, fromTag, to: image, toTag: tag };
  try {
    const answer = await askSource(component, source, context, context.signal);
    if (answer.image === undefined) return fail(`${copy.source}: ${from}:${fromTag} ${answer.reason}`);
    if (answer.image.digest !== digest) {
      const now = `${copy.source}/${from}:${fromTag} now is ${answer.image.digest}`;
      return fail(`the plan has ${digest}, but ${now}. Run all jobs again ("Re-run all jobs").`);
    }
    return {
      kind: "copy",
      ...planned,
      source: answer.image,
      replaces: undefined,
      reason: "it is in this job's share",
    };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return fail(messageOf(error));
  }
}
