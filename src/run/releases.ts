import type { Refusal } from "../copy/publish.ts";
import type { GitHubClient } from "../github/client.ts";
import { listReleases, publishedRelease, readFileAtTag } from "../github/releases.ts";
import { createCatalogue } from "../harbor/catalogue.ts";
import type { RouteInputs } from "../inputs/inputs.ts";
import type { Route } from "../inventory/snapshot.ts";
import { type Log, printable } from "../log/log.ts";
import { hasTags } from "../plan/component.ts";
import { idleLines, namedTags, type Released, select } from "../plan/selection.ts";
import { type Release, type Version, versionOf, whyNoVersion } from "../plan/version.ts";
import { warnOfIdleLines } from "./tags.ts";
import { prereleaseReason, unwantedPrerelease, type Wanted, type WantedReleases } from "./wanted.ts";

/** What GitHub says of releases, before there is a plan and right before tags move. */

/**
 * Asks GitHub for all releases, and chooses.
 * @returns a text where there is nothing to do: it says why.
 * @throws InputError when what is wanted does not exist; OperationError.
 */
export async function lookAtReleases(
  github: GitHubClient,
  wanted: WantedReleases,
  inputs: Pick<RouteInputs, "prereleases" | "images" | "destinations">,
  log: Log,
): Promise<Route | string> {
  const { repository: id, selection, byEvent } = wanted;
  const repository = `${id.owner}/${id.name}`;
  const releases = await releasesOf(github, wanted);
  if (byEvent && selection.kind === "tags") {
    const unwanted = releases.find(
      ({ tag, prerelease }) => prerelease && !inputs.prereleases && selection.tags.includes(tag),
    );
    if (unwanted !== undefined) return unwantedPrerelease(unwanted.tag);
  }
  const released = countedReleases(releases, wanted, inputs, log);
  const retentions = inputs.destinations.map(({ retention }) => retention);
  const chosen = select(selection, released, repository, retentions);
  warnOfIdleLines(idleLines(selection, released, retentions), "release", repository, log);
  const readAtTag = (path: string, tag: string) => readFileAtTag(github, id, path, tag);
  const catalogue = createCatalogue(inputs.images, id, readAtTag, log);
  return { repository, universe: released.universe, wanted: chosen, catalogue };
}

/** All releases. An event's release can be missing from the list, which may lag, or can have been withdrawn since. */
async function releasesOf(
  github: GitHubClient,
  { repository, eventRelease }: WantedReleases,
): Promise<readonly Release[]> {
  const listed = await listReleases(github, repository);
  if (eventRelease === undefined || listed.some(({ tag }) => tag === eventRelease.tag)) return listed;
  const unlisted = await publishedRelease(github, repository, eventRelease.tag);
  return unlisted === undefined ? listed : [unlisted, ...listed];
}

/**
 * All versions that count: releases with a version as tag, prereleases only if the inputs want them. A version that no image
 * can have as tag, such as `v1.0.0+x`, is passed over unless it was asked for by name.
 */
function countedReleases(
  releases: readonly Release[],
  { selection }: Wanted,
  { prereleases, images }: Pick<RouteInputs, "prereleases" | "images">,
  log: Log,
): Released {
  const named = namedTags(selection);
  const universe: Version[] = [];
  const passedOver: Released["passedOver"][number][] = [];
  for (const release of releases) {
    const { tag } = release;
    const version = versionOf(release);
    if (version === undefined) passedOver.push({ tag, reason: whyNoVersion(tag) });
    else if (version.prerelease && !prereleases) passedOver.push({ tag, reason: prereleaseReason });
    else if (named.includes(tag) || hasTags(images, version)) universe.push(version);
    else {
      passedOver.push({ tag, reason: "a tag that no image can have" });
      log.info(`${printable(tag)} is passed over: no image can have such a tag`);
    }
  }
  return { universe, passedOver };
}

/**
 * Makes a function that asks GitHub, right before tags move, whether a version is still what the plan took it for.
 * @returns a function from a version's tag to why it must not be published; undefined: it may. If it throws, nobody knows.
 */
export function publicationCheck(
  github: GitHubClient,
  { repository }: Pick<WantedReleases, "repository">,
  { prereleases }: Pick<RouteInputs, "prereleases">,
): (version: string) => Promise<Refusal | undefined> {
  return async (tag) => {
    const release = await publishedRelease(github, repository, tag);
    if (release === undefined) {
      const reason = `the release ${printable(tag)} was withdrawn: GitHub has none of that tag any more`;
      return { kind: "withdrawn", reason };
    }
    if (!release.prerelease || prereleases) return undefined;
    return { kind: "unwanted", reason: unwantedPrerelease(tag) };
  };
}
