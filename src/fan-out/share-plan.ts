import type { Destination } from "../destinations/destination.ts";
import { failureOf, InputError } from "../errors.ts";
import { type Answer, askSource, type Source, type SourceOptions, whyMissing } from "../inventory/sources.ts";
import type { Digest } from "../oci/digest.ts";
import { printNamespace } from "../oci/reference.ts";
import type { Component } from "../plan/component.ts";
import { failing, type ImageStep, type Plan } from "../plan/plan.ts";
import type { PlanDocument, PlannedCopy } from "./document.ts";

export interface ShareContext extends SourceOptions {
  readonly destinations: readonly Pick<Destination, "name">[];
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
  const { destination, version, image, tag, from, fromTag } = copy;
  const planned = { destination, version, image, tag };
  const component = { from, fromTag, to: image, toTag: tag };
  // Where the plan found it, then the others: any that has the very same image will do.
  const others = context.sources.filter((other) => other !== source && !isAt(destination, other));
  const answers: Answer[] = [];
  for (const each of [source, ...others]) {
    const answer = await look(component, copy.digest, each, context);
    if (answer.image !== undefined) {
      const reason = "it is in this job's share";
      return { kind: "copy", ...planned, source: answer.image, replaces: undefined, reason };
    }
    answers.push(answer);
  }
  return failing(planned, whyMissing({ component, answers }, "the planned image is at no source any more"));
}

function isAt(destination: string, source: Source): boolean {
  return printNamespace(source) === destination;
}

/** The planned image as a source has it; or why that source does not serve. */
async function look(
  component: Component,
  digest: Digest,
  source: Source,
  context: ShareContext,
): Promise<Answer> {
  try {
    const answer = await askSource(component, source, context, context.signal);
    if (answer.image === undefined || answer.image.digest === digest) return { source, ...answer };
    const problem = `${component.fromTag} now is ${answer.image.digest}, the plan has ${digest}; run all jobs again ("Re-run all jobs")`;
    return { source, image: undefined, reason: { kind: "obstacle", problem } };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { source, image: undefined, reason: failureOf(error) };
  }
}
