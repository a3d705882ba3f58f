import * as v from "valibot";
import { OperationError } from "../errors.ts";
import { printable } from "../log/log.ts";
import type { Release } from "../plan/version.ts";
import type { GitHubClient } from "./client.ts";
import { githubFailure } from "./failure.ts";
import type { RepositoryId } from "./repository-id.ts";

/** Most releases on a page: https://docs.github.com/en/rest/releases/releases#list-releases */
const releasesPerPage = 100;

/** Most pages that are read: 10,000 releases, many times those of any real repository. A longer list does not end. */
const mostPages = 100;

/** Largest file that is read from a release's source, in bytes. GitHub serves larger ones by another API only. */
const fileLimit = 1024 * 1024;

/** The parts in use of https://docs.github.com/en/rest/releases/releases#list-releases--status-codes */
const releaseSchema = v.object({
  tag_name: v.pipe(v.string(), v.nonEmpty()),
  draft: v.boolean(),
  prerelease: v.boolean(),
  published_at: v.nullish(v.pipe(v.string(), v.isoTimestamp())),
});
const pageSchema = v.array(releaseSchema);

/**
 * All published releases of a repository, in GitHub's order. Drafts are left out: only people with write access see them.
 *
 * Pages are asked for by number. The addresses in `Link` come from the server and would be sent the token, so `Link` tells
 * only whether there is a next page.
 * @throws OperationError
 */
export async function listReleases(
  client: GitHubClient,
  repository: RepositoryId,
): Promise<readonly Release[]> {
  const operation = "listing the releases";
  // Collected by tag: a release that is published meanwhile moves another one onto the next page, where it appears again.
  const releases = new Map<string, Release>();
  for (let page = 1; page <= mostPages; page += 1) {
    const { data, link } = await readPage(client, repository, page, operation);
    for (const release of checkedPage(client, repository, operation, data))
      releases.set(release.tag, release);
    if (!/;\s*rel="?next"?/.test(link)) return [...releases.values()];
  }
  throw failure(client, repository, operation, `there are more than ${mostPages} pages`);
}

async function readPage(
  client: GitHubClient,
  repository: RepositoryId,
  page: number,
  operation: string,
): Promise<{ readonly data: unknown; readonly link: string }> {
  try {
    const response = await client.octokit.rest.repos.listReleases({
      owner: repository.owner,
      repo: repository.name,
      per_page: releasesPerPage,
      page,
    });
    return { data: response.data, link: response.headers.link ?? "" };
  } catch (error) {
    throw githubFailure(client, repository, operation, error);
  }
}

function checkedPage(
  client: GitHubClient,
  repository: RepositoryId,
  operation: string,
  data: unknown,
): readonly Release[] {
  // Octokit returns text where the answer was no JSON, whatever its status.
  if (typeof data !== "object")
    throw failure(client, repository, operation, "the answer is not JSON", apiUrlAdvice);
  const result = v.safeParse(pageSchema, data);
  if (!result.success) {
    const [issue] = result.issues;
    const problem = `the answer is not a list of releases (${v.getDotPath(issue) ?? "top level"}: ${issue.message})`;
    throw failure(client, repository, operation, problem, apiUrlAdvice);
  }
  return result.output.flatMap(({ tag_name: tag, draft, prerelease, published_at: publishedAt }) => {
    if (draft) return [];
    if (typeof publishedAt === "string") return [{ tag, prerelease, publishedAt: Date.parse(publishedAt) }];
    throw failure(client, repository, operation, `the release ${printable(tag)} has no date of publication`);
  });
}

/**
 * The published release of a tag, as it is right now; undefined where there is none, or only a draft.
 * https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name
 * @throws OperationError
 */
export async function publishedRelease(
  client: GitHubClient,
  repository: RepositoryId,
  tag: string,
): Promise<Release | undefined> {
  const operation = `looking up the release ${printable(tag)}`;
  const data = await readRelease(client, repository, tag).catch((error: unknown) => {
    const found = githubFailure(client, repository, operation, error);
    if (found instanceof OperationError && found.status === 404) return undefined;
    throw found;
  });
  if (data === undefined) return undefined;
  const [release] = checkedPage(client, repository, operation, [data]);
  if (release !== undefined && release.tag !== tag)
    throw failure(client, repository, operation, "the answer is about another release", apiUrlAdvice);
  return release;
}

async function readRelease(
  client: GitHubClient,
  { owner, name }: RepositoryId,
  tag: string,
): Promise<unknown> {
  const response = await client.octokit.rest.repos.getReleaseByTag({ owner, repo: name, tag });
  return response.data;
}

const apiUrlAdvice =
  'Check that "github-api-url" is the base URL of the API and that no proxy answers in its place.';

/**
 * The text of a file in the repository at a tag; undefined when the tag has no such file.
 * @param path from the root of the repository, without a leading slash.
 * @throws OperationError, also when the file is larger than 1 MiB.
 */
export async function readFileAtTag(
  client: GitHubClient,
  repository: RepositoryId,
  path: string,
  tag: string,
): Promise<string | undefined> {
  const operation = `reading ${path} at ${printable(tag)}`;
  const data = await readRaw(client, repository, path, tag).catch((error: unknown) => {
    const found = githubFailure(client, repository, operation, error);
    if (found instanceof OperationError && found.status === 404) return undefined;
    throw found;
  });
  if (data === undefined || typeof data === "string") return data;
  // Octokit returns bytes where the answer has no `charset=utf-8`. Anything else is JSON, as for a folder.
  if (data instanceof ArrayBuffer) return Buffer.from(data).toString("utf8");
  throw failure(client, repository, operation, "the answer is not the text of a file");
}

async function readRaw(
  client: GitHubClient,
  repository: RepositoryId,
  path: string,
  tag: string,
): Promise<unknown> {
  // `{+path}` keeps the slashes of the path as GitHub's documentation writes them; Octokit's own method encodes them.
  const response = await client.octokit.request("GET /repos/{owner}/{repo}/contents/{+path}", {
    owner: repository.owner,
    repo: repository.name,
    path,
    ref: tag,
    headers: { accept: "application/vnd.github.raw" },
    request: { fetch: client.fetchUpTo(fileLimit) },
  });
  return response.data;
}

function failure(
  client: GitHubClient,
  repository: RepositoryId,
  operation: string,
  problem: string,
  advice?: string,
): OperationError {
  const name = printable(`${repository.owner}/${repository.name}`);
  return new OperationError({
    side: "GitHub",
    host: client.host,
    repository: name,
    operation,
    problem,
    advice,
  });
}
