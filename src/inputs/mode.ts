import * as v from "valibot";
import type { DestinationInput } from "../destinations/destination-input.ts";
import type { RunnerLabels } from "../fan-out/matrix.ts";
import { canonicalRegistry, parseNamespace, printNamespace } from "../oci/reference.ts";
import { didYouMean } from "../wording.ts";
import { noneOf, quoted } from "./suggestions.ts";
import type { Mode, ModeName } from "./types.ts";
import { type Mistake, repeated } from "./values.ts";

/** The inputs that say which part of a run this job has. */
type ModeInputName = "mode" | "plan" | "share" | "shares" | "runs-on";

const modeNames: readonly ModeName[] = ["all", "plan", "copy", "publish"];

/** Most jobs of one matrix. https://docs.github.com/en/actions/reference/limits ("Job Matrix") */
const matrixLimit = 256;

/** The label of a job whose destination has no runner of its own. */
const usualRunner = "ubuntu-24.04";

/**
 * Which part of a run this job has, from the inputs `mode`, `plan`, `share`, `shares` and `runs-on`.
 * @param destinations as parsed; each may have runners of its own.
 */
export function readMode(
  text: (name: ModeInputName) => string,
  mistakeIn: (name: ModeInputName) => Mistake,
  destinations: readonly DestinationInput[],
): Mode {
  const kind = modeNames.find((name) => name === text("mode"));
  if (kind === undefined) mistakeIn("mode")(noneOf(text("mode"), modeNames, { full: "all" }));
  refuseForeignInputs(kind ?? "all", text, mistakeIn);
  switch (kind) {
    case "plan":
      return {
        kind,
        shares: parseShares(text("shares"), destinations.length, mistakeIn("shares")),
        runners: parseRunners(text("runs-on"), destinations, mistakeIn("runs-on")),
      };
    case "copy":
      return { kind, plan: text("plan"), share: parseShare(text("share"), mistakeIn("share")) };
    case "publish":
      return { kind, plan: text("plan") };
    default:
      return { kind: "all" };
  }
}

/** Notes inputs that a mode needs and lacks, and inputs that would have no effect in it. */
function refuseForeignInputs(
  mode: ModeName,
  text: (name: ModeInputName) => string,
  mistakeIn: (name: ModeInputName) => Mistake,
): void {
  const takesPlan = mode === "copy" || mode === "publish";
  if (takesPlan && text("plan") === "")
    mistakeIn("plan")(`is empty, but the mode ${mode} carries out a plan`);
  if (!takesPlan && text("plan") !== "") mistakeIn("plan")(`means nothing in the mode ${mode}`);
  if (mode !== "copy" && text("share") !== "") mistakeIn("share")(`means nothing in the mode ${mode}`);
}

/** Into how many shares the images for each destination are cut, at the most. */
function parseShares(text: string, destinations: number, mistake: Mistake): number {
  const shares = Number(text);
  if (!/^[0-9]{1,3}$/.test(text) || shares < 1) {
    mistake(`${quoted(text)} is not a whole number from 1 on`);
    return 1;
  }
  if (shares * destinations > matrixLimit) {
    mistake(
      `${shares} for each of ${destinations} destinations are more than GitHub's ${matrixLimit} jobs of a matrix`,
    );
  }
  return shares;
}

/** The number of one share. */
function parseShare(text: string, mistake: Mistake): number {
  const share = Number(text);
  if (/^[0-9]{1,3}$/.test(text) && share >= 1 && share <= matrixLimit) return share;
  mistake(`${quoted(text)} is not the number of a share, as the matrix of the plan gives it`);
  return 1;
}

const labelSchema = v.pipe(
  v.string(),
  v.regex(/^[\w. :/-]{1,256}$/, "a label of letters, digits and . _ : / -"),
);

/** What `runs-on` of a job takes, its form with `group` aside. */
const labelsSchema = v.union([labelSchema, v.pipe(v.array(labelSchema), v.minLength(1), v.maxLength(20))]);
const runnersSchema = v.record(v.string(), labelsSchema);

/**
 * A JSON object from destinations (`registry/namespace`, or the registry alone) to the labels of the runner that copies
 * there; `default` for all others.
 */
function parseRunners(
  text: string,
  destinations: readonly DestinationInput[],
  mistake: Mistake,
): ReadonlyMap<string, RunnerLabels> {
  const runners = Object.entries(readRunners(text, mistake));
  for (const name of repeated(runners.map(([place]) => canonicalPlace(place))))
    mistake(`${quoted(name)} is given more than once`);
  const given = new Map(runners.map(([place, labels]) => [canonicalPlace(place), labels]));
  const known = new Set([
    "default",
    ...destinations.flatMap((each) => [printNamespace(each), each.registry]),
  ]);
  for (const name of given.keys()) {
    if (!known.has(name))
      mistake(`${quoted(name)} is neither a destination, nor the registry of one, nor default`);
  }
  const usual = given.get("default") ?? usualRunner;
  return new Map(
    destinations.map((each) => {
      const name = printNamespace(each);
      return [name, given.get(name) ?? given.get(each.registry) ?? usual];
    }),
  );
}

/** A destination, or the registry of one, in the form that destinations have. */
function canonicalPlace(text: string): string {
  const namespace = parseNamespace(text);
  return namespace === undefined ? (canonicalRegistry(text) ?? text) : printNamespace(namespace);
}

function readRunners(text: string, mistake: Mistake): Readonly<Record<string, RunnerLabels>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    mistake(`is not JSON${didYouMean(v.is(labelSchema, text) ? defaultRunner(text) : undefined)}`);
    return {};
  }
  const checked = v.safeParse(runnersSchema, value);
  if (checked.success && !Array.isArray(value)) return checked.output;
  const meant = v.is(labelsSchema, value) ? defaultRunner(value) : undefined;
  mistake(`is not a JSON object from destinations to a label or a list of labels${didYouMean(meant)}`);
  return {};
}

/** What a label alone, as `runs-on` of a job takes it, is here. */
function defaultRunner(labels: RunnerLabels): string {
  return JSON.stringify({ default: labels });
}
