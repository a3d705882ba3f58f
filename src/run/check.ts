import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { attempt, type CheckResult, isReady } from "../check/check.ts";
import { checkDestination } from "../check/destination.ts";
import { checkKeyless } from "../check/logins.ts";
import { checkClock, checkSpool } from "../check/runner.ts";
import { checkSources } from "../check/sources.ts";
import type { Finding } from "../destinations/destination.ts";
import { keyFor } from "../destinations/place-logins.ts";
import { mainlandApi } from "../destinations/tencent/tcr.ts";
import type { TencentApi } from "../destinations/tencent/tencent-api.ts";
import { InputError, sentenceOf } from "../errors.ts";
import type { Inputs } from "../inputs/inputs.ts";
import type { Route } from "../inventory/snapshot.ts";
import { printReference } from "../oci/reference.ts";
import type { Pattern } from "../pattern.ts";
import type { Component } from "../plan/component.ts";
import { writeCheckReport } from "../report/check-report.ts";
import { countOf } from "../wording.ts";
import type { Places, RunContext } from "./context.ts";
import { githubClient, openPlaces, registryContext } from "./places.ts";
import type { RegistryContext } from "./registries.ts";
import { lookAtReleases } from "./releases.ts";
import { listFitting } from "./repositories.ts";
import { lookAtRepositories, lookAtTags, nameOfSources } from "./tags.ts";
import { checkTuning } from "./tune.ts";
import type { Wanted } from "./wanted.ts";

/** The stages that only a check of the configuration has. */

/** Checks the runner, and the logins that are exchanged for its id token. No registry is needed for that. */
export async function checkRunner(inputs: Inputs, context: RunContext): Promise<readonly CheckResult[]> {
  const { clock, network } = context;
  const registries = registryContext(inputs, context);
  const keyless = {
    ...inputs,
    keylessHub: registries.keylessHub,
    tencentApis: tencentApis(inputs, registries),
  };
  const place = "this runner";
  const [spool, time, tuning, logins] = await Promise.all([
    attempt(
      { place, subject: "spool folder" },
      () => checkSpool(inputs.runner.temporaryFolder, inputs.spoolLimit),
      context,
    ),
    attempt(
      { place, subject: "clock" },
      (until) => checkClock(network, inputs.githubApiUrl, clock, until),
      context,
    ),
    attempt({ place, subject: "congestion control" }, () => checkTuning(inputs, clock), context),
    checkKeyless(keyless, context),
  ]);
  return [spool, time, { ...tuning, needed: false }, ...logins];
}

/** The API of each TCR destination without a key of its own, those of one address as one. */
function tencentApis(
  { destinations, logins }: Inputs,
  { tencentCloud }: RegistryContext,
): readonly TencentApi[] {
  const apis = destinations
    .filter(({ type }) => type === "tcr" || type === "tcr-personal")
    .filter((destination) => keyFor(logins, destination) === undefined)
    .flatMap((destination) => tencentCloud(destination.api ?? mainlandApi, destination) ?? []);
  return [...new Set(apis)];
}

/**
 * GitHub, and then every source and every destination, of which none waits for another.
 * @throws InputError when a destination cannot be used as it was given.
 */
export async function checkReleasesAndPlaces(
  wanted: Wanted,
  inputs: Inputs,
  context: RunContext,
): Promise<readonly CheckResult[]> {
  const opening = openPlaces(inputs, context);
  const [places, { result, components }] = await Promise.all([
    opening,
    checkVersions(wanted, inputs, opening, context),
  ]);
  const results = await Promise.all([
    checkSources(places.sources, components, context),
    ...places.destinations.map((destination) => checkDestination(destination, components, context)),
  ]);
  return [result, ...results.flat()];
}

/** Checks whether the wanted version and its images can be read. @returns the images; none if they cannot. */
async function checkVersions(
  wanted: Wanted,
  inputs: Inputs,
  places: Promise<Places>,
  context: RunContext,
): Promise<{ readonly result: CheckResult; readonly components: readonly Component[] }> {
  const github = await githubClient(inputs, context);
  const [place, subject] =
    wanted.kind === "tags"
      ? [nameOfSources(inputs), "tags"]
      : [github.host, `releases of ${wanted.repository.owner}/${wanted.repository.name}`];
  let components: readonly Component[] = [];
  const result = await attempt(
    { place, subject },
    async () => {
      if (inputs.repositories !== undefined) return ofRepositories(inputs.repositories);
      const route =
        wanted.kind === "tags"
          ? await lookAtTags(wanted, inputs, await places, context)
          : await lookAtReleases(github, wanted, inputs, context.log);
      if (typeof route === "string") throw new InputError(route);
      const { universe, wanted: versions, catalogue } = route;
      const [newest] = versions;
      components = newest === undefined ? [] : await catalogue.read(newest);
      const findingBeside =
        github.authenticated || wanted.kind === "tags"
          ? ""
          : " Without `github-token`, GitHub takes 60 requests an hour.";
      const finding = `${universe.length} versions can be read; ${newest?.tag} has ${components.length} images.${findingBeside}`;
      return { outcome: "ok", finding };
    },
    context,
  );
  return { result, components };

  /** The versions of the first repositories: to list the tags of all takes a run. */
  async function ofRepositories(patterns: readonly Pattern[]): Promise<Finding> {
    const { sources, ...others } = await places;
    const names = await listFitting(patterns, inputs, sources, {
      ...registryContext(inputs, context),
      signal: context.signal,
    });
    const first = names.slice(0, sampleLimit);
    const routes = await lookAtRepositories(wanted, inputs, first, { sources, ...others }, context);
    const refused = routes.find((route) => "failure" in route);
    if (refused !== undefined) return { outcome: "missing", finding: sentenceOf(refused.failure) };
    const known = routes.filter((route): route is Route => !("failure" in route));
    components = known.flatMap(
      ({ catalogue, wanted: [newest] }) => (newest && catalogue.known(newest)) ?? [],
    );
    const [{ from, fromTag } = { from: "", fromTag: "" }] = components;
    const finding = `${countOf(names.length, "repository")} fit; of the first ${first.length}, ${known.length} have a version that is wanted, such as ${printReference(from, fromTag)}.`;
    return { outcome: "ok", finding };
  }
}

/** Most repositories of a pattern whose tags a check lists. */
const sampleLimit = 20;

/**
 * Writes every form of report of a check.
 * @returns whether a run has all that it needs.
 */
export async function reportChecks(
  results: readonly CheckResult[],
  startedAt: number,
  inputs: Inputs,
  { clock, log, sink }: RunContext,
): Promise<boolean> {
  const reportPath = join(inputs.runner.temporaryFolder, `harbor-release-mirror-${randomUUID()}.json`);
  const milliseconds = clock.now() - startedAt;
  await writeCheckReport({ results, startedAt, milliseconds }, { ...sink, log, reportPath });
  return isReady(results);
}
