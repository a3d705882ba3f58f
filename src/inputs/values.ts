import { InputError, messageOf } from "../errors.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import { repositoryIdOf } from "../github/repository-id.ts";
import { printable } from "../log/log.ts";
import { architectures, operatingSystems, type Platform } from "../oci/platform.ts";
import { isLoopback } from "../oci/reference.ts";
import { type KeepBy, keepByChoices } from "../plan/retention.ts";
import { parseSelection, type Selection } from "../plan/selection.ts";
import type { Overwrite } from "../plan/snapshot.ts";
import type { CongestionControl } from "../tuning/congestion-control.ts";
import { didYouMean } from "../wording.ts";
import { nearest, noneOf, quoted } from "./suggestions.ts";
import type { Verify, VersionsFrom } from "./types.ts";

/**
 * The values of single inputs. Each parser notes what is wrong instead of throwing, so that all mistakes of all inputs
 * are reported together; what it returns after a mistake is only a placeholder of the right type.
 */

/** Notes one mistake in the input at hand. */
export type Mistake = (problem: string) => void;

/** The lines of an input, trimmed, without blank ones and without `#` comments. */
export function linesOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** The items that occur more than once, each once. */
export function repeated(items: readonly string[]): readonly string[] {
  const counted = Map.groupBy(items, (item) => item);
  return [...counted].flatMap(([item, all]) => (all.length > 1 ? [item] : []));
}

/**
 * A boolean in the spellings of the YAML 1.2 core schema, as `getBooleanInput` of `@actions/core` takes them.
 * @param wrong what is said of any other text.
 */
export function parseBoolean(text: string, mistake: Mistake, wrong = "is neither true nor false"): boolean {
  if (["true", "True", "TRUE"].includes(text)) return true;
  if (["false", "False", "FALSE"].includes(text)) return false;
  const small = text.toLowerCase();
  const yes = ["yes", "y", "on", "1", "true"].includes(small) ? "true" : undefined;
  const no = ["no", "n", "off", "0", "false"].includes(small) ? "false" : undefined;
  mistake(`${quoted(text)} ${wrong}${didYouMean(yes ?? no)}`);
  return false;
}

const millisecondsPerUnit: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** With one that a workflow does not know. */
const meantUnits: ReadonlyMap<string, number> = new Map([...millisecondsPerUnit, ["d", 24 * 3_600_000]]);

/** Longest wait, in hours: a job on a self-hosted runner may run five days, none longer (GitHub docs, "Actions limits"). */
const longestWaitHours = 120;

/** A duration such as `90s`, `60m`, `2h` or `0`, in milliseconds. */
export function parseDuration(text: string, mistake: Mistake): number {
  if (text === "0") return 0;
  const match = /^([0-9]{1,9})([smh])$/.exec(text);
  const duration = Number(match?.[1]) * (millisecondsPerUnit.get(match?.[2] ?? "") ?? Number.NaN);
  if (Number.isNaN(duration)) {
    mistake(
      `${quoted(text)} is not a whole number of seconds (s), minutes (m) or hours (h), nor 0${didYouMean(meantDuration(text))}`,
    );
    return 0;
  }
  if (duration > longestWaitHours * 3_600_000) mistake(`${quoted(text)} is longer than ${longestWaitHours}h`);
  return duration;
}

/** A number alone, several units (`1h30m`), or a unit that is spelled out; undefined where nobody can tell. */
function meantDuration(text: string): string | undefined {
  if (/^[0-9]{1,9}$/.test(text)) return `${text}m`;
  if (/^(?:no|none|never|off|false)$/i.test(text)) return "0";
  const parts = [...text.toLowerCase().matchAll(/([0-9]{1,6}(?:\.[0-9]{1,2})?)\s*([smhd])(?!s\b)[a-z]*\s*/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text.toLowerCase()) return undefined;
  const milliseconds = parts.reduce(
    (sum, [, number, unit = ""]) => sum + Number(number) * (meantUnits.get(unit) ?? 0),
    0,
  );
  const [unit = "s", size = 1000] =
    [...millisecondsPerUnit].reverse().find(([, each]) => milliseconds % each === 0) ?? [];
  return `${milliseconds / size}${unit}`;
}

/** Least room for the spool, in bytes; with less, every download would wait for the slowest destination. */
const leastSpool = 100 * 1000 ** 2;

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["MB", 1000 ** 2],
  ["GB", 1000 ** 3],
  ["TB", 1000 ** 4],
]);

/** An amount of disk, as `500MB` or `8GB`, in bytes. */
export function parseSize(text: string, mistake: Mistake): number {
  const [, number, unit = ""] = /^([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([MGT]B)$/.exec(text) ?? [];
  const size = Math.round(Number(number) * (sizeUnits.get(unit) ?? Number.NaN));
  if (Number.isNaN(size)) {
    mistake(`${quoted(text)} is not a number with MB, GB or TB${didYouMean(meantSize(text))}`);
    return leastSpool;
  }
  if (size < leastSpool) mistake(`${quoted(text)} is less than 100MB`);
  return size;
}

/** Another spelling of the unit, a comma for the point, or bytes. */
function meantSize(text: string): string | undefined {
  const [, amount = "", prefix] = /^([0-9]{1,6}(?:[.,][0-9]{1,3})?)\s*([mgt])(?:i?b?)$/i.exec(text) ?? [];
  if (prefix !== undefined) return `${amount.replace(",", ".")}${prefix.toUpperCase()}B`;
  return /^[0-9]{9,12}$/.test(text) ? `${Math.round(Number(text) / 1000 ** 2)}MB` : undefined;
}

/** More connections than this to one registry are a slip of the keyboard, or an attack on it. */
const mostConnections = 64;

/** A fixed number of connections; undefined for `auto`. */
export function parseConnections(text: string, mistake: Mistake): number | undefined {
  if (text === "auto") return undefined;
  const connections = Number(text);
  if (/^[0-9]{1,2}$/.test(text) && connections >= 1 && connections <= mostConnections) return connections;
  const isMost = connections > mostConnections || /^(?:max.*|unlimited|all)$/i.test(text);
  const meant = isMost ? String(mostConnections) : nearest(text, ["auto"]);
  mistake(
    `${quoted(text)} is neither a whole number from 1 to ${mostConnections} nor auto${didYouMean(meant)}`,
  );
  return undefined;
}

/** Most versions that `keep` may name: more is surely a slip of the keyboard, and `all` exists. */
const mostKept = 1000;

/** How many versions are kept, or deleted at the most: a whole number from 1 on, or `all`. */
export function parseKeep(text: string, mistake: Mistake): number | "all" {
  if (text === "all") return "all";
  const keep = Number(text);
  if (!/^[0-9]{1,4}$/.test(text) || keep < 1 || keep > mostKept) {
    mistake(
      `${quoted(text)} is neither a whole number from 1 to ${mostKept} nor all${didYouMean(meantKeep(text))}`,
    );
    return "all";
  }
  return keep;
}

/** A number with a word, or another word for all. Nothing is guessed of 0 and none: some mean nothing by them, others all. */
function meantKeep(text: string): string | undefined {
  if (/^(?:all|unlimited|infinite|forever|everything|max)$/i.test(text)) return "all";
  return /^(?:(?:newest|latest|last|keep)[\s:=]*)?([1-9][0-9]{0,2})(?:\.0)?(?:\s+versions?)?$/i.exec(
    text,
  )?.[1];
}

/** How many of something a run takes at the most: a whole number from 1 on. */
export function parseLimit(text: string, mistake: Mistake): number {
  const limit = Number(text);
  if (/^[0-9]{1,6}$/.test(text) && limit >= 1) return limit;
  mistake(`${quoted(text)} is not a whole number from 1 to 999999`);
  return 1;
}

/** Which versions count as newest. */
export function parseKeepBy(text: string, mistake: Mistake): KeepBy {
  const choice = keepByChoices.find((candidate) => candidate === text);
  const otherNames = { version: "semver", date: "published", time: "published", created: "published" };
  if (choice === undefined) mistake(noneOf(text, keepByChoices, otherNames));
  return choice ?? "semver";
}

const congestionControlChoices = ["auto", "bbr", "leave"] as const;

/** Whether uploads get BBR. */
export function parseCongestionControl(text: string, mistake: Mistake): CongestionControl {
  const choice = congestionControlChoices.find((candidate) => candidate === text);
  const otherNames = { true: "bbr", on: "bbr", false: "leave", off: "leave", no: "leave", none: "leave" };
  if (choice === undefined) mistake(noneOf(text, congestionControlChoices, otherNames));
  return choice ?? "leave";
}

const verifyChoices = ["tags", "full"] as const;

/** What counts as in place. */
export function parseVerify(text: string, mistake: Mistake): Verify {
  const choice = verifyChoices.find((candidate) => candidate === text);
  const otherNames = { true: "full", yes: "full", all: "full", blobs: "full", false: "tags", no: "tags" };
  if (choice === undefined) mistake(noneOf(text, verifyChoices, otherNames));
  return choice ?? "tags";
}

const versionsFromChoices = ["releases", "tags"] as const;

/** Where versions come from. */
export function parseVersionsFrom(text: string, mistake: Mistake): VersionsFrom {
  const choice = versionsFromChoices.find((candidate) => candidate === text);
  const otherNames = { github: "releases", source: "tags", sources: "tags", registry: "tags" };
  if (choice === undefined) mistake(noneOf(text, versionsFromChoices, otherNames));
  return choice ?? "releases";
}

/** What is done with a tag that holds another digest. */
export function parseOverwrite(text: string, mistake: Mistake): Overwrite {
  if (text === "skip") return "skip";
  const choices = ["true", "false", "skip"];
  if (nearest(text, choices) === "skip") {
    mistake(noneOf(text, choices));
    return false;
  }
  return parseBoolean(text, mistake, `is none of ${choices.join(", ")}`);
}

/** The wanted versions; undefined when the input is empty and the event decides. */
export function parseVersionInput(text: string, mistake: Mistake): Selection | undefined {
  if (text === "") return undefined;
  const lines = linesOf(text);
  if (lines.length === 0) mistake("holds nothing but comments");
  if (lines.length === 0) return undefined;
  try {
    return parseSelection(lines.join("\n"));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    mistake(printable(messageOf(error)));
    return undefined;
  }
}

/** The `repository` input; undefined when it is empty. */
export function parseRepository(text: string, mistake: Mistake): RepositoryId | undefined {
  if (text === "") return undefined;
  const repository = repositoryIdOf(text);
  if (repository === undefined) {
    const path = text.replaceAll("\\", "/").replace(/@[\w.-]*$/, "");
    const [, meant = ""] =
      /^(?:https?:\/\/|git@)?(?:[^/:]+[/:])?([^/]+\/[^/]+?)(?:\.git)?(?:\/.*)?$/.exec(path) ?? [];
    const known = repositoryIdOf(meant) === undefined ? undefined : meant;
    mistake(`${quoted(text)} is not of the form owner/name${didYouMean(known)}`);
  }
  return repository;
}

/** Platforms, by comma or line, each once; or `all`. */
export function parsePlatforms(text: string, mistake: Mistake): "all" | readonly Platform[] {
  const items = linesOf(text.replaceAll(",", "\n"));
  if (items.length === 1 && items[0] === "all") return "all";
  if (items.length === 0) mistake("holds no platform");
  const platforms: Platform[] = [];
  for (const item of new Set(items)) {
    const match = /^([a-z0-9]+)\/([a-z0-9]+)(?:\/([a-z0-9.]+))?$/.exec(item);
    const [, os, architecture, variant] = match ?? [];
    if (os === undefined || architecture === undefined) {
      const meant = didYouMean(items.length === 1 && isAll(item) ? "all" : meantPlatform(item));
      mistake(`${quoted(item)} is not of the form os/architecture or os/architecture/variant${meant}`);
    } else if (!operatingSystems.includes(os) || !architectures.includes(architecture)) {
      mistake(`${quoted(item)} is no platform that an image can have${didYouMean(meantPlatform(item))}`);
    } else {
      platforms.push({ os, architecture, variant });
    }
  }
  return platforms;
}

function isAll(text: string): boolean {
  return /^(?:\*|all|any)$/i.test(text);
}

/** Names that uname, Debian and others have for architectures. */
const otherArchitectures: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["x64", "amd64"],
  ["aarch64", "arm64"],
  ["arm64v8", "arm64"],
  ["i386", "386"],
  ["x86", "386"],
  ["armhf", "arm/v7"],
  ["armv7", "arm/v7"],
  ["armv7l", "arm/v7"],
  ["armv6", "arm/v6"],
  ["ppc64el", "ppc64le"],
]);

/** Names that people have for systems. */
const otherSystems: ReadonlyMap<string, string> = new Map([
  ["macos", "darwin"],
  ["win", "windows"],
]);

/** Of an image, Linux is meant where no system is named. */
function meantPlatform(text: string): string | undefined {
  const whole = otherArchitectures.get(text.toLowerCase());
  if (whole !== undefined) return `linux/${whole}`;
  const [, system, name = ""] = /^(?:([a-z0-9]+)[/_ -])?(.+)$/.exec(text.toLowerCase()) ?? [];
  const os = system === undefined ? "linux" : (otherSystems.get(system) ?? nearest(system, operatingSystems));
  const architecture = otherArchitectures.get(name) ?? nearest(name, architectures);
  return os === undefined || architecture === undefined ? undefined : `${os}/${architecture}`;
}

/**
 * The base URL of an API. Plain HTTP only on loopback, because a login goes there; and no user, query or fragment,
 * which a path put after it would fall into. Undefined after a mistake.
 */
export function parseApiUrl(text: string, mistake: Mistake): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    mistake("an API is named by a whole URL that begins with https://");
    return undefined;
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    mistake(`the URL of the API at ${printable(url.host)} must not hold a user, a query or a fragment`);
    return undefined;
  }
  if (url.protocol === "http:" && !isLoopback(url.host)) {
    mistake(`the API at ${printable(url.host)} needs https://; plain http:// is for loopback addresses`);
    return undefined;
  }
  return url;
}
