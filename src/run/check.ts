import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { attempt, type CheckResult, isReady } from "../check/check.ts";
import { checkDestination } from "../check/destination.ts";
import { checkKeyless } from "../check/logins.ts";
import { checkClock, checkSpool } from "../check/runner.ts";
import { checkSources } from "../check/sources.ts";
import type { Destination, Finding } from "../destinations/destination.ts";
import { keyFor } from "../destinations/place-logins.ts";
import { mainlandApi } from "../destinations/tencent/tcr.ts";
import type { TencentApi } from "../destinations/tencent/tencent-api.ts";
import { InputError, sentenceOf } from "../errors.ts";
import type { Inputs, RouteInputs } from "../inputs/inputs.ts";
import { routesAtOnce } from "../inventory/snapshot.ts";
import { type Namespace, printNamespace, printReference, sameNamespace } from "../oci/reference.ts";
import type { Pattern } from "../pattern.ts";
import type { Component } from "../plan/component.ts";
import { writeCheckReport } from "../report/check-report.ts";
import { inTurns } from "../turns.ts";
import { countOf } from "../wording.ts";
import type { Places, RunContext } from "./context.ts";
import type { LookContext } from "./look.ts";
import { openPlaces, placesOf, registryContext } from "./places.ts";
import { lookContext } from "./planning.ts";
import type { RegistryContext } from "./registries.ts";
import { lookAtReleases } from "./releases.ts";
import { listFitting } from "./repositories.ts";
import { lookAtRepositories, lookAtTags, nameOfSources } from "./tags.ts";
import { checkTuning } from "./tune.ts";
import type { WantedRoute } from "./wanted.ts";

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
  routes: readonly WantedRoute[],
  inputs: Inputs,
  context: RunContext,
): Promise<readonly CheckResult[]> {
  const opening = openPlaces(inputs, context);
  const looking = lookContext(inputs, context);
  const sample = routes.slice(0, sampleLimit);
  if (sample.length < routes.length)
    context.log.info(`Checked are the first ${sample.length} of ${routes.length} routes.`);
  const [opened, looks] = await Promise.all([
    opening,
    inTurns(sample, routesAtOnce, (route) => checkVersions(route, inputs, opening, looking, context)),
  ]);
  const checked = new Set<string>();
  const results = await Promise.all(
    looks.flatMap(({ inputs: own, components }) => {
      const places = placesOf(own, opened);
      const fresh = <Place extends Namespace>(side: string, all: readonly Place[]): readonly Place[] =>
        all.filter((place) => {
          const key = `${side} ${printNamespace(place)}`;
          return !checked.has(key) && checked.add(key);
        });
      return [
        checkSources(fresh("source", places.sources), components, context),
        ...fresh("destination", places.destinations).map((destination) =>
          checkDestination(pruningWhereAny(destination, sample), components, context),
        ),
      ];
    }),
  );
  return [...looks.map(({ result }) => result), ...results.flat()];
}

/** A destination as the route uses it that asks most of it: one that prunes. */
function pruningWhereAny(destination: Destination, routes: readonly WantedRoute[]): Destination {
  const pruning = routes
    .flatMap(({ inputs }) => inputs.destinations)
    .find((each) => sameNamespace(each, destination) && each.retention.keep !== "all");
  return pruning === undefined ? destination : { ...destination, retention: pruning.retention };
}

interface CheckedVersions {
  readonly inputs: RouteInputs;
  readonly result: CheckResult;
  /** Of the newest version; none if it cannot be read. */
  readonly components: readonly Component[];
}

/** Checks whether the wanted version of a route and its images can be read. */
async function checkVersions(
  { inputs: own, wanted }: WantedRoute,
  inputs: Inputs,
  opening: Promise<Places>,
  looking: LookContext,
  context: RunContext,
): Promise<CheckedVersions> {
  const github = await looking.github();
  const [origin, subject] =
    wanted.kind === "tags"
      ? [nameOfSources(own), "tags"]
      : [github.host, `releases of ${wanted.repository.owner}/${wanted.repository.name}`];
  const place = own.name === undefined ? origin : `${own.name}: ${origin}`;
  let components: readonly Component[] = [];
  const result = await attempt(
    { place, subject },
    async () => {
      const places = placesOf(own, await opening);
      if (own.repositories !== undefined) return ofRepositories(own.repositories, places);
      const route =
        wanted.kind === "tags"
          ? await lookAtTags(wanted, own, places, context)
          : await lookAtReleases(github, wanted, own, context.log);
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
  return { inputs: own, result, components };

  /** The versions of the first repositories: to list the tags of all takes a run. */
  async function ofRepositories(patterns: readonly Pattern[], places: Places): Promise<Finding> {
    const { repositoryLimit } = own;
    const names = await listFitting(patterns, { ...inputs, repositoryLimit }, places.sources, looking);
    const first = names.slice(0, sampleLimit);
    const looks = await lookAtRepositories(wanted, own, first, places, context);
    const refused = looks.find((look) => "failure" in look);
    if (refused !== undefined) return { outcome: "missing", finding: sentenceOf(refused.failure) };
    const known = looks.flatMap((look) => ("route" in look ? [look.route] : []));
    components = known.flatMap(
      ({ catalogue, wanted: [newest] }) => (newest && catalogue.known(newest)) ?? [],
    );
    const [{ from, fromTag } = { from: "", fromTag: "" }] = components;
    const finding = `${countOf(names.length, "repository")} fit; of the first ${first.length}, ${known.length} have a version that is wanted, such as ${printReference(from, fromTag)}.`;
    return { outcome: "ok", finding };
  }
}

/** Most routes whose versions a check reads, and most repositories of a pattern whose tags it lists. */
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
