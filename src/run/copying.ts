import { copy } from "../copy/copy.ts";
import type { CopyOutcome } from "../copy/outcome.ts";
import type { PublicationCheck } from "../copy/publish.ts";
import type { Inputs } from "../inputs/inputs.ts";
import type { Plan } from "../plan/plan.ts";
import type { Places, RunContext } from "./context.ts";
import { repositoriesOf } from "./registries.ts";
import { tuneUploads } from "./tune.ts";

/**
 * Copies what is planned to all destinations at once, each version published when it is complete.
 */
export async function copyAll(
  plan: Plan,
  inputs: Inputs,
  { destinations, sources, attachments }: Places,
  publishing: { readonly moveTags: boolean; readonly whyNotPublish: PublicationCheck },
  { network, clock, log, signal, saveState }: RunContext,
): Promise<{ copies: readonly CopyOutcome[]; bytesRead: number }> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  if (steps.length === 0) return { copies: [], bytesRead: 0 };
  await tuneUploads(inputs, { network, clock, log, saveState });
  const { outcomes, bytesRead } = await log.group("Copy", () =>
    copy(steps, {
      destinations,
      sourceRepositories: (image) => repositoriesOf(image, sources),
      attachments,
      temporaryFolder: inputs.runner.temporaryFolder,
      spoolLimit: inputs.spoolLimit,
      ...publishing,
      downloadConnections: inputs.downloadConnections,
      uploadConnections: inputs.uploadConnections,
      clock,
      log,
      signal,
    }),
  );
  return { copies: outcomes, bytesRead };
}
