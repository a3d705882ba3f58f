import { isRepository, isTag } from "../../oci/reference.ts";
import { didYouMean } from "../../wording.ts";
import { quoted } from "../suggestions.ts";
import type { Surroundings } from "./fields.ts";
import { firstParts, lastPart, type NotAName, notATag, parseImageName, splitReference } from "./reference.ts";
import type { Translated } from "./route-text.ts";
import { allTags, digestPair, type Rule, routesOf } from "./rules.ts";

/**
 * A plain list: an image a line, as `docker pull` takes it, with `--platform=` in front, `#` comments, and `=>` for another name at
 * the destination. Without it, that is the last part of the image's own.
 */

/** A line of a list. YAML has a colon at the end of a word, or begins with a sign that no image begins with. */
const linePattern =
  /^(?:--platform(?:=|[ \t]+)\S+[ \t]+)?[A-Za-z0-9][^\s"'{}[\],]*(?<!:)(?:[ \t]*=>[ \t]*\S+)?$/;

/** A line, counted from 1, without its comment. */
export interface ListLine {
  readonly line: number;
  readonly text: string;
}

/** The lines of a text that is a plain list; undefined: it is something else. */
export function linesOfList(text: string): readonly ListLine[] | undefined {
  const lines = listLines(text);
  return lines.length > 0 && lines.every((line) => linePattern.test(line.text)) ? lines : undefined;
}

export function listLines(text: string): readonly ListLine[] {
  return text
    .replace(/^\ufeff/, "")
    .split(/\r\n?|\n/)
    .map((line, index) => ({ line: index + 1, text: line.replace(/(?:^|\s)#.*$/, "").trim() }))
    .filter((line) => line.text !== "");
}

export function readList(lines: readonly ListLine[], surroundings: Surroundings): Translated {
  const { remarks } = surroundings;
  const rules = lines.flatMap(({ line, text }) => {
    const rule = ruleOf(text, surroundings);
    if (!("problem" in rule)) return [{ line, ...rule }];
    remarks.mistake(line, rule.problem);
    return [];
  });
  return { routes: routesOf(withoutClashes(rules, surroundings), surroundings), logins: [] };
}

function ruleOf(line: string, { remarks }: Surroundings): Omit<Rule, "line"> | NotAName {
  const [, platform, image = ""] = /^(?:--platform(?:=|\s+)(\S+)\s+)?(.*)$/s.exec(line) ?? [];
  const [left = "", right, ...more] = image.split("=>").map((side) => side.trim());
  if (more.length > 0) return { problem: `${quoted(line)} holds "=>" more than once` };
  if (/\s/.test(left) || left === "") return { problem: `${quoted(line)} is not one image` };
  const from = parseImageName(left);
  if ("problem" in from) return from;
  const { registry, repository, tag, digest } = from;
  const target = right === undefined ? undefined : splitReference(right);
  const to = target?.name ?? lastPart(repository);
  if (!isRepository(to) || /^[^/]*\.[^/]*\//.test(to) || target?.digest !== undefined)
    return {
      problem: `${quoted(right ?? to)} is not a name below the destinations, with a tag or without${didYouMean(lastPart(to) || undefined)}`,
    };
  if (target?.tags !== undefined && !isTag(target.tags)) return { problem: notATag(target.tags) };
  const named = target?.tags ?? tag ?? (digest === undefined ? "latest" : undefined);
  const read = digest ?? tag ?? "latest";
  return {
    from: { registry, repository },
    to,
    tags: [named === undefined ? digestPair(read, remarks) : { from: read, to: named }],
    version: allTags,
    ...(platform !== undefined && { more: { platforms: platform } }),
  };
}

/** Of two lines with one target, the second is a mistake that shows how to write it. A line may stand twice. */
function withoutClashes(rules: readonly Rule[], { remarks, keepsNamespaces }: Surroundings): readonly Rule[] {
  const known = new Map<string, Rule>();
  return rules.filter((rule) => {
    const { line, from, to, tags: [pair] = [], more } = rule;
    const target = `${keepsNamespaces ? `${firstParts(from.repository)}/` : ""}${to}:${pair?.to}`;
    const other = known.get(target);
    if (other === undefined) known.set(target, rule);
    if (other === undefined || contentOf(other) === contentOf(rule)) return true;
    const image = `${from.registry}/${from.repository}:${pair?.from}`.replace(/:(?=sha\d+:)/, "@");
    const isPlatform = more?.platforms !== other.more?.platforms && printed(other) === printed(rule);
    const name = from.repository.replaceAll("/", "-");
    remarks.mistake(
      line,
      isPlatform
        ? `line ${other.line} has the same image for another platform: name all of them on one line, as --platform=linux/amd64,linux/arm64`
        : `it is ${to}:${pair?.to} at the destination, as line ${other.line} is: write ${image} => ${name}:${pair?.to}`,
    );
    return false;
  });
}

function contentOf(rule: Rule): string {
  return JSON.stringify([printed(rule), rule.more]);
}

function printed({ from, tags }: Rule): string {
  return JSON.stringify([from, tags]);
}
