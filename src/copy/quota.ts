import type { Clock } from "../clock.ts";
import type { Destination } from "../destinations/destination.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { formatBytes } from "../wording.ts";
import type { BlobNeed } from "./blob-needs.ts";

/** Time for an answer, in milliseconds: what it says changes nothing that is copied, so a slow API must not hold that up. */
const answerTime = 10_000;

/**
 * Warns before anything is sent where the quota of a destination may not hold what will be. Old versions are pruned last, so a
 * quota for exactly as many versions as are kept lets no new one in. What counts is an upper bound: which blobs are there already
 * is found out only while copying. Nothing fails for it, nor for a quota that cannot be read.
 */
export async function warnOfQuota(
  { name, quota: ask }: Pick<Destination, "name" | "quota">,
  needs: readonly Pick<BlobNeed, "descriptor">[],
  { clock, log }: { readonly clock: Pick<Clock, "timeout">; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  if (ask === undefined) return;
  try {
    const quota = await ask(AbortSignal.any([signal, clock.timeout(answerTime)]));
    if (quota === undefined) return;
    const most = needs.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const free = Math.max(0, quota.limit - quota.used);
    if (most <= free) return;
    log.warning(
      `${name}: its quota may not suffice: up to ${formatBytes(most)} are sent there, and ${formatBytes(free)} of ` +
        `${formatBytes(quota.limit)} are free. New versions are copied before old ones are pruned: raise the quota, or once delete an ` +
        "old version there by hand and lower `keep`.",
    );
  } catch (error) {
    signal.throwIfAborted();
    log.debug(`${name}: its quota is not known: ${messageOf(error)}`);
  }
}
