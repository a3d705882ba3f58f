import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { expect } from "vitest";
import { InputError, OperationError } from "../../src/errors.ts";
import type { Route } from "../../src/inventory/snapshot.ts";
import { silentLog } from "../../src/log/log.ts";
import { applyRulesOnce } from "../../src/plan/component.ts";
import { failing, makePlan, type Plan } from "../../src/plan/plan.ts";
import { imageKey, type Snapshot } from "../../src/plan/snapshot.ts";
import { lookAtTags } from "../../src/run/tags.ts";
import { tagSource } from "../run/tag-sources.ts";
import { obstacle } from "../support/failures.ts";
import { joined } from "./joined.ts";
import { verdictOn } from "./oracle.ts";
import { destinationSnapshot, imagesOf, nameOfDestination, type World } from "./oracle-world.ts";
import { type Chosen, chosenIn } from "./route-oracle.ts";
import {
  type RouteOfWorld,
  type RouteWorld,
  readBy,
  routeWorlds,
  ruleOf,
  selectionOf,
} from "./route-world.ts";
import { imagesIn, stepsOf } from "./snapshot-builder.ts";

/** Holds what is chosen of tags, and the joined plan, to the oracle in that many random worlds. `ORACLE_SEED` repeats one. */
export async function holdRoutesToOracle(numRuns: number): Promise<void> {
  const seed = process.env.ORACLE_SEED;
  await fc.assert(
    fc.asyncProperty(routeWorlds, async (world) => {
      const retentions = (world.routes[0]?.destinations ?? []).map(({ keep, keepBy }) => ({
        keep,
        keepBy: keepBy === "minor" ? keepBy : ("semver" as const),
      }));
      const chosen = world.routes.map((route) => chosenIn(world, route, retentions));
      const looked = await Promise.all(world.routes.map((route) => look(world, route, retentions)));
      hold(
        looked.map(tagsOf),
        chosen.map((one) => (typeof one === "string" ? one : sortedTags(one))),
      );
      const plans = world.routes.flatMap((route, index) => {
        const found = looked[index];
        const own = chosen[index];
        if (found === "unknown") return [unknownPlan(route)];
        if (typeof found !== "object" || typeof own !== "object") return [];
        return [makePlan(snapshotOf(world, route, found, worldOf(world, route, own)))];
      });
      const plan = joined(plans, world.pruneLimit);
      hold(planned(plan, retentions.length), expected(world, chosen, retentions.length));
    }),
    { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
}

/** Vitest's comparison is the slower half of a world. */
function hold(found: unknown, oracle: unknown): void {
  if (!isDeepStrictEqual(found, oracle)) expect(found).toEqual(oracle);
}

type Looked = Route | "unknown" | "a mistake";

async function look(
  world: RouteWorld,
  route: RouteOfWorld,
  retentions: readonly { readonly keep: number | "all"; readonly keepBy: "semver" | "minor" }[],
): Promise<Looked> {
  const destinations = retentions.map((retention, index) => ({
    registry: nameOfDestination(index).replace(/\/.*/, ""),
    path: "goharbor",
    retention,
  }));
  const sources = world.sources.map(({ lists, isDestination }, index) => {
    const registry = isDestination ? nameOfDestination(0).replace(/\/.*/, "") : `source-${index}.example.com`;
    return tagSource({ registry, path: "goharbor" }, lists ? (route.tags[index] ?? {}) : undefined);
  });
  const kept = retentions.map((one) => (one.keep === "all" ? { ...one, keep: 3 } : one));
  const images = route.lines.map(ruleOf);
  try {
    const found = await lookAtTags(
      { selection: selectionOf(world, kept) },
      { images, sources: [], destinations: destinations as never, prereleases: world.prereleases },
      { sources, destinations, attachments: undefined },
      { log: silentLog, signal: new AbortController().signal },
    );
    for (const version of found.wanted) applyRulesOnce(images, version);
    return found;
  } catch (error) {
    if (error instanceof OperationError) return "unknown";
    if (error instanceof InputError) return "a mistake";
    throw error;
  }
}

function tagsOf(found: Looked): Chosen {
  if (typeof found === "string") return found;
  const counted = found.universe.map(({ tag }) => tag);
  const wanted = found.wanted.map(({ tag }) => tag);
  return sortedTags({
    counted,
    outside: (found.outside ?? []).map(({ tag }) => tag),
    wanted: wanted.filter((tag) => counted.includes(tag)),
    uncounted: wanted.filter((tag) => !counted.includes(tag)),
  });
}

function sortedTags({ counted, outside, wanted, uncounted }: Exclude<Chosen, string>): Chosen {
  return {
    counted: counted.toSorted(),
    outside: outside.toSorted(),
    wanted: wanted.toSorted(),
    uncounted: uncounted.toSorted(),
  };
}

/** The world of one route as the oracle of plans knows it. What no source has by its tag is missing. */
function worldOf(
  world: RouteWorld,
  { lines, tags, destinations }: RouteOfWorld,
  chosen: Exclude<Chosen, string>,
): World {
  const wanted = [...chosen.wanted, ...chosen.uncounted];
  const isThere = (source: string): boolean => {
    const [image = "", tag = ""] = source.split(":");
    return source.includes("@") || tags.some((at) => at[image]?.includes(tag));
  };
  const images = wanted.flatMap((tag) => imagesOf({ lines }, tag));
  return {
    releases: chosen.counted.map((tag) => ({ tag, prerelease: false, publishedAt: 0 })),
    prereleases: true,
    lines,
    wanted: chosen.wanted,
    uncounted: chosen.uncounted,
    outside: chosen.outside,
    missing: images.filter(({ source }) => !isThere(source)).map(({ key }) => key),
    sourceWords: {},
    overwrite: world.overwrite,
    pruneLimit: "all",
    destinations,
  };
}

function snapshotOf(
  { isPattern }: RouteWorld,
  { image }: RouteOfWorld,
  { universe, outside = [], wanted, catalogue, repository }: Route,
  world: World,
): Snapshot {
  const components = new Map(
    [...universe, ...outside, ...wanted].map(
      (version) => [version.tag, catalogue.known(version) ?? []] as const,
    ),
  );
  return {
    repository,
    ...(isPattern ? { route: image } : {}),
    universe,
    outside,
    wanted: wanted.map((version) => {
      const own = components.get(version.tag) ?? [];
      const absent = own.filter(({ to, toTag }) => world.missing.includes(imageKey(to, toTag)));
      const missing = absent.map((component) => ({
        component,
        failure: obstacle(`no ${readBy(component)}`),
      }));
      return { version, components: own, missing };
    }),
    components,
    destinations: world.destinations.map((one, index) => destinationSnapshot(world, one, index)),
    overwrite: world.overwrite,
    pruneLimit: "all",
  };
}

function unknownPlan({ image, destinations }: RouteOfWorld): Plan {
  const steps = destinations.map((_, index) =>
    failing(
      { route: image, destination: nameOfDestination(index), version: "*", image, tag: "*" },
      obstacle("no list"),
    ),
  );
  return { repository: image, versions: [], steps };
}

interface Judged {
  readonly kept: readonly string[];
  readonly copied: readonly string[];
  readonly failed: readonly string[];
  readonly pruned: readonly string[];
}

function planned(plan: Plan, destinations: number): readonly Judged[] {
  return Array.from({ length: destinations }, (_, index) => {
    const name = nameOfDestination(index);
    return {
      kept: stepsOf(plan, "keep", name)
        .map(({ route = "list", version }) => `${route} ${version}`)
        .sort(),
      copied: stepsOf(plan, "copy", name)
        .map(({ version, image, tag }) => `${version} ${imageKey(image, tag)}`)
        .sort(),
      failed: [
        ...new Set(stepsOf(plan, "fail", name).map(({ route = "list", version }) => `${route} ${version}`)),
      ].sort(),
      pruned: [...imagesIn(stepsOf(plan, "prune", name))].sort(),
    };
  });
}

function expected(world: RouteWorld, chosen: readonly Chosen[], destinations: number): readonly Judged[] {
  return Array.from({ length: destinations }, (_, index) => {
    const verdicts = world.routes.flatMap((route, at) => {
      const { image } = route;
      const own = chosen[at];
      if (own === "unknown") return [{ image, kept: [], copied: [], failed: ["*"], pruned: [], going: [] }];
      const destination = route.destinations[index];
      if (typeof own !== "object" || destination === undefined) return [];
      return [{ image, ...verdictOn(worldOf(world, route, own), destination) }];
    });
    const fails = verdicts.some(({ failed }) => failed.length > 0);
    const going = verdicts.reduce((sum, verdict) => sum + verdict.going.length, 0);
    const isTooMuch = world.pruneLimit !== "all" && going > world.pruneLimit;
    const ofRoute = (part: "kept" | "failed") =>
      verdicts.flatMap((verdict) => verdict[part].map((tag) => `${verdict.image} ${tag}`)).sort();
    return {
      kept: ofRoute("kept"),
      copied: verdicts.flatMap(({ copied }) => copied).sort(),
      failed: ofRoute("failed"),
      pruned: fails || isTooMuch ? [] : verdicts.flatMap(({ pruned }) => pruned).sort(),
    };
  });
}
