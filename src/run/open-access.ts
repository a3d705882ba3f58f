import { randomBytes } from "node:crypto";
import { type AccessKeeper, type ClosedInstance, type LetIn, letIn, shutOut } from "../access/access.ts";
import type { AccessMark } from "../access/access-mark.ts";
import { createEgress } from "../access/egress.ts";
import type { Clock } from "../clock.ts";
import type { DestinationInput } from "../destinations/destination-input.ts";
import { mainlandApi, tcrInstanceOf } from "../destinations/tencent/tcr.ts";
import type { TencentCloud } from "../destinations/tencent/tencent-cloud.ts";
import { InputError, messageOf } from "../errors.ts";
import type { GitHubClient } from "../github/client.ts";
import { repositoryIdOf } from "../github/repository-id.ts";
import { isRunOver } from "../github/workflow-runs.ts";
import { discard, type Transport } from "../http/http.ts";
import type { Inputs } from "../inputs/inputs.ts";
import { type StepState, stateNames } from "../inputs/state.ts";
import type { Log } from "../log/log.ts";
import { registryOrigin } from "../oci/reference.ts";
import { hostParts } from "../vendors/vendors.ts";

/** What is needed to open closed TCR instances, and to close them again. */
export interface AccessContext {
  readonly tencentCloud: TencentCloud;
  readonly github: GitHubClient;
  /** Tries once. */
  readonly network: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** Longest life of a job, in milliseconds: https://docs.github.com/en/actions/reference/limits */
const jobTime = { githubHosted: 6 * 3_600_000, selfHosted: 5 * 24 * 3_600_000 } as const;

/** Added to the life of a job, in milliseconds: for the post step, and for clocks that differ. */
const jobTimeMargin = 30 * 60_000;

/** Time for a registry to answer, in milliseconds. One that shuts the runner out often drops its packets. */
const answerTime = 10_000;

/**
 * Lets the runner into every TCR instance that the user wants opened, all at the same time.
 * @param saveState hands a value on to the post step, before anything is changed that the post step has to undo.
 * @param ended aborts when the run is over; until then the entries are watched.
 * @returns why an instance could not be opened, by its registry; the others go on without it (P4).
 */
export async function openAccess(
  inputs: Inputs,
  context: AccessContext,
  saveState: (name: string, value: string) => void,
  signal: AbortSignal,
  ended: AbortSignal,
): Promise<ReadonlyMap<string, Error>> {
  const failures = new Map<string, Error>();
  const mode = inputs.tcrOpenAccess;
  if (mode === undefined) return failures;
  const mark = newMark(inputs, context.clock);
  saveState(stateNames.accessId, mark.id);
  const endpoints = new Set<string>();
  const egress = createEgress(inputs.tcrEgress, context.network, context.clock, context.log);
  await Promise.all(
    closedInstances(inputs, context).map(async (closed) => {
      const how: LetIn = {
        mode,
        mark,
        egress,
        answers: (until) => answers(closed.registry, context, until),
        noteEndpoint: () => {
          endpoints.add(closed.registry);
          saveState(stateNames.endpoints, JSON.stringify([...endpoints]));
        },
      };
      try {
        const keeper: AccessKeeper = await letIn(closed, how, signal);
        void keeper(AbortSignal.any([signal, ended]));
      } catch (error) {
        signal.throwIfAborted();
        context.log.error(messageOf(error));
        failures.set(closed.registry, error instanceof Error ? error : new Error(messageOf(error)));
      }
    }),
  );
  return failures;
}

/**
 * Takes away what the main step of this job has opened. Tries all of it before it fails.
 * @returns whether nothing is left behind.
 */
export async function closeAccess(
  inputs: Inputs,
  { accessId, endpoints }: StepState,
  context: AccessContext,
  signal: AbortSignal,
): Promise<boolean> {
  if (accessId === undefined) return true;
  const done = await Promise.all(
    closedInstances(inputs, context).map(async (closed) => {
      try {
        await shutOut(closed, accessId, endpoints.includes(closed.registry), signal);
        return true;
      } catch (error) {
        context.log.error(
          `${messageOf(error)} An entry may be left on the allowlist of ${closed.registry}: look in the TCR console for ` +
            `"harbor-release-mirror ${accessId}", or let the next run take it away.`,
        );
        return false;
      }
    }),
  );
  return done.every(Boolean);
}

function newMark(inputs: Inputs, clock: Clock): AccessMark {
  const { id: runId, attempt, githubHosted } = inputs.workflowRun;
  const life = (githubHosted ? jobTime.githubHosted : jobTime.selfHosted) + jobTimeMargin;
  return {
    id: randomBytes(4).toString("hex"),
    runId,
    attempt,
    until: clock.now() + life,
    repository: inputs.event.repository,
    endpoint: false,
  };
}

/** The instances, each once, of which the destinations are namespaces. A line that is wrong is reported where it is opened. */
function closedInstances(inputs: Inputs, context: AccessContext): readonly ClosedInstance[] {
  const { tencentCloud, clock, log } = context;
  const byRegistry = new Map<string, DestinationInput>();
  for (const input of inputs.destinations) {
    // The private domain leads past the public endpoint.
    if (input.type !== "tcr" || hostParts(input.registry).private !== undefined) continue;
    if (!byRegistry.has(input.registry)) byRegistry.set(input.registry, input);
  }
  return [...byRegistry.values()].flatMap((input) => {
    const api = tencentCloud(input.api ?? mainlandApi, input);
    if (api === undefined) return [];
    try {
      const instance = tcrInstanceOf(input, api, clock);
      return { registry: input.registry, instance, clock, log, isOver: jobEndCheck(inputs, context) };
    } catch (error) {
      if (error instanceof InputError) return [];
      throw error;
    }
  });
}

/** Tells whether the job of a mark has ended: by its time, by a later attempt of its run, or by what GitHub says. */
function jobEndCheck(inputs: Inputs, { github, clock, log }: AccessContext): ClosedInstance["isOver"] {
  const { repository } = inputs.event;
  const { id, attempt } = inputs.workflowRun;
  return async (mark) => {
    if (mark.until < clock.now()) return true;
    // The token is for this repository. It cannot see the runs of others.
    const known = repository === undefined ? undefined : repositoryIdOf(repository);
    if (known === undefined || mark.repository !== repository) return false;
    // Another job of our own run may be at work; an earlier attempt cannot.
    if (mark.runId === id) return mark.attempt < attempt;
    return isRunOver(github, known, { id: mark.runId, attempt: mark.attempt }, log);
  };
}

/** Whether a registry answers as one: with 200, or with the 401 that asks for a login. */
async function answers(
  registry: string,
  { network, clock }: AccessContext,
  signal: AbortSignal,
): Promise<boolean> {
  const url = new URL("/v2/", registryOrigin(registry));
  const until = AbortSignal.any([signal, clock.timeout(answerTime)]);
  try {
    const response = await network.send({ method: "GET", url, signal: until, once: true, connection: "own" });
    await discard(response);
    return response.status === 200 || response.status === 401;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
