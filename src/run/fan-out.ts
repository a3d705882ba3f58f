import type { SourceRepositories } from "../copy/blob-needs.ts";
import type { CopyOutcome } from "../copy/outcome.ts";
import type { PublicationCheck } from "../copy/publish.ts";
import { publishConfirmed } from "../copy/publish-confirmed.ts";
import { type PlanDocument, readPlan, writePlan } from "../fan-out/document.ts";
import { handOut } from "../fan-out/hand-out.ts";
import { matrixOf } from "../fan-out/matrix.ts";
import { overtakenVersions, refuseOtherInputs } from "../fan-out/same-inputs.ts";
import { digestOfInputs } from "../inputs/digest.ts";
import type { Inputs, Mode } from "../inputs/inputs.ts";
import type { Log } from "../log/log.ts";
import { printNamespace } from "../oci/reference.ts";
import type { CopyStep, Plan } from "../plan/plan.ts";
import type { Selection } from "../plan/selection.ts";
import type { Places, RunContext } from "./context.ts";
import type { Sizes } from "./estimate.ts";
import { repositoriesOf } from "./registries.ts";

/** The stages that only a run over several jobs has. */

/**
 * Hands the plan and the matrix of copy jobs to the jobs that come after.
 * @param sizes of the images, for even shares; without a size, shares are only less even.
 * @throws InputError when the plan is too large for them; what `setOutput` throws.
 */
export function handOutPlan(
  plan: Plan,
  mode: Extract<Mode, { kind: "plan" }>,
  inputs: Inputs,
  places: Places,
  sizes: Sizes,
  { log, sink }: RunContext,
): void {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  const blobsOf = ({ source }: CopyStep) => sizes.get(source)?.blobs ?? [];
  const document = handOut(plan, digestOfInputs(inputs), mode.shares, blobsOf);
  const text = writePlan(document);
  const destinations = inputs.destinations.map(({ type }, index) => {
    const name = places.destinations[index]?.name ?? "";
    return { name, type, runner: mode.runners.get(name) ?? [] };
  });
  const matrix = matrixOf(document, destinations);
  sink.setOutput("plan", text);
  sink.setOutput("matrix", matrix === undefined ? "" : JSON.stringify(matrix));
  const jobs = matrix?.include.length ?? 0;
  log.info(`Given out: a plan of ${text.length} characters, ${steps.length} images in ${jobs} shares`);
}

/**
 * Reads the plan of another job.
 * @throws InputError when it is none, or was not made from these inputs.
 */
export function takePlan(text: string, inputs: Inputs): PlanDocument {
  const document = readPlan(text);
  refuseOtherInputs(document, digestOfInputs(inputs));
  return document;
}

/** The inputs of a copy job with the destination of its share alone: no other is opened, or logged in to. */
export function inputsOfShare(inputs: Inputs, document: PlanDocument, share: number): Inputs {
  const names = new Set(document.copies.flatMap((copy) => (copy.share === share ? [copy.destination] : [])));
  return {
    ...inputs,
    destinations: inputs.destinations.filter((destination) => names.has(printNamespace(destination))),
  };
}

/**
 * Which versions of a plan are no published releases any more, of those that the inputs do not ask for now. The other
 * versions were overtaken by a newer release: they are left out, and the log says so.
 * @throws InputError when the plan is about other tags than the inputs.
 */
export async function withdrawnVersions(
  document: PlanDocument,
  now: Plan,
  selections: readonly Selection[],
  whyNotPublish: PublicationCheck,
  log: Log,
): Promise<readonly string[]> {
  const overtaken = overtakenVersions(document, selections, now.versions);
  const asked = await Promise.all(
    overtaken.map(async (version) => ({ version, refusal: await whyNotPublish({ version }) })),
  );
  const withdrawn = asked.flatMap(({ version, refusal }) => (refusal?.kind === "withdrawn" ? [version] : []));
  const others = overtaken.filter((version) => !withdrawn.includes(version));
  if (others.length > 0)
    log.warning(
      `The inputs do not ask for ${others.join(", ")} any more: a release came after the plan was made`,
    );
  return withdrawn;
}

/** Publishes what the copy jobs have brought, each version that is complete at its destination. */
export async function publishAll(
  plan: Plan,
  places: Places,
  whyNotPublish: PublicationCheck,
  { clock, log, signal }: RunContext,
): Promise<readonly CopyOutcome[]> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  if (steps.length === 0) return [];
  const { destinations, sources, attachments } = places;
  const sourceRepositories: SourceRepositories = (image) => repositoriesOf(image, sources);
  return log.group("Publish", () =>
    publishConfirmed(steps, {
      destinations,
      sourceRepositories,
      attachments,
      whyNotPublish,
      clock,
      log,
      signal,
    }),
  );
}
