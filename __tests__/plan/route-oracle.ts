import semver from "semver";
import { newest } from "./oracle.ts";
import type { World } from "./oracle-world.ts";
import type { RouteOfWorld, RouteWorld } from "./route-world.ts";

/** Which versions a route has, by "Versions from tags" of docs/decisions.md alone. */
export type Chosen =
  /** No source says it, or the inputs ask for what is not there. */
  | "unknown"
  | "a mistake"
  | (Required<Pick<World, "wanted" | "uncounted" | "outside">> & { readonly counted: readonly string[] });

/** The retentions that the destinations' own lines say. */
export type Retentions = readonly { readonly keep: number | "all"; readonly keepBy: "semver" | "minor" }[];

export function chosenIn(world: RouteWorld, route: RouteOfWorld, retentions: Retentions): Chosen {
  const { wishes } = world;
  const isNamed = wishes.length > 0 && wishes.every(({ kind }) => kind === "named");
  const prunes = retentions.some(({ keep }) => keep !== "all");
  // A source that is a destination that prunes says nothing of versions.
  const heard = world.sources.flatMap((source, index) =>
    source.isDestination && retentions[0]?.keep !== "all"
      ? []
      : [{ ...source, tags: route.tags[index] ?? {} }],
  );
  const isShared = route.lines.some(
    ({ from, to }) => from.includes("{{") && !/\{\{(tag|version)\}\}/.test(to),
  );
  const needsList = !isNamed || isShared;
  const isRefused = (needsList || prunes) && heard.length > 0 && heard.every(({ lists }) => !lists);
  if (isRefused && needsList) return "unknown";
  const isUnlisted = isRefused || (!needsList && !prunes);
  const tagsOf = (image: string): ReadonlySet<string> =>
    new Set(heard.flatMap(({ lists, tags }) => (lists ? (tags[image] ?? []) : [])));
  const listed = isUnlisted ? [] : versionsOf(route, tagsOf);
  const named = wishes.flatMap((wish) => (wish.kind === "named" ? [wish.text] : []));
  const all = [...new Set([...listed, ...named])];
  const needsNumber = route.lines.some(({ from, to }) => /\{\{(major|minor|version)\}\}/.test(from + to));
  if (needsNumber && named.some((tag) => !isNumbered(tag))) return "a mistake";
  const ordered = all.filter((tag) => isNumbered(tag) && (world.prereleases || !isPrerelease(tag)));
  const newestOf = (count: number | "all", keepBy: "semver" | "minor") =>
    newest({ releases: [] } as never, ordered, { keep: count, keepBy });
  const chosen =
    wishes.length === 0
      ? retentions.flatMap(({ keep, keepBy }) => newestOf(keep === "all" ? 3 : keep, keepBy))
      : wishes.flatMap((wish) => {
          if (wish.kind === "named") return [wish.text];
          if (wish.kind === "newest") return retentions.flatMap(({ keepBy }) => newestOf(wish.count, keepBy));
          return (wish.kind === "range" ? ordered : all).filter(wish.takes);
        });
  if (chosen.length === 0) return "a mistake";
  const wanted = all.filter((tag) => chosen.includes(tag));
  const filters = wishes.flatMap((wish) => ("takes" in wish ? [wish.takes] : []));
  const isFiltered = filters.length > 0 && wishes.every(({ kind }) => kind !== "newest");
  // Without a list, nothing is pruned, and nothing left out.
  const counted = isRefused
    ? []
    : ordered.filter((tag) => !isFiltered || named.includes(tag) || filters.some((takes) => takes(tag)));
  return {
    counted,
    outside: ordered.filter((tag) => !isRefused && !counted.includes(tag)),
    wanted: wanted.filter((tag) => counted.includes(tag)),
    uncounted: wanted.filter((tag) => !counted.includes(tag)),
  };
}

/** Every tag of which each line has its image at some source; signatures are none. */
function versionsOf(
  { lines }: RouteOfWorld,
  tagsOf: (image: string) => ReadonlySet<string>,
): readonly string[] {
  const has = (line: string, tag: string): boolean => {
    if (line.includes("@")) return true;
    const [image = "", template = ""] = line.split(":");
    if (/\{\{(version|major|minor)\}\}/.test(template) && !isNumbered(tag)) return false;
    const filled = template.replace("{{tag}}", tag).replace("{{version}}", tag.replace(/^v/, ""));
    return tagsOf(image).has(filled);
  };
  const needsNumber = lines.some(({ to }) => /\{\{(major|minor|version)\}\}/.test(to));
  const telling = lines.filter(({ from }) => from.includes("{{tag}}"));
  const tells = telling[0] ?? lines.find(({ from }) => from.includes("{{version}}"));
  const [image = "", template = ""] = (tells?.from ?? "").split(":");
  const [before = "", after = ""] = template.split(/\{\{\w+\}\}/);
  return [...tagsOf(image)]
    .filter(
      (tag) => tag.startsWith(before) && tag.endsWith(after) && tag.length > before.length + after.length,
    )
    .map((tag) => tag.slice(before.length, tag.length - after.length))
    .filter((tag) => !tag.startsWith("sha256-"))
    .filter((tag) => telling.length > 0 || (isNumbered(tag) && !tag.startsWith("v")))
    .filter((tag) => !needsNumber || isNumbered(tag))
    .filter((tag) => lines.every(({ from }) => has(from, tag)));
}

function isNumbered(tag: string): boolean {
  return /^v?\d/.test(tag) && semver.valid(tag) !== null;
}

function isPrerelease(tag: string): boolean {
  return semver.prerelease(tag) !== null;
}
