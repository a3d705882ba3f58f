import * as v from "valibot";
import { messageOf } from "../errors.ts";
import { type Log, printable } from "../log/log.ts";
import type { GitHubClient } from "./client.ts";
import type { RepositoryId } from "./repository-id.ts";

const runSchema = v.object({ status: v.nullish(v.string()), run_attempt: v.nullish(v.number(), 1) });

/**
 * Whether GitHub says that an attempt of a workflow run has ended. A run that is gone, or that the token may not see
 * (`actions: read` in a private repository), counts as going on.
 */
export async function isRunOver(
  { octokit }: GitHubClient,
  { owner, name }: RepositoryId,
  run: { readonly id: string; readonly attempt: number },
  log: Log,
): Promise<boolean> {
  try {
    const answer = await octokit.rest.actions.getWorkflowRun({ owner, repo: name, run_id: Number(run.id) });
    const { status, run_attempt } = v.parse(runSchema, answer.data);
    return status === "completed" || run_attempt > run.attempt;
  } catch (error) {
    log.debug(`the state of run ${run.id} is not known: ${printable(messageOf(error))}`);
    return false;
  }
}
