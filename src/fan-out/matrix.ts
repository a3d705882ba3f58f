import type { Destination } from "../destinations/destination.ts";
import type { DestinationInput } from "../destinations/destination-input.ts";
import type { PlanDocument } from "./document.ts";

/** The value of `runs-on` of a job: a runner with this label, or with all of these. */
export type RunnerLabels = string | readonly string[];

/** One copy job. */
export interface MatrixEntry {
  /** The input `share` of the job. */
  readonly share: number;
  /** For the name of the job. */
  readonly to: string;
  /** `1 of 2`: which of the destination's shares it is. */
  readonly part: string;
  readonly "runs-on": RunnerLabels;
}

const typeNames: Readonly<Partial<Record<DestinationInput["type"], string>>> = {
  "docker-hub": "Docker Hub",
  tcr: "TCR",
  "tcr-personal": "TCR Personal Edition",
};

/**
 * The matrix of the copy jobs, for `strategy.matrix`; undefined when there is nothing to copy. Destinations go by number and
 * type and not by name: the runner drops an output that holds the value of a secret, and a user name is often part of a
 * destination's name.
 * https://docs.github.com/actions/writing-workflows/choosing-what-your-workflow-does/passing-information-between-jobs
 */
export function matrixOf(
  document: Pick<PlanDocument, "copies">,
  destinations: readonly (Pick<Destination, "name"> &
    Pick<DestinationInput, "type"> & { readonly runner: RunnerLabels })[],
): { readonly include: readonly MatrixEntry[] } | undefined {
  const include = destinations.flatMap(({ name, type, runner }, index) => {
    const own = document.copies.filter(({ destination }) => destination === name);
    const shares = [...new Set(own.map(({ share }) => share))].toSorted((one, other) => one - other);
    return shares.map((share, at) => ({
      share,
      to: `destination ${index + 1} (${typeNames[type] ?? "registry"})`,
      part: `${at + 1} of ${shares.length}`,
      "runs-on": runner,
    }));
  });
  return include.length === 0 ? undefined : { include };
}
