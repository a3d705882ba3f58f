import type { Clock } from "../clock.ts";
import type { TcrInstance } from "../destinations/tencent/tcr-instance.ts";
import { hasCode } from "../destinations/tencent/tencent-api.ts";
import { vendorFailure } from "../destinations/vendor-api.ts";
import { messageOf } from "../errors.ts";
import { type Log, printable } from "../log/log.ts";
import { type AccessMark, parseMark, printMark } from "./access-mark.ts";
import { type Allowlist, createAllowlist, isCovered } from "./allowlist.ts";
import type { Egress } from "./egress.ts";
import { createPublicEndpoint, type PublicEndpoint } from "./endpoint.ts";

/** `allowlist`: the runner is put on the allowlist of the public endpoint. `endpoint`: a closed endpoint is opened as well. */
export type OpenAccess = "allowlist" | "endpoint";

/** A TCR instance that the runner is let into for the time of a job. */
export interface ClosedInstance {
  /** Host of its registry. */
  readonly registry: string;
  readonly instance: TcrInstance;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the job that made an entry has ended, so that it will not remove the entry itself. */
  readonly isOver: (mark: AccessMark) => Promise<boolean>;
}

export interface LetIn {
  readonly mode: OpenAccess;
  readonly mark: AccessMark;
  readonly egress: Egress;
  /** Whether the registry answers at all. */
  readonly answers: (signal: AbortSignal) => Promise<boolean>;
  /** Notes for the post step that it has to close the endpoint. Called before the endpoint is opened. */
  readonly noteEndpoint: () => void;
}

/** Keeps the runner on the allowlist until the signal aborts. Never throws. */
export type AccessKeeper = (signal: AbortSignal) => Promise<void>;

/** Longest wait for the registry to answer once the entry is made, in milliseconds. Nobody documents how long it takes. */
const longestWait = 3 * 60_000;

/** Pause between two attempts to reach the registry, in milliseconds. */
const pause = 5000;

/**
 * Pause between two looks at the allowlist during the run, in milliseconds. If another run's entry covers this runner as well,
 * it is removed when that run ends. Tools that own the list, such as Terraform, may remove ours.
 */
const keepingPause = 30_000;

/**
 * Lets the runner into an instance: reads the state of its public endpoint, opens it where the user wants that, removes the
 * entries of dead runs, and puts the runner's addresses on the allowlist unless an entry covers them already.
 * @throws OperationError when the registry cannot be reached afterwards.
 */
export async function letIn(closed: ClosedInstance, how: LetIn, signal: AbortSignal): Promise<AccessKeeper> {
  const { instance, clock, log, registry } = closed;
  const opened = await openEndpoint(closed, how, createPublicEndpoint(instance, clock), signal);
  if (opened === "not-needed") return () => Promise.resolve();
  const allowlist = createAllowlist(instance, clock);
  const { all } = await sweep(closed, allowlist, signal);
  // The last run of ours to leave closes what the first one opened.
  const endpoint = opened === "opened" || all.some((mark) => mark.endpoint);
  if (endpoint && opened !== "opened") how.noteEndpoint();
  const description = printMark({ ...how.mark, endpoint });

  const blocks = new Set<string>();
  const cover = async (until: AbortSignal): Promise<void> => {
    for (const block of blocks) {
      if (isCovered(block, await allowlist.list(until))) continue;
      await allowlist.add(block, description, until);
      log.info(`Put ${block} on the allowlist of ${registry} until the end of this job.`);
    }
  };
  const end = clock.now() + longestWait;
  for (;;) {
    // Asked each time: a runner may be seen under one address now and another the next moment.
    for (const block of await how.egress(signal)) blocks.add(block);
    await cover(signal);
    if (await how.answers(signal)) break;
    if (clock.now() >= end) throw unreachable(registry, blocks);
    await clock.sleep(pause, signal);
  }
  return (until) => keep(cover, clock, log, until);
}

/** Opens the public endpoint if needed. `not-needed`: the registry is reached without it, from a private network. */
async function openEndpoint(
  { registry, log }: ClosedInstance,
  { mode, answers, noteEndpoint }: LetIn,
  endpoint: PublicEndpoint,
  signal: AbortSignal,
): Promise<"open" | "opened" | "not-needed"> {
  const state = await endpoint.state(signal);
  if (state === "Opened") return "open";
  if (await answers(signal)) {
    log.info(`The public endpoint of ${registry} is not open, and is not needed from here.`);
    return "not-needed";
  }
  if (state === "Closed") {
    if (mode !== "endpoint") {
      throw vendorFailure(
        { host: registry, operation: "letting this runner in" },
        {
          problem: "the public endpoint of the TCR instance is closed",
          advice:
            "Open it in the TCR console, or set `tcr-open-access: endpoint`, which opens it for the time of the job, or run " +
            "this job in a network that is linked to the instance.",
        },
      );
    }
    noteEndpoint();
    log.info(`Opening the public endpoint of ${registry} until the end of this job.`);
  }
  await endpoint.open(signal);
  return state === "Closed" ? "opened" : "open";
}

/** Keeps the runner on the allowlist. A failure does not end it: the copy itself fails when the registry does not answer. */
async function keep(
  cover: (signal: AbortSignal) => Promise<void>,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(keepingPause, signal);
      await cover(signal);
    } catch (error) {
      if (!signal.aborted) log.debug(`looking after the allowlist: ${printable(messageOf(error))}`);
    }
  }
}

function unreachable(registry: string, blocks: ReadonlySet<string>): Error {
  return vendorFailure(
    { host: registry, operation: "letting this runner in" },
    {
      problem: `the registry does not answer, though ${[...blocks].join(", ")} may come in since ${longestWait / 60_000} minutes`,
      advice: "If this runner leaves its network under other addresses, give them in `tcr-egress`.",
    },
  );
}

/**
 * Removes the entries of dead runs from the allowlist.
 * @returns all marks that were on it, and those of runs that are alive.
 */
async function sweep(
  { registry, isOver, log }: ClosedInstance,
  allowlist: Allowlist,
  signal: AbortSignal,
): Promise<{ readonly all: readonly AccessMark[]; readonly alive: readonly AccessMark[] }> {
  const all = (await allowlist.list(signal)).flatMap(({ description }) => parseMark(description) ?? []);
  const dead = new Set<string>();
  for (const mark of all) if (!dead.has(mark.id) && (await isOver(mark))) dead.add(mark.id);
  if (dead.size > 0) {
    const removed = await allowlist.removeAll((text) => dead.has(parseMark(text)?.id ?? ""), signal);
    for (const { block, description } of removed) {
      log.info(
        `Took ${printable(block)} off the allowlist of ${registry}, left there by "${printable(description)}".`,
      );
    }
  }
  return { all, alive: all.filter(({ id }) => !dead.has(id)) };
}

/**
 * Removes the entries that a job made. Closes the public endpoint, too, if the job or one before it opened it and no other run
 * of ours is at work.
 * @param id of the job's mark.
 * @param closesEndpoint whether the job noted that the endpoint is to be closed.
 * @throws OperationError when something is left behind.
 */
export async function shutOut(
  closed: ClosedInstance,
  id: string,
  closesEndpoint: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { instance, clock, log, registry } = closed;
  const endpoint = createPublicEndpoint(instance, clock);
  const allowlist = createAllowlist(instance, clock);
  try {
    const removed = await allowlist.removeAll((text) => parseMark(text)?.id === id, signal);
    for (const { block } of removed) log.info(`Took ${printable(block)} off the allowlist of ${registry}.`);
    if (!closesEndpoint) return;
    const { alive } = await sweep(closed, allowlist, signal);
    if (alive.length > 0) {
      const runs = alive.map(({ runId }) => runId).join(", ");
      log.info(`Left the public endpoint of ${registry} open for run ${runs}, which closes it.`);
      return;
    }
  } catch (error) {
    // A closed endpoint has no allowlist to show: the job did not come as far as opening it.
    const isClosed = hasCode(error, "ResourceNotFound") && (await endpoint.state(signal)) === "Closed";
    if (isClosed) return;
    throw error;
  }
  if ((await endpoint.state(signal)) === "Closed") return;
  await endpoint.close(signal);
  log.info(`Closed the public endpoint of ${registry} again.`);
}
