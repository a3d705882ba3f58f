/**
 * GitHub's REST API, as far as releases and files go (https://docs.github.com/rest). Kept:
 * - `GET /repos/{o}/{r}/releases`: newest commit first, `per_page` (30, at most 100) and `page`, `Link` with `next` and
 *   `last` that lead to `/repositories/{id}/releases`; drafts only for a token;
 * - `GET /repos/{o}/{r}/releases/tags/{tag}`: published releases only;
 * - `GET /repos/{o}/{r}/contents/{path}?ref=`: JSON with base64 in lines, or the bytes for the `raw` media type;
 * - `GET /repos/{o}/{r}/actions/runs/{id}`; issues, in `github-issues.ts`; lists of packages, in `vendor-apis/packages.ts`;
 * - 404 for whatever is not there, 401 "Bad credentials" for an unknown token, 403 without User-Agent.
 */
import { answerAboutIssues, type Issues, noIssues } from "./github-issues.ts";
import { type Answer, extend, json, type SandboxRequest, type SandboxServer, startServer } from "./server.ts";
import { listPackages, type PackageList } from "./vendor-apis/packages.ts";

export interface GitHubRelease {
  readonly tag: string;
  readonly prerelease: boolean;
  /** Milliseconds since the epoch. */
  readonly publishedAt: number;
  /** When the tag's commit was made, which is what GitHub sorts by. Default: `publishedAt`. */
  readonly createdAt?: number;
  readonly draft?: boolean;
  /** Default: the tag. */
  readonly name?: string;
}

export interface GitHubOptions {
  /** `owner/name`. */
  readonly repository: string;
  readonly releases: readonly GitHubRelease[];
  /** Content of a file at a ref; undefined: not there. */
  readonly files: (path: string, ref: string) => string | undefined;
  /** Tokens that are accepted. Default: `githubToken` alone. */
  readonly tokens?: readonly string[];
  /** The packages of owners. Default: none. */
  readonly packages?: PackageList;
}

export interface WorkflowRun {
  readonly status: "in_progress" | "completed";
  readonly attempt: number;
}

export interface GitHub extends SandboxServer {
  readonly repository: string;
  /** Runs of workflows by their ids; tests add to it. */
  readonly runs: Map<string, WorkflowRun>;
  /** Of the same repository. */
  readonly issues: Issues;
  /** Publishes one more release. */
  addRelease(release: GitHubRelease): void;
  /** Changes a release, as its maintainers do on its page. */
  changeRelease(tag: string, changes: Partial<GitHubRelease>): void;
  /** A release in the form of the API and of event payloads; undefined for an unknown tag. */
  release(tag: string): Record<string, unknown> | undefined;
}

export const githubToken = "ghs_sandboxGitHubToken0000000000000000000";
/** A classic token with `read:packages`. */
export const packagesToken = "ghp_sandboxClassicToken00000000000000000";

interface Repository {
  readonly name: string;
  readonly releases: GitHubRelease[];
  readonly files: GitHubOptions["files"];
  readonly tokens: readonly string[];
  readonly packages: PackageList | undefined;
  readonly runs: Map<string, WorkflowRun>;
  readonly issues: Issues;
}

/** Starts the API of one repository. */
export async function startGitHub(options: GitHubOptions): Promise<GitHub> {
  const repository: Repository = {
    name: options.repository,
    releases: [...options.releases],
    files: options.files,
    tokens: options.tokens ?? [githubToken],
    packages: options.packages,
    runs: new Map(),
    issues: noIssues(),
  };
  const server = await startServer((request) => answerTo(repository, request));
  return extend(server, {
    repository: options.repository,
    runs: repository.runs,
    issues: repository.issues,
    addRelease: (release: GitHubRelease) => {
      repository.releases.push(release);
    },
    changeRelease: (tag: string, changes: Partial<GitHubRelease>) => {
      const index = repository.releases.findIndex((release) => release.tag === tag);
      const [found] = repository.releases.slice(index);
      if (index < 0 || found === undefined) throw new Error(`there is no release ${tag}`);
      repository.releases[index] = { ...found, ...changes };
    },
    release: (tag: string) => {
      const index = repository.releases.findIndex((release) => release.tag === tag);
      const found = repository.releases[index];
      return found === undefined ? undefined : releaseJson(repository, found, server.origin);
    },
  });
}

/** Any number does: the Link header of GitHub names repositories by it. */
const repositoryId = 50_613_991;

async function answerTo(repository: Repository, request: SandboxRequest): Promise<Answer> {
  if (!request.headers["user-agent"]) {
    return {
      status: 403,
      headers: { "content-type": "text/plain" },
      body: "Request forbidden: no User-Agent\n",
    };
  }
  const listed = repository.packages === undefined ? undefined : listPackages(repository.packages, request);
  if (listed !== undefined) return listed;
  const [, token] = (request.headers.authorization ?? "").split(" ");
  const signedIn = token !== undefined && repository.tokens.includes(token);
  if (token !== undefined && !signedIn) return problem(401, "Bad credentials");
  const path = request.url.pathname;
  const byName = `/repos/${repository.name}/`;
  const byId = `/repositories/${repositoryId}/`;
  const prefix = [byName, byId].find((one) => path.startsWith(one));
  if (prefix === undefined) return problem(404, "Not Found");
  const rest = path.slice(prefix.length);
  const aboutIssues = await answerAboutIssues(repository.issues, request, rest, signedIn);
  if (aboutIssues !== undefined) return aboutIssues;
  if (request.method !== "GET") return problem(404, "Not Found");
  if (rest.startsWith("actions/runs/")) return workflowRun(repository, rest.slice(13));
  if (rest === "releases") return listReleases(repository, request, signedIn);
  if (rest.startsWith("releases/tags/"))
    return releaseByTag(repository, request, decodeURIComponent(rest.slice(14)));
  if (rest.startsWith("contents/")) return contents(repository, request, decodeURIComponent(rest.slice(9)));
  return problem(404, "Not Found");
}

/** https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run */
function workflowRun({ runs }: Repository, id: string): Answer {
  const run = runs.get(id);
  if (run === undefined) return problem(404, "Not Found");
  const { status, attempt } = run;
  return json(200, { id: Number(id), status, run_attempt: attempt, conclusion: null }, rateLimit);
}

function listReleases(repository: Repository, request: SandboxRequest, signedIn: boolean): Answer {
  const query = request.url.searchParams;
  const size = Math.min(100, Number(query.get("per_page") ?? 30));
  const page = Number(query.get("page") ?? 1);
  const visible = repository.releases.filter(({ draft = false }) => signedIn || !draft);
  const sorted = visible.toSorted((one, other) => createdAt(other) - createdAt(one));
  const pages = Math.max(1, Math.ceil(sorted.length / size));
  const link = (number: number, relation: string) =>
    `<${request.url.origin}/repositories/${repositoryId}/releases?per_page=${size}&page=${number}>; rel="${relation}"`;
  const links = [
    ...(page > 1 ? [link(page - 1, "prev"), link(1, "first")] : []),
    ...(page < pages ? [link(page + 1, "next"), link(pages, "last")] : []),
  ];
  const shown = sorted.slice((page - 1) * size, page * size);
  return json(
    200,
    shown.map((release) => releaseJson(repository, release, request.url.origin)),
    { ...rateLimit, ...(links.length > 0 ? { link: links.join(", ") } : {}) },
  );
}

function releaseByTag(repository: Repository, request: SandboxRequest, tag: string): Answer {
  const found = repository.releases.find((release) => release.tag === tag && !release.draft);
  if (found === undefined) return problem(404, "Not Found");
  return json(200, releaseJson(repository, found, request.url.origin), rateLimit);
}

function contents(repository: Repository, request: SandboxRequest, path: string): Answer {
  const ref = request.url.searchParams.get("ref") ?? "main";
  const text = repository.files(path, ref);
  if (text === undefined) return problem(404, "Not Found");
  if (/application\/vnd\.github\.(v3\.)?raw(\+json)?/.test(request.headers.accept ?? "")) {
    return {
      status: 200,
      headers: { "content-type": "application/vnd.github.raw+json; charset=utf-8" },
      body: text,
    };
  }
  const encoded = Buffer.from(text).toString("base64").replace(/.{60}/g, "$&\n");
  return json(200, {
    type: "file",
    encoding: "base64",
    size: Buffer.byteLength(text),
    name: path.split("/").at(-1),
    path,
    content: `${encoded}\n`,
    url: `${request.url.origin}${request.path}`,
  });
}

function releaseJson(
  repository: Repository,
  release: GitHubRelease,
  origin: string,
): Record<string, unknown> {
  const id = repository.releases.indexOf(release) + 1;
  const published = new Date(release.publishedAt).toISOString();
  return {
    url: `${origin}/repos/${repository.name}/releases/${id}`,
    html_url: `https://github.com/${repository.name}/releases/tag/${encodeURIComponent(release.tag)}`,
    id,
    tag_name: release.tag,
    target_commitish: "main",
    name: release.name ?? release.tag,
    draft: release.draft ?? false,
    prerelease: release.prerelease,
    created_at: new Date(createdAt(release)).toISOString(),
    published_at: release.draft ? null : published,
    assets: [],
    body: '{"buildNo":"build.1250","preTag":"v0.0.0"}',
  };
}

function createdAt(release: GitHubRelease): number {
  return release.createdAt ?? release.publishedAt;
}

const rateLimit = {
  "x-ratelimit-limit": "5000",
  "x-ratelimit-remaining": "4999",
  "x-ratelimit-reset": "4102444800",
};

function problem(status: number, message: string): Answer {
  return json(
    status,
    { message, documentation_url: "https://docs.github.com/rest", status: String(status) },
    rateLimit,
  );
}
