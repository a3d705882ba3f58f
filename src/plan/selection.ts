import semver from "semver";
import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { matching, type Pattern, parseExpression, parseGlob } from "../pattern.ts";
import { countOf, didYouMean, listOf } from "../wording.ts";
import { meantNewest, meantSelection } from "./meant-selection.ts";
import { newest, type Retention } from "./retention.ts";
import { type AnyVersion, bySemver, roughNumber, type Version } from "./version.ts";

/** What fits versions one by one, whatever others there are. */
type Filter =
  | { readonly kind: "tags"; readonly tags: readonly string[] }
  | { readonly kind: "range"; readonly range: string }
  /** As other tools take it: of any tag that begins with a number, prereleases as well. */
  | { readonly kind: "semver"; readonly range: string }
  | { readonly kind: "pattern"; readonly pattern: Pattern };

/** Which versions the user wants. */
export type Selection =
  | Filter
  | { readonly kind: "newest"; readonly count: number }
  /** What any of these chooses, a line each; of what none of `except` fits. */
  | { readonly kind: "any"; readonly of: readonly Selection[]; readonly except?: readonly Filter[] }
  /** What these would keep. */
  | { readonly kind: "kept"; readonly retentions: readonly Retention[] };

/**
 * Reads a `version` input that is not empty.
 * @throws InputError when it is neither tags, nor a semver range that can hold a version, nor `newest:N`, nor a pattern, nor
 *   several of these, a line each, nor begins with `!`.
 */
export function parseSelection(text: string): Selection {
  const lines = text.split("\n").map((line) => line.trim());
  const given = lines.filter((line) => line !== "");
  const isLeftOut = (line: string) => line.startsWith("!");
  const except = given.filter(isLeftOut).map((line) => parseExcept(line.slice(1).trim()));
  if (except.length > 0) {
    const others = given.filter((line) => !isLeftOut(line));
    const chosen = parseSelection(others.length === 0 ? "glob:*" : others.join("\n"));
    return { kind: "any", of: chosen.kind === "any" ? chosen.of : [chosen], except };
  }
  const [only = "", ...others] = given;
  if (others.length === 0) return parseTagsOrRange(only) ?? parseLine(only);
  const whole = isOverLines(given) ? parseTagsOrRange(given.join("\n")) : undefined;
  if (whole !== undefined) return whole;
  const of = given.map(parseSelection);
  const tags = of.flatMap((line) => (line.kind === "tags" ? [line.tags] : []));
  return tags.length === of.length ? { kind: "tags", tags: [...new Set(tags.flat())] } : { kind: "any", of };
}

/** Whether lines are conditions of one range, as `>=2.14` and `<2.16`: each alone would be far too much. */
function isOverLines(lines: readonly string[]): boolean {
  return lines.every((line) => /^[<>=]/.test(line)) || lines.some((line) => /^\|\||\|\|$/.test(line));
}

/** What follows a `!`. */
function parseExcept(line: string): Filter {
  const filter = line === "" ? undefined : parseSelection(line);
  if (filter === undefined || filter.kind === "newest" || filter.kind === "any" || filter.kind === "kept")
    throw new InputError(`"!${line}" leaves out no tags, range or pattern`);
  return filter;
}

/** A pattern, `semver:…` or `newest:N`. */
function parseLine(line: string): Selection {
  const range = /^semver:(.*)$/.exec(line)?.[1]?.trim();
  if (range !== undefined) {
    if (range !== "" && semver.validRange(range) !== null) return { kind: "semver", range };
    throw new InputError(`"${line}" is not a semver range`);
  }
  const [, glob, expression, flags] = /^(?:glob:(.*)|\/(.*)\/([a-z]*))$/.exec(line) ?? [];
  if (glob?.trim() === "" || expression === "")
    throw new InputError(`"${line}" is an empty pattern, which no tag fits`);
  if (glob !== undefined) return { kind: "pattern", pattern: parseGlob(line, glob.trim()) };
  if (flags) throw new InputError(`"${line}" has flags, which a pattern does not take`);
  if (expression !== undefined) return { kind: "pattern", pattern: parseExpression(line, expression) };
  return parseNewest(line);
}

/** @throws InputError for anything else. */
function parseNewest(trimmed: string): Selection {
  const counted = /^newest:(.*)$/.exec(trimmed);
  if (counted !== null) {
    const count = Number(counted[1]);
    if (!/^[0-9]+$/.test(counted[1] ?? "") || count < 1) {
      const meant = didYouMean(meantNewest(trimmed));
      throw new InputError(`"${trimmed}" needs a whole number of at least 1, for example newest:3${meant}`);
    }
    return { kind: "newest", count };
  }
  const meant = didYouMean(meantSelection(trimmed));
  throw new InputError(
    `"${trimmed}" is not a tag, a list of tags, a semver range, newest:N, semver:…, glob:… or /regular expression/${meant}`,
  );
}

/** Tags, or a range; undefined where it is something else. */
function parseTagsOrRange(trimmed: string): Selection | undefined {
  if (/^(?:glob:|semver:|\/|newest:)/.test(trimmed)) return undefined;
  const items = trimmed.split(",").map((item) => item.trim());
  const tags = items.filter((item) => item !== "");
  if (
    tags.length > 0 &&
    tags.every((tag) => semver.parse(tag) !== null || /^v?[0-9]+\.[0-9]+\.[0-9]+[\w.-]*$/.test(tag))
  ) {
    return { kind: "tags", tags: [...new Set(tags)] };
  }
  if (semver.validRange(trimmed) !== null) {
    // `v2.15.2 v2.14.4` is a range too, but one that no version is in: semver reads a space as "and".
    if (semver.minVersion(trimmed) === null) {
      const parts = trimmed.split(/\s+/);
      const meant = parts.every((part) => tagPattern.test(part)) ? parts.join(", ") : undefined;
      throw new InputError(
        `"${trimmed}" is a range without any version; several tags need commas between them${didYouMean(meant)}`,
      );
    }
    return { kind: "range", range: trimmed };
  }
  const areTags = tags.length > 0 && tags.every((tag) => tagPattern.test(tag));
  return areTags ? { kind: "tags", tags: [...new Set(tags)] } : undefined;
}

/** Of a release's tag, which may be longer than an image's. */
const tagPattern = /^[a-zA-Z0-9_][\w.-]*$/;

/** What there is to choose from. */
export interface Released {
  /** Published versions; prereleases are among them only by the user's choice, or as the event's own release. */
  readonly universe: readonly Version[];
  /**
   * Where tags at the sources are the versions: those that do not count as newest, and are chosen only by name or pattern,
   * because they have no number, or are prereleases.
   */
  readonly otherTags?: readonly AnyVersion[];
  /** Listed images without any tag at the sources: no version has them. */
  readonly untagged?: readonly string[];
  /** Published releases that do not count, and what they are instead. */
  readonly passedOver: readonly { readonly tag: string; readonly reason: string }[];
}

/** Most releases that a message names for each reason. */
const namedLimit = 3;

/**
 * The wanted versions, newest first, of all that the repository has released.
 * @param retentions of the destinations: which versions count as newest is theirs to say, and what one of them wants is chosen.
 * @throws InputError when a wanted version does not exist, or nothing fits.
 */
export function select(
  selection: Selection,
  released: Released,
  repository: string,
  retentions: readonly Pick<Retention, "keepBy">[],
): readonly AnyVersion[] {
  const ordered = [...released.universe].sort(bySemver);
  const all = [...ordered, ...[...(released.otherTags ?? [])].sort(bySemver)];
  const missing = namedTags(selection).filter((tag) => !all.some((version) => version.tag === tag));
  if (missing.length > 0) throw whyUnknown(missing, released, repository);
  const chosen = new Set(chosenOf(selection, ordered, all, retentions));
  if (chosen.size === 0) {
    throw new InputError(
      `No ${released.otherTags === undefined ? "release" : "tag"} of ${repository} fits version "${printable(describe(selection))}". ${whatThereIs(released)}`,
    );
  }
  return all.filter((version) => chosen.has(version));
}

/** The lines of several that choose nothing. */
export function idleLines(
  selection: Selection,
  { universe, otherTags = [] }: Pick<Released, "universe" | "otherTags">,
  retentions: readonly Pick<Retention, "keepBy">[],
): readonly string[] {
  if (selection.kind !== "any") return [];
  const ordered = withoutExcept(selection, [...universe].sort(bySemver));
  const all = withoutExcept(selection, [...universe, ...otherTags]);
  const idle = selection.of.filter((line) => chosenOf(line, ordered, all, retentions).length === 0);
  return idle.map(describe);
}

/** The same selection, which names only those of its tags that are there. */
export function demanding(selection: Selection, there: ReadonlySet<string>): Selection {
  if (selection.kind === "any")
    return { ...selection, of: selection.of.map((line) => demanding(line, there)) };
  if (selection.kind !== "tags") return selection;
  return { ...selection, tags: selection.tags.filter((tag) => there.has(tag)) };
}

/**
 * The versions of a route's filter: only these are counted and pruned. Who asks for a tag by its name, or for the newest,
 * says nothing of the others.
 * @throws PatternError when a pattern takes too long.
 */
export function withinFilter(selection: Selection, versions: readonly Version[]): readonly Version[] {
  const parts = selection.kind === "any" ? selection.of : [selection];
  const filters = parts.filter(
    (part) => part.kind === "range" || part.kind === "semver" || part.kind === "pattern",
  );
  const left = withoutExcept(selection, versions);
  if (filters.length === 0 || parts.some(({ kind }) => kind === "newest" || kind === "kept")) return left;
  const named = new Set(namedTags(selection));
  const fitting = new Set(filters.flatMap((filter) => fittingOf(filter, left)));
  return left.filter((version) => fitting.has(version) || named.has(version.tag));
}

/** What a `!` line fits is left out before anything is chosen or counted, but not what is asked for by name. */
function withoutExcept<Listed extends AnyVersion>(
  selection: Selection,
  versions: readonly Listed[],
): readonly Listed[] {
  const except = selection.kind === "any" ? (selection.except ?? []) : [];
  if (except.length === 0) return versions;
  const named = new Set(namedTags(selection));
  const out = new Set(except.flatMap((filter) => fittingOf(filter, versions)));
  return versions.filter((version) => !out.has(version) || named.has(version.tag));
}

/** A selection of tags where versions were named: Helm writes the `+` of one as `_`, and no tag has a `+`. */
export function ofTags(selection: Selection): Selection {
  if (selection.kind === "tags") return taggable(selection);
  if (selection.kind !== "any") return selection;
  const { of, except = [] } = selection;
  return { kind: "any", of: of.map(ofTags), except: except.map(taggable) };
}

function taggable(filter: Filter): Filter {
  if (filter.kind !== "tags") return filter;
  return { ...filter, tags: filter.tags.map((tag) => tag.replaceAll("+", "_")) };
}

/** The tags that are asked for by name. */
export function namedTags(selection: Selection): readonly string[] {
  if (selection.kind === "any") return selection.of.flatMap(namedTags);
  return selection.kind === "tags" ? selection.tags : [];
}

/** @throws PatternError when a pattern takes too long. */
function fittingOf<Listed extends AnyVersion>(
  filter: Filter,
  versions: readonly Listed[],
): readonly Listed[] {
  if (filter.kind === "tags") return versions.filter(({ tag }) => filter.tags.includes(tag));
  if (filter.kind === "semver")
    return versions.filter(({ tag }) =>
      semver.satisfies(roughNumber(tag) ?? "", filter.range, { includePrerelease: true }),
    );
  if (filter.kind === "range")
    // The universe has prereleases only if they count, so the range must not leave them out.
    return versions.filter(
      ({ number }) =>
        number !== undefined && semver.satisfies(number, filter.range, { includePrerelease: true }),
    );
  const names = versions.map(({ tag }) => tag);
  const fitting = new Set(matching(filter.pattern, names));
  return versions.filter(({ tag }) => fitting.has(tag));
}

/**
 * @param ordered the versions that count, newest first.
 * @param all these and the others.
 */
function chosenOf(
  selection: Selection,
  ordered: readonly Version[],
  all: readonly AnyVersion[],
  retentions: readonly Pick<Retention, "keepBy">[],
): readonly AnyVersion[] {
  switch (selection.kind) {
    case "newest":
      return newestBy(
        ordered,
        retentions.map(({ keepBy }) => ({ keep: selection.count, keepBy })),
      );
    case "kept":
      return newestBy(ordered, selection.retentions);
    case "range":
      return fittingOf(selection, ordered);
    case "tags":
    case "semver":
    case "pattern":
      return fittingOf(selection, all);
    case "any": {
      const left = [withoutExcept(selection, ordered), withoutExcept(selection, all)] as const;
      return selection.of.flatMap((each) => chosenOf(each, ...left, retentions));
    }
  }
}

/** What any of the retentions would keep of these versions. */
function newestBy(ordered: readonly Version[], retentions: readonly Retention[]): readonly Version[] {
  const chosen = new Set(retentions.flatMap((retention) => newest(ordered, retention)));
  return ordered.filter((version) => chosen.has(version));
}

function describe(selection: Selection): string {
  switch (selection.kind) {
    case "newest":
      return `newest:${selection.count}`;
    case "kept":
      return "newest:<keep>";
    case "range":
      return selection.range;
    case "semver":
      return `semver:${selection.range}`;
    case "tags":
      return selection.tags.join(", ");
    case "pattern":
      return selection.pattern.text;
    case "any":
      return [
        ...selection.of.map(describe),
        ...(selection.except ?? []).map((filter) => `!${describe(filter)}`),
      ].join("; ");
  }
}

/** A release that is there and does not count is another mistake than one that is not there. */
function whyUnknown(missing: readonly string[], released: Released, repository: string): InputError {
  if (released.otherTags !== undefined) return whyNoLine(missing, released.otherTags);
  const known = released.passedOver.filter(({ tag }) => missing.includes(tag));
  const unknown = missing.filter((tag) => !known.some((release) => release.tag === tag));
  const [names, why] =
    unknown.length > 0
      ? [
          unknown.join(", "),
          "a draft, a tag without a release, a prerelease without prereleases: true, or a typing error",
        ]
      : [
          `${known.map(({ tag }) => tag).join(", ")} that counts`,
          known.map(({ tag, reason }) => `${tag} is ${reason}`).join("; "),
        ];
  const meant = didYouMean(meantVersions(unknown, released.universe));
  return new InputError(
    `${repository} has no published release ${printable(names)}: ${printable(why)}${meant || "."} ${whatThereIs(released)}`,
  );
}

/** Tags at the sources are versions by their names alone, but where the images' lines name every tag. `latest` is one like others. */
function whyNoLine(missing: readonly string[], named: readonly AnyVersion[]): InputError {
  const names = listOf(
    named.map(({ tag }) => printable(tag)),
    namedLimit,
  );
  return new InputError(
    `No line of the input "images" has the tag ${printable(missing.join(", "))}. Theirs are ${names}: without a version, all of them are wanted.`,
  );
}

/** The same versions as they are tagged, or the newest or all by their names elsewhere; undefined where one is none of these. */
function meantVersions(tags: readonly string[], universe: readonly Version[]): string | undefined {
  const [only = ""] = tags;
  const counted = tags.length === 1 ? meantNewest(only) : undefined;
  if (counted !== undefined) return counted;
  if (tags.length === 1 && /^(?:all|any|everything)$/i.test(only)) return "glob:*";
  const meant = tags.map((tag) => universe.find((version) => version.number === semver.valid(tag))?.tag);
  return meant.length > 0 && meant.every((tag) => tag !== undefined) ? meant.join(", ") : undefined;
}

function whatThereIs({ universe, passedOver, otherTags, untagged = [] }: Released): string {
  if (untagged.length > 0)
    return `There is no tag at all of ${listOf(untagged, namedLimit)}: check how the input "images" names it.`;
  const [first, ...others] = [...universe].sort(bySemver).slice(0, 3);
  if (first !== undefined) return `Its newest are ${[first, ...others].map(({ tag }) => tag).join(", ")}.`;
  if (otherTags !== undefined && otherTags.length > 0) {
    const names = listOf(
      otherTags.map(({ tag }) => printable(tag)),
      namedLimit,
    );
    return `None of its tags counts as newest, as v1.2.3 would: ${names}. Name the tags, or write glob: or /regular expression/.`;
  }
  if (otherTags !== undefined) return "There is no such tag that every image has.";
  if (passedOver.length === 0) return "It has no published releases.";
  const byReason = Map.groupBy(passedOver, ({ reason }) => reason);
  const groups = [...byReason].map(([reason, releases]) => {
    const names = releases.map(({ tag }) => printable(tag));
    return `${listOf(names, namedLimit)} (${reason})`;
  });
  return `It has ${countOf(passedOver.length, "published release")}, but none that counts: ${groups.join("; ")}.`;
}
