import { type SnapshotOptions, takeSnapshots } from "../../src/inventory/snapshot.ts";
import type { Snapshot } from "../../src/plan/snapshot.ts";

/** The snapshot of a run with one route. */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const [snapshot] = await takeSnapshots([options], options.wait.log, options.signal);
  if (snapshot === undefined) throw new Error("no snapshot");
  return snapshot;
}
