import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { AwsKey } from "../destinations/registry/aws-signature.ts";
import { InputError } from "../errors.ts";
import type { EventInput } from "../github/event.ts";
import type { IdTokenRequest } from "../github/id-token.ts";
import type { Login } from "../oci/credentials.ts";
import { environmentForHelpers } from "../oci/helper-environment.ts";
import { isLoopback } from "../oci/reference.ts";
import type { IssueReporting } from "../report/issue.ts";
import { didYouMean } from "../wording.ts";
import { readHubLogin } from "./docker-hub.ts";
import { type GivenFiles, noFiles, readFiles } from "./files.ts";
import { secretsInLines } from "./given-logins.ts";
import { readIssueReporting } from "./issue.ts";
import { loginsOfRoutes, parseLogins } from "./logins.ts";
import { readMode } from "./mode.ts";
import { destinationsOf, readRoutes, sourcesOf } from "./route.ts";
import { contentOf } from "./routes/given-routes.ts";
import { nearest, quoted } from "./suggestions.ts";
import { readTcrInputs, tcrInputDefaults, tcrInputExamples } from "./tcr.ts";
import type { Inputs, RunnerPaths, WorkflowRun } from "./types.ts";
import {
  type Mistake,
  parseApiUrl,
  parseBoolean,
  parseCongestionControl,
  parseConnections,
  parseKeep,
  parseSize,
} from "./values.ts";
import { readValue } from "./wrapped.ts";

export type * from "./types.ts";

/** Every input with its default, as in `action.yml`: a run outside a runner has no `INPUT_` variables for them. */
export const inputDefaults = {
  destinations: "",
  routes: "",
  version: "",
  "versions-from": "releases",
  repository: "",
  source: "ghcr.io/goharbor\ndocker.io/goharbor",
  images: "auto",
  "repository-limit": "1000",
  keep: "3",
  "keep-by": "semver",
  "prune-limit": "10",
  prereleases: "false",
  overwrite: "true",
  verify: "tags",
  platforms: "all",
  referrers: "true",
  wait: "60m",
  "spool-limit": "8GB",
  "download-connections": "auto",
  "upload-connections": "auto",
  "congestion-control": "auto",
  "dry-run": "false",
  check: "false",
  "report-issue": "false",
  summary: "true",
  mode: "all",
  plan: "",
  share: "",
  shares: "1",
  "runs-on": "{}",
  logins: "",
  "dockerhub-username": "",
  "dockerhub-token": "",
  "dockerhub-oidc-connection-id": "",
  "dockerhub-identity-url": "https://identity.docker.com",
  ...tcrInputDefaults,
  "github-token": "",
  "github-api-url": "",
} as const;

export type InputName = keyof typeof inputDefaults;

/** What a right value looks like, for the message about a wrong one. */
const examples: Readonly<Record<InputName, string>> = {
  destinations: "goharbor.tencentcloudcr.com/goharbor,keep=3",
  routes: "mirror/routes.yaml",
  version: "v2.15.2",
  "versions-from": "tags",
  repository: "goharbor/harbor",
  source: "ghcr.io/goharbor",
  images: "auto, or a line such as harbor-core:{{tag}}",
  "repository-limit": "2000",
  keep: "3",
  "keep-by": "semver",
  "prune-limit": "10",
  prereleases: "false",
  overwrite: "true",
  verify: "full",
  platforms: "linux/amd64,linux/arm64",
  referrers: "true",
  wait: "60m",
  "spool-limit": "8GB",
  "download-connections": "4",
  "upload-connections": "4",
  "congestion-control": "bbr",
  "dry-run": "false",
  check: "true",
  "report-issue": "true",
  summary: "false",
  mode: "all",
  plan: "the output plan of the job with the mode plan",
  share: "the value share of the matrix",
  shares: "2",
  "runs-on": '{"goharbor.tencentcloudcr.com": ["self-hosted", "guangzhou"]}',
  logins: "the secret LOGINS with lines such as registry.example.com: {username: mirror, password: …}",
  "dockerhub-username": "goharborbot",
  "dockerhub-token": "the secret DOCKERHUB_TOKEN",
  "dockerhub-oidc-connection-id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
  "dockerhub-identity-url": "https://identity.docker.com",
  ...tcrInputExamples,
  "github-token": "the token of the job",
  "github-api-url": "https://api.github.com",
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the inputs that are a text or a path, which `loadInputs` takes. What is wrong with one, that tells. */
export function readGivenFiles(environment: Environment): Promise<GivenFiles> {
  return readFiles((name) => inputText(environment, name), environment);
}

/**
 * Reads all inputs and the runner's variables.
 * @throws InputError that lists every mistake, each with the input's name and an example.
 */
export function loadInputs(environment: Environment, files: GivenFiles = noFiles): Inputs {
  const mistakes: string[] = [];
  const mistakeIn = (name: InputName, where = ""): Mistake => {
    return (problem) => {
      const end = problem.endsWith("?") ? "" : ".";
      mistakes.push(`${where}${name}: ${problem}${end} Example: ${examples[name]}`);
    };
  };
  const text = (name: InputName) => inputText(environment, name);
  const read = <T>(name: InputName, parse: (text: string, mistake: Mistake) => T): T =>
    readValue(text(name), parse, mistakeIn(name));

  for (const problem of misspeltInputs(environment)) mistakes.push(problem);
  const idTokenRequest = readIdTokenRequest(environment);
  const hub = readHubLogin({
    text,
    mistakeIn,
    connectionVariable: environment.DOCKERHUB_OIDC_CONNECTIONID?.trim() ?? "",
    hasIdTokens: idTokenRequest !== undefined,
  });
  const workflowRun = readWorkflowRun(environment);
  const githubApiUrl = readGitHubApiUrl(environment, mistakeIn("github-api-url"));
  const githubToken = text("github-token") || undefined;
  const tcrLogin = readLogin(text, "tcr-username", "tcr-password", mistakeIn);
  const mistake: Mistake = (problem) => mistakes.push(problem);
  const file = contentOf(files.routes, mistake);
  const logins = [
    ...parseLogins(files.logins, environment, mistake),
    ...loginsOfRoutes(file?.logins ?? [], "routes", mistake),
  ];
  const routes = readRoutes(file, text, mistakeIn);
  const destinations = destinationsOf(routes, mistakeIn("destinations"));
  const inputs: Inputs = {
    routes,
    destinations,
    sources: sourcesOf(routes, mistakeIn("source")),
    notices: file?.notices ?? [],
    pruneLimit: read("prune-limit", parseKeep),
    spoolLimit: read("spool-limit", parseSize),
    downloadConnections: read("download-connections", parseConnections),
    uploadConnections: read("upload-connections", parseConnections),
    congestionControl: read("congestion-control", parseCongestionControl),
    dryRun: read("dry-run", parseBoolean),
    check: readCheck(text("mode"), read("check", parseBoolean), mistakeIn("check")),
    mode: readMode(text, mistakeIn, destinations),
    issueReporting: readIssueReporting({
      text,
      mistake: mistakeIn("report-issue"),
      environment,
      githubApiUrl,
      githubToken,
    }),
    logins,
    summary: read("summary", parseBoolean),
    dockerHubLogin: hub.login,
    dockerHubConnection: hub.connection,
    ...readTcrInputs({ text, mistakeIn, environment }, tcrLogin, logins, workflowRun.id),
    awsKey: readAwsKey(environment),
    githubToken,
    githubApiUrl,
    idTokenRequest,
    event: readEvent(environment),
    workflowRun,
    runner: readRunnerPaths(environment),
  };
  if (mistakes.length > 0) throw new InputError(`The inputs need mending:\n- ${mistakes.join("\n- ")}`);
  return inputs;
}

/**
 * How a failure is reported by an issue. Works whatever mistakes the inputs have, so that these can be reported as well.
 * Throws nothing.
 */
export function loadIssueReporting(environment: Environment): IssueReporting | undefined {
  const text = (name: InputName) => inputText(environment, name);
  const mistake = () => undefined;
  return readIssueReporting({
    text,
    mistake,
    environment,
    githubApiUrl: readGitHubApiUrl(environment, mistake),
    githubToken: text("github-token") || undefined,
  });
}

/** Whether a job summary is wanted. Works whatever mistakes the inputs have, so that these can be told there. */
export function wantsSummary(environment: Environment): boolean {
  return !/^false$/i.test(inputText(environment, "summary"));
}

/** Inputs and variables whose value is a secret, even a mistaken value. */
const secretInputs: readonly InputName[] = [
  "dockerhub-token",
  "tcr-secret-id",
  "tcr-secret-key",
  "tcr-session-token",
  "tcr-password",
  "github-token",
];
/** Inputs with places, on whose lines no login belongs. */
const placeInputs: readonly InputName[] = ["destinations", "source", "images"];
const secretVariables = [
  "TENCENTCLOUD_SECRET_ID",
  "TENCENTCLOUD_SECRET_KEY",
  "TENCENTCLOUD_TOKEN",
  "TENCENTCLOUD_SECURITY_TOKEN",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
] as const;

/**
 * All secrets that a run is given, as they were given: they are masked before a message about a mistake in them is written.
 * Secrets that are derived from them are masked where they arise.
 */
export function givenSecrets(environment: Environment, files: GivenFiles = noFiles): readonly string[] {
  const values = [
    ...secretInputs.map((name) => inputText(environment, name)),
    ...secretVariables.map((name) => environment[name]?.trim() ?? ""),
    ...(files.logins?.secrets ?? []),
    ...(files.routes?.secrets ?? []),
    ...placeInputs.flatMap((name) => secretsInLines(inputText(environment, name))),
  ];
  return values.filter((value) => value !== "");
}

/**
 * Inputs under a name that there is not, but nearly: the runner hands them on and only warns. What was meant would be as if it
 * was not given, and a misspelt `keep` would delete more than was wanted. Of one that is given as well, nothing is said.
 */
function misspeltInputs(environment: Environment): readonly string[] {
  const names = Object.keys(inputDefaults) as readonly InputName[];
  return Object.keys(environment).flatMap((variable) => {
    const given = /^INPUT_(.+)$/.exec(variable)?.[1]?.toLowerCase();
    if (given === undefined || names.some((name) => name === given)) return [];
    const meant = names.find((name) => name === nearest(given, names));
    const isGiven = meant !== undefined && inputText(environment, meant) !== inputDefaults[meant];
    return meant === undefined || isGiven ? [] : [`there is no input ${quoted(given)}${didYouMean(meant)}`];
  });
}

/** A check is of the whole configuration. A job with a part of a run has a plan, which a check does not use. */
function readCheck(mode: string, check: boolean, mistake: Mistake): boolean {
  if (check && mode !== "all") mistake(`means nothing in the mode ${quoted(mode)}`);
  return check;
}

/**
 * The text of one input. The runner makes the variable's name from the input's: upper case, spaces to underscores,
 * hyphens kept. An empty value counts as absent, because that is what `with: keep: ${{ inputs.keep }}` gives on the
 * events that have no such input.
 */
function inputText(environment: Environment, name: InputName): string {
  const variable = `INPUT_${name.replaceAll(" ", "_").toUpperCase()}`;
  return environment[variable]?.trim() || inputDefaults[name];
}

/** A user name and its password; undefined when neither is given, and a mistake when only one is. */
function readLogin(
  text: (name: InputName) => string,
  usernameInput: InputName,
  passwordInput: InputName,
  mistakeIn: (name: InputName) => Mistake,
): Login | undefined {
  const [username, password] = [text(usernameInput), text(passwordInput)];
  if (username === "" && password === "") return undefined;
  if (username === "") mistakeIn(usernameInput)(`is empty, but ${passwordInput} is set`);
  if (password === "") mistakeIn(passwordInput)(`is empty, but ${usernameInput} is set`);
  return { username, password };
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html; a part of a key is none. */
function readAwsKey(environment: Environment): AwsKey | undefined {
  const accessKeyId = environment.AWS_ACCESS_KEY_ID?.trim();
  const secretAccessKey = environment.AWS_SECRET_ACCESS_KEY?.trim();
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: environment.AWS_SESSION_TOKEN?.trim() || undefined };
}

function readGitHubApiUrl(environment: Environment, mistake: Mistake): URL {
  const usual = "https://api.github.com";
  const text = inputText(environment, "github-api-url") || environment.GITHUB_API_URL || usual;
  return parseApiUrl(text, mistake) ?? new URL(usual);
}

/**
 * https://github.com/actions/toolkit/blob/main/packages/core/src/oidc-utils.ts
 * An address that is neither HTTPS nor this machine is as good as none: it would get the token in the clear.
 */
function readIdTokenRequest(environment: Environment): IdTokenRequest | undefined {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address = "", ACTIONS_ID_TOKEN_REQUEST_TOKEN: token = "" } =
    environment;
  if (token === "" || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol === "https:" || isLoopback(url.host) ? { url, token } : undefined;
}

/** https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables */
function readEvent(environment: Environment): EventInput {
  return {
    name: environment.GITHUB_EVENT_NAME ?? "",
    path: environment.GITHUB_EVENT_PATH || undefined,
    repository: environment.GITHUB_REPOSITORY || undefined,
    refName: environment.GITHUB_REF_NAME || undefined,
    refType: environment.GITHUB_REF_TYPE || undefined,
  };
}

/** https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables */
function readWorkflowRun(environment: Environment): WorkflowRun {
  const number = (name: string) => /^[0-9]{1,15}$/.exec(environment[name] ?? "")?.[0];
  return {
    id: number("GITHUB_RUN_ID") ?? "0",
    attempt: Number(number("GITHUB_RUN_ATTEMPT") ?? "1"),
    githubHosted: environment.RUNNER_ENVIRONMENT === "github-hosted",
    hasPostStep: Boolean(environment.GITHUB_STATE),
  };
}

/** The folders and variables of the runner that the steps of a job need. */
export function readRunnerPaths(environment: Environment): RunnerPaths {
  const home = environment.HOME || homedir();
  return {
    temporaryFolder: environment.RUNNER_TEMP || tmpdir(),
    // https://specifications.freedesktop.org/basedir-spec/latest/#variables
    stateFolder: join(environment.XDG_STATE_HOME || join(home, ".local", "state"), "harbor-release-mirror"),
    dockerConfigFolder: environment.DOCKER_CONFIG || join(home, ".docker"),
    searchPath: environment.PATH,
    helperEnvironment: environmentForHelpers(environment),
  };
}
