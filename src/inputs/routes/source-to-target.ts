import { InputError } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { isTag, printNamespace } from "../../oci/reference.ts";
import { quoted } from "../suggestions.ts";
import type { YamlEntry, YamlMap } from "../yaml.ts";
import { fromGo } from "./expressions.ts";
import { fieldsOf, flagIn, mapIn, refuseInsecure, type Surroundings, textIn } from "./fields.ts";
import {
  lastPart,
  type NotAName,
  notADigest,
  notATag,
  type Place,
  parseBelowHost,
  parsePlace,
  type Split,
  splitReference,
} from "./reference.ts";
import type { LoginText, RoutesShape, Translated } from "./route-text.ts";
import { allTags, digestPair, type Rule, routesOf, type TagPair } from "./rules.ts";
import { fillShell } from "./variables.ts";

/**
 * The files of image-transfer and image-syncer: a map from sources to targets. What one has and the other has not goes together:
 * several targets, tags in pairs, regular expressions, variables and digests are image-syncer's, an empty target image-transfer's.
 * https://github.com/tkestack/image-transfer, https://github.com/AliyunContainerService/image-syncer
 */
export function readSourceToTarget(map: YamlMap, surroundings: Surroundings): Translated {
  const rules = map.entries.flatMap((entry) => rulesOf(entry, surroundings));
  return { routes: routesOf(rules, surroundings), logins: [] };
}

/** image-syncer's older form: one file with `auth` and `images`. Its logins are taken as they are written, variables and all. */
export function readSyncerConfig(map: YamlMap, surroundings: Surroundings): Translated {
  const { remarks } = surroundings;
  const fields = fieldsOf(map);
  for (const { key, line } of map.entries)
    if (key !== "auth" && key !== "images")
      remarks.mistake(line, `${quoted(key)} stands in no file of image-syncer, beside auth and images`);
  const images = mapIn(fields.get("images"), remarks);
  if (images === undefined || images.entries.length === 0)
    remarks.mistake(fields.get("images")?.line ?? map.line, "images: it holds no image");
  const { routes } = readSourceToTarget(images ?? { ...map, entries: [] }, surroundings);
  const auth = mapIn(fields.get("auth"), remarks)?.entries ?? [];
  return { routes, logins: auth.flatMap((entry) => loginOf(entry, surroundings)) };
}

/** Which of the two tools a map from sources to targets is for. */
export function shapeOf(map: YamlMap): RoutesShape {
  const isSyncer = map.entries.some(
    ({ key, value }) =>
      value.kind === "list" || /:\/|@/.test(key) || (value.kind === "text" && /\$/.test(value.text)),
  );
  return isSyncer ? "image-syncer" : "image-transfer";
}

function loginOf(entry: YamlEntry, { remarks }: Surroundings): readonly LoginText[] {
  const login = fieldsOf(mapIn(entry, remarks));
  const insecure = login.get("insecure");
  if (insecure !== undefined && flagIn(insecure, remarks) === true)
    refuseInsecure(entry.key, insecure, remarks);
  const username = textIn(login.get("username"), remarks) ?? "";
  const password = textIn(login.get("password"), remarks) ?? "";
  if (username === "" && password === "") return [];
  const place = parseBelowHost(entry.key);
  if (place === undefined) {
    remarks.mistake(
      entry.line,
      `${quoted(entry.key)} is not of the form <registry> or <registry>/<namespace>`,
    );
    return [];
  }
  return [{ place: printNamespace(place), username, password }];
}

interface Source {
  readonly place: Place;
  /** Undefined: all tags, or those of `expression`. */
  readonly named: readonly string[] | undefined;
  readonly expression: string | undefined;
}

function rulesOf(entry: YamlEntry, surroundings: Surroundings): readonly Rule[] {
  const { remarks } = surroundings;
  const told = (line: number, problem: string): readonly [] => {
    remarks.mistake(line, problem);
    return [];
  };
  const source = sourceOf(entry.key);
  if ("problem" in source) return told(entry.line, source.problem);
  const { value } = entry;
  const targets = value.kind === "list" ? value.items : [value];
  if (targets.length === 0) return told(entry.line, `${quoted(entry.key)} has an empty list of targets`);
  return targets.flatMap((target) => {
    if (target.kind !== "text")
      return told(target.line, `${quoted(entry.key)} takes a target, or a list of them`);
    if (target.text.trim() === "" && value.kind === "list")
      return told(target.line, `${quoted(entry.key)} has an empty target in its list`);
    const rule = ruleOf(source, target.text.trim(), surroundings);
    if ("problem" in rule) return told(target.line, rule.problem);
    return [{ line: entry.line, ...rule }];
  });
}

function sourceOf(text: string): Source | NotAName {
  const mark = text.indexOf(":/");
  if (mark >= 0 && text[mark + 2] !== "/") {
    const place = parsePlace(text.slice(0, mark));
    if ("problem" in place) return place;
    const expression = text.slice(mark + 2);
    if (!expression.endsWith("/"))
      return { problem: `${quoted(text)} has a regular expression that ends with no slash` };
    return { place, named: undefined, expression: expression.slice(0, -1) };
  }
  const split = splitReference(text);
  const place = parsePlace(split.name);
  if ("problem" in place) return place;
  const named = namedIn(split);
  if (named !== undefined && "problem" in named) return named;
  return { place, named, expression: undefined };
}

/** The tags, or the digest; undefined where there is neither. */
function namedIn({ tags, digest }: Split): readonly string[] | undefined | NotAName {
  if (digest !== undefined) return isDigest(digest) ? [digest] : { problem: notADigest(digest) };
  const named = tags?.split(",").map((tag) => tag.trim());
  const wrong = named?.find((tag) => !isTag(tag));
  return wrong === undefined ? named : { problem: notATag(wrong) };
}

function ruleOf(
  { place: from, named, expression }: Source,
  text: string,
  { remarks, variables }: Surroundings,
): Omit<Rule, "line"> | NotAName {
  try {
    const version = expression === undefined ? allTags : `/${fromGo(expression)}/`;
    // An empty target is the source's own name at the registry that the step names.
    const target = text === "" ? undefined : splitReference(fillShell(text, variables, "place"));
    const to = target === undefined ? lastPart(from.repository) : parsePlace(target.name);
    if (typeof to !== "string" && "problem" in to) return to;
    const given = target === undefined ? undefined : namedIn(target);
    if (given !== undefined && "problem" in given) return given;
    if (named === undefined) {
      if (given === undefined) return { from, to, tags: undefined, version };
      return { problem: `${quoted(text)} has a tag, and its source has none: all tags cannot become one` };
    }
    if (given?.some((each, index) => isDigest(each) && each !== named[index]))
      return {
        problem: `${quoted(text)} has a digest that is not its source's: a digest says what an image is`,
      };
    const tags = pairsOf(named, given, remarks);
    return tags === undefined
      ? {
          problem: `${quoted(text)} has ${given?.length} tags, and its source ${named.length}: each takes one`,
        }
      : { from, to, tags, version };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { problem: error.message };
  }
}

/** Undefined where the numbers differ. A target without tags has those of the source. */
function pairsOf(
  named: readonly string[],
  given: readonly string[] | undefined,
  remarks: Surroundings["remarks"],
): readonly TagPair[] | undefined {
  if (given !== undefined && given.length !== named.length) return undefined;
  return named.map((from, index) => {
    const to = given?.[index] ?? from;
    return isDigest(to) ? digestPair(to, remarks) : { from, to };
  });
}
