/** The command line of the benchmark. Pure. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { resultsFolder } from "./folders.ts";
import { type ProfileName, profileNames } from "./profiles.ts";
import { type VariantName, variantNames } from "./workload.ts";

export interface Options {
  readonly profile: ProfileName;
  readonly variant: VariantName;
  /** Undefined: all that are installed. */
  readonly tools: readonly string[] | undefined;
  readonly runs: number;
  /** Multiplies the sizes of the large layers. */
  readonly scale: number;
  readonly limitSeconds: number;
  readonly workFolder: string;
  readonly resultsFolder: string;
}

/** A run that takes longer than this has failed; the slowest tool takes about two minutes for a cold release. */
const defaultLimitSeconds = 600;

/** With `--quick`, a release is 25 MB. */
const quickScale = 0.05;

export const usage = `Usage: npm run bench -- [options]
  --profile   ${profileNames.join(" | ")} (default: near-far)
  --variant   ${variantNames.join(" | ")} (default: cold)
  --tools     names with commas between them (default: all that are installed)
  --runs      counted runs of each tool (default: 5)
  --scale     multiplies the sizes of the large layers (default: 1)
  --quick     one run at scale ${quickScale}
  --limit     longest time of a run in seconds (default: ${defaultLimitSeconds})
  --work      folder in which the destinations store (default: below the system's temporary folder)
  --results   folder for results (default: bench/results; with --quick: below the system's temporary folder)`;

/**
 * Reads the command line. Undefined: a value in it is wrong, and the usage should be shown.
 * @param known names of tools.
 * @throws TypeError for an option that does not exist.
 */
export function parseOptions(words: readonly string[], known: readonly string[]): Options | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      profile: { ...text, default: "near-far" },
      variant: { ...text, default: "cold" },
      tools: text,
      runs: text,
      scale: text,
      quick: { type: "boolean", default: false },
      limit: { ...text, default: String(defaultLimitSeconds) },
      work: { ...text, default: join(tmpdir(), "harbor-release-mirror-bench-runs") },
      results: text,
    },
  });
  const profile = profileNames.find((name) => name === values.profile);
  const variant = variantNames.find((name) => name === values.variant);
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  const scale = Number(values.scale ?? (values.quick ? quickScale : 1));
  const limitSeconds = Number(values.limit);
  if (profile === undefined || variant === undefined) return undefined;
  if (!(Number.isInteger(runs) && runs > 0 && scale > 0 && limitSeconds > 0)) return undefined;
  const tools = values.tools?.split(",");
  if (tools?.some((name) => !known.includes(name))) return undefined;
  // A quick try must not take the place of a counted result.
  const results = values.quick ? join(tmpdir(), "harbor-release-mirror-bench-quick") : resultsFolder;
  return {
    profile,
    variant,
    tools,
    runs,
    scale,
    limitSeconds,
    workFolder: values.work,
    resultsFolder: values.results ?? results,
  };
}
