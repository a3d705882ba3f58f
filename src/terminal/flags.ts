import type { InputName } from "../inputs/inputs.ts";

/** What a terminal makes of the inputs of `action.yml`: flags, variables, and some that only a job has a use for. */

/** The input that `--apply` stands for the other way round: on this command line, nothing is written unless asked for. */
export const dryRun = "dry-run";

/** The input that is a flag without a value. */
export const check = "check";

const ofJobs = "is for a run over several jobs of a workflow (docs/fan-out.md)";
const ofPostStep = "changes something for the time of a job, and a step after it puts that back";
const ofIdToken = "takes an id token of GitHub, which only a job has";

/** Inputs that mean nothing at a terminal, each with the reason. */
const ofRunner: ReadonlyMap<string, string> = new Map<InputName, string>([
  ["mode", ofJobs],
  ["plan", ofJobs],
  ["share", ofJobs],
  ["shares", ofJobs],
  ["runs-on", ofJobs],
  ["congestion-control", ofPostStep],
  ["tcr-open-access", ofPostStep],
  ["tcr-egress", ofPostStep],
  ["report-issue", "opens an issue in the repository of a workflow"],
  ["dockerhub-oidc-connection-id", ofIdToken],
  ["dockerhub-identity-url", ofIdToken],
  ["tcr-role-arn", ofIdToken],
  ["tcr-provider-id", ofIdToken],
  ["tcr-role-session", ofIdToken],
  ["tcr-role-duration", ofIdToken],
  ["tcr-role-audience", ofIdToken],
]);

/** Defaults that are others here. Somebody who sits at a terminal waits an hour for no image that nobody has announced. */
export const ownDefaults: Readonly<Record<string, string>> = { wait: "0" } satisfies Partial<
  Record<InputName, string>
>;

/** Descriptions that are others here: there is no event, and no runner. */
const ownDescriptions: ReadonlyMap<string, string> = new Map<InputName, string>([
  [
    "version",
    "A tag (v2.15.2), several (comma, or the flag again), a semver range (>=2.14 <2.16), newest:N, newest by keep-by, " +
      "glob:1.27.*-alpine or /regular expression/. Needed, but for --check and --versions-from tags. " +
      "Without a value, alone: the version of this program.",
  ],
  [
    "versions-from",
    "Where versions come from: releases of the repository, or tags at the sources, those that every image has. With tags, " +
      "--version may be left out, for newest:<keep>, and a destination is pruned only where it says keep= itself.",
  ],
  ["repository", "The repository (owner/name) whose releases count. Default: goharbor/harbor."],
  [
    "verify",
    "What counts as in place. tags: the digest of the tag. full: every manifest and blob below it; what is missing is brought " +
      "back. Without --apply, full is an audit: a version that is there incomplete, moved or without its signatures fails.",
  ],
  ["wait", "How long to wait for images that are not at any source yet, as 90s, 60m or 2h."],
  [
    "spool-limit",
    "How much of this machine's disk blobs may take on their way, as 500MB or 8GB. A destination that is slower than the " +
      "others lags behind by this much at the most; then downloads wait for it.",
  ],
  [
    check,
    "Only try out what a run needs: the logins, reading the sources, pushing to each destination and deleting where it " +
      "prunes. Says what is missing and how to get it, and leaves nothing behind.",
  ],
]);

/** Inputs that are never flags: other users of a machine see command lines, and shells remember them. */
const secretName = /(^|-)(token|key|password|secret|logins)(-|$)/;

export function isSecret(input: string): boolean {
  return secretName.test(input);
}

/** Whether an input is a flag with a value. */
export function isFlag(input: string): boolean {
  return input !== dryRun && input !== check && !isSecret(input) && !ofRunner.has(input);
}

/** The variable that gives a secret input: `DOCKERHUB_TOKEN` for `dockerhub-token`. */
export function variableOf(input: string): string {
  return input.toUpperCase().replaceAll("-", "_");
}

/** What an input means to somebody at a terminal. */
export function describe(input: string, description: string): string {
  return ownDescriptions.get(input) ?? description.replaceAll("`", "");
}

/** Why an input of the Action is no flag; undefined for one that is, and for what is no input. */
export function whyNoFlag(input: string): string | undefined {
  if (input === dryRun) return "Every run is a dry run unless --apply is given, so there is no --dry-run.";
  const reason = ofRunner.get(input);
  if (reason !== undefined) return `There is no --${input} here: it ${reason}.`;
  return undefined;
}
