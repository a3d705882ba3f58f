import { repositoryIdOf } from "../github/repository-id.ts";
import { printable } from "../log/log.ts";
import { digestOf } from "../oci/digest.ts";
import type { IssueReporting } from "../report/issue.ts";
import { looksLikePath } from "./text-or-path.ts";
import { linesOf, type Mistake, parseBoolean } from "./values.ts";

/** The inputs that say whether a failure is reported by an issue, and what the issue is about. */
type IssueInputName = "report-issue" | "dry-run" | "check" | "mode" | "destinations" | "routes";

interface IssueSources {
  readonly text: (name: IssueInputName) => string;
  readonly mistake: Mistake;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly githubApiUrl: URL;
  readonly githubToken: string | undefined;
}

/** Longest name of a workflow in an issue, in characters. */
const nameLimit = 100;

/**
 * How a failure is reported by an issue; undefined where it is not: in a run that writes nothing, and in a job that copies a
 * share, as the job that publishes reports for it. Reads single inputs as they were given, so that mistakes in the others can
 * be reported too.
 */
export function readIssueReporting(sources: IssueSources): IssueReporting | undefined {
  const { text, mistake, environment, githubApiUrl, githubToken } = sources;
  const isTrue = (name: IssueInputName) => parseBoolean(text(name), () => undefined);
  if (!parseBoolean(text("report-issue"), mistake)) return undefined;
  const repository = repositoryIdOf(environment.GITHUB_REPOSITORY ?? "");
  if (repository === undefined) mistake("needs a workflow on GitHub: GITHUB_REPOSITORY names no repository");
  if (githubToken === undefined) mistake("needs a github-token that may write issues");
  if (repository === undefined || githubToken === undefined) return undefined;
  if (isTrue("dry-run") || isTrue("check") || text("mode") === "copy") return undefined;
  return {
    repository,
    workflow: printable(environment.GITHUB_WORKFLOW ?? "", nameLimit),
    key: keyOf(environment, text("destinations"), text("routes").trim()),
    runUrl: runUrlOf(environment),
    githubApiUrl,
    githubToken,
  };
}

/**
 * The key that tells the issue of one workflow from that of another: the workflow's file, whatever branch it runs on, and its
 * destinations or its file of routes, as the jobs of one workflow may each have their own. Routes as a text are left out: who
 * mends them would leave the issue behind.
 */
function keyOf(environment: IssueSources["environment"], destinations: string, routes: string): string {
  const [file = ""] = (environment.GITHUB_WORKFLOW_REF || environment.GITHUB_WORKFLOW || "").split("@");
  const names = linesOf(destinations).map((line) => line.replace(/,.*$/, "").trim());
  const ofRoutes = looksLikePath(routes) ? [routes] : [];
  return digestOf(JSON.stringify([file, names.toSorted(), ...ofRoutes]));
}

function runUrlOf(environment: IssueSources["environment"]): string | undefined {
  const { GITHUB_SERVER_URL: server = "", GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: id } = environment;
  const attempt = environment.GITHUB_RUN_ATTEMPT ?? "1";
  const url = `${server}/${repository}/actions/runs/${id}/attempts/${attempt}`;
  return /^https?:\/\/[\w.:-]+\/[\w./-]+$/.test(url) ? url : undefined;
}
