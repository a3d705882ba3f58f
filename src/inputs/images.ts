import * as v from "valibot";
import { InputError } from "../errors.ts";
import { BodyError, parseJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { isDigest, parseDigest } from "../oci/digest.ts";
import {
  canonicalRegistry,
  isRepository,
  isTag,
  type Namespace,
  parseNamespace,
  printNamespace,
} from "../oci/reference.ts";
import { type ChoosingPattern, parseExpression, parseGlob } from "../pattern.ts";
import { type ImageRule, isPlaceholder, placeholderNames, placeholderPattern } from "../plan/component.ts";
import { didYouMean } from "../wording.ts";
import { nearest, quoted } from "./suggestions.ts";
import { linesOf, type Mistake, repeated } from "./values.ts";

/** The patterns of the `images` input that choose repositories; undefined: it has none. */
export function parseRepositories(text: string, mistake: Mistake): readonly ChoosingPattern[] | undefined {
  if (isOutput(text)) return undefined;
  const lines = linesOf(text);
  const isExpression = (line: string) => /^\/.*\/$/.test(line);
  // A colon begins a tag, but that of a port.
  const isPattern = (line: string) =>
    isExpression(line) || /^!|[*?{]/.test(line.replace(/(?::(?![0-9]+\/)|=>).*$/, ""));
  const given = lines.filter(isPattern);
  if (given.length === 0) return undefined;
  const [listed] = lines.filter((line) => !isPattern(line));
  if (listed !== undefined)
    mistake(
      `${quoted(listed)} is one image and ${quoted(given[0] ?? "")} a pattern: they do not go together`,
    );
  return given.flatMap((line) => {
    const [, sign, pattern = ""] = /^(!?)\s*(.*)$/.exec(line) ?? [];
    const problem = isExpression(pattern) ? undefined : problemOfGlob(pattern);
    if (problem !== undefined) {
      mistake(problem);
      return [];
    }
    try {
      const parsed = isExpression(pattern)
        ? parseExpression(line, pattern.slice(1, -1))
        : parseGlob(line, pattern);
      return [sign === "" ? parsed : { ...parsed, except: true }];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      mistake(printable(error.message));
      return [];
    }
  });
}

function problemOfGlob(glob: string): string | undefined {
  const source = sourceOfPattern(glob);
  if (source !== undefined)
    return `${quoted(glob)} begins with a registry: a pattern is below the sources, so set source to ${source} and leave it out here`;
  if (/:|=>/.test(glob))
    return `${quoted(glob)} is a pattern, which takes every repository under its own name: choose tags by version`;
  // A comma parts only what is in braces.
  const isGlob = /^[a-z0-9*?{][a-z0-9._/*?{},-]*[a-z0-9*?}]$|^[a-z0-9*?]$/.test(glob);
  if (isGlob && (!glob.includes(",") || glob.includes("{"))) return undefined;
  return `${quoted(glob)} fits no name of a repository (small letters, digits and . _ - / between them): give one pattern per line, with * ** ? and {a,b}`;
}

/** Whether it is JSON, and not a line that begins with an IPv6 address. */
function isOutput(text: string): boolean {
  return text.startsWith("[") && !/^\[[0-9a-fA-F.]*:[0-9a-fA-F:.]*\]/.test(text);
}

/** The place that a pattern begins with, up to its first sign: `quay.io/team` of `quay.io/team/app-*`. */
function sourceOfPattern(glob: string): string | undefined {
  const [source] = splitRegistry(`${glob.replace(/[^/]*[*?{].*$/, "")}x`);
  return source && printNamespace(source);
}

/** The `images` input: `auto`, one rule per line, or the output `images` of another step. */
export function parseImages(text: string, mistake: Mistake): "auto" | readonly ImageRule[] {
  const lines = linesOf(text);
  if (lines.length === 1 && lines[0] === "auto") return "auto";
  const rules = isOutput(text) ? parseOutput(text, mistake) : parseLines(lines, mistake);
  const written = rules.map((rule) => `${rule.to}:${rule.toTag}`);
  for (const image of repeated(written)) mistake(`two lines write the image ${image}`);
  return rules;
}

function parseLines(lines: readonly string[], mistake: Mistake): readonly ImageRule[] {
  if (lines.length === 0) mistake("holds nothing but comments");
  if (lines.includes("auto")) mistake("auto stands alone, or every image is listed");
  return lines.filter((line) => line !== "auto").flatMap((line) => parseRule(line, mistake) ?? []);
}

/** What the output `images` tells of an image that is in place. */
const outputSchema = v.array(
  v.object({
    image: v.pipe(v.string(), v.check(isRepository)),
    tag: v.pipe(v.string(), v.check(isTag)),
    digest: v.pipe(v.string(), v.check(isDigest)),
    destination: v.string(),
  }),
);

/** The images of an earlier step, by digest, each from where that step put it first. */
function parseOutput(text: string, mistake: Mistake): readonly ImageRule[] {
  const images = imagesOfOutput(text);
  if (images === undefined) mistake("begins with [ and is not what the output images of this Action holds");
  if (images?.length === 0) mistake("is an empty list: the step before has put no image in place");
  const rules = new Map<string, ImageRule>();
  for (const { image, tag, digest, destination } of images ?? []) {
    const source = parseNamespace(destination);
    if (source === undefined) mistake(`${quoted(destination)} is not a destination of this Action`);
    const known = rules.get(`${image}:${tag}`);
    if (known !== undefined && known.fromTag !== digest)
      mistake(
        `${image}:${tag} has two digests, ${known.fromTag} and ${digest}: give the images of one destination`,
      );
    if (known === undefined && source !== undefined)
      rules.set(`${image}:${tag}`, { source, from: image, fromTag: digest, to: image, toTag: tag });
  }
  return [...rules.values()];
}

function imagesOfOutput(text: string): v.InferOutput<typeof outputSchema> | undefined {
  try {
    return parseJson(text, outputSchema);
  } catch (error) {
    if (error instanceof BodyError) return undefined;
    throw error;
  }
}

function parseRule(line: string, mistake: Mistake): ImageRule | undefined {
  const [left = "", right, ...more] = line.split("=>").map((side) => side.trim());
  if (more.length > 0) {
    mistake(`${quoted(line)} holds "=>" more than once`);
    return undefined;
  }
  const slip = slipIn(left, right);
  if (slip !== undefined) {
    mistake(slip);
    return undefined;
  }
  const [source, below] = splitRegistry(left);
  const from = parseSide(below, "{{tag}}", mistake);
  if (from === undefined) return undefined;
  if (right === undefined && isDigest(from.template)) {
    mistake(`${quoted(left)} has no tag for the destination: write ${quoted(left)} => ${from.name}:<tag>`);
    return undefined;
  }
  const to =
    right === undefined
      ? from
      : parseSide(right, isDigest(from.template) ? "{{tag}}" : from.template, mistake);
  if (to === undefined) return undefined;
  if (isDigest(to.template)) {
    mistake(`${quoted(line)} gives the destination a digest: it takes a tag`);
    return undefined;
  }
  const rule = { from: from.name, fromTag: from.template, to: to.name, toTag: to.template };
  return source === undefined ? rule : { source, ...rule };
}

/** Longest line that a message repeats as it should be, in characters. */
const meantLimit = 300;

/** What is copied from elsewhere and means something else there, and the line as it should be. */
function slipIn(left: string, right: string | undefined): string | undefined {
  const meant = (line: string) => printable(didYouMean(line), meantLimit);
  const [, scheme, rest = ""] = /^([a-z]+:\/+)(.*)$/i.exec(left) ?? [];
  if (scheme !== undefined) return `${quoted(left)} begins with a scheme${meant(rest)}`;
  const [, name = "", tag, digest = ""] = /^(.*):([\w.-]+)@(.*)$/.exec(left) ?? [];
  if (tag !== undefined && isDigest(digest)) {
    const to = right ?? `${name.replace(/^.*\//, "")}:${tag}`;
    return `${quoted(left)} has a tag and a digest${meant(`${name}@${digest} => ${to}`)}`;
  }
  const [, one, other] = /^(\S+?)(?:\s*(?:->|→)\s*|\s+(?:>|as|to)\s+)(\S+)$/.exec(left) ?? [];
  if (other !== undefined)
    return `${quoted(left)} has no "=>" between two names${meant(`${one} => ${other}`)}`;
  if (right !== undefined && /^[^/]+:[0-9]+\//.test(right))
    return `${quoted(right)} begins with a registry: name the registry in destinations, and here what is below it`;
  return undefined;
}

/**
 * The registry and namespace that a line begins with, and what is below. As Docker takes it, a first part with a dot or a colon
 * is a host, and one name alone at Docker Hub is in `library`.
 * https://github.com/distribution/reference/blob/main/normalize.go
 */
function splitRegistry(text: string): readonly [source: Namespace | undefined, below: string] {
  const [first = "", ...rest] = text.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const registry = isHost ? canonicalRegistry(first) : undefined;
  if (registry === undefined) return [undefined, text];
  const path = rest.slice(0, -1).join("/");
  const inLibrary = registry === "docker.io" && path === "";
  return [{ registry, path: inLibrary ? "library" : path }, rest.at(-1) ?? ""];
}

/** The places that lines name, each once. */
export function namedSources(images: "auto" | readonly ImageRule[]): readonly Namespace[] {
  const named = images === "auto" ? [] : images.flatMap(({ source }) => source ?? []);
  return [...new Map(named.map((source) => [printNamespace(source), source])).values()];
}

/** Several images on a line, or capital letters; undefined where it is something else. */
function meantImages(text: string): string | undefined {
  const items = text.split(/[\s,;]+/).filter((item) => item !== "");
  const names = items.map((item) => item.replace(/^[^:]+/, (name) => name.toLowerCase()));
  if (names.length === 0 || !names.every((item) => isRepository(item.replace(/:.*$/, "")))) return undefined;
  return names.length === 1 ? names[0] : `a line each for ${names.join(" and ")}`;
}

interface RuleSide {
  readonly name: string;
  /** A tag template, or a digest. */
  readonly template: string;
}

/** `name`, `name:template` or `name@digest`; undefined after a mistake. */
function parseSide(text: string, defaultTemplate: string, mistake: Mistake): RuleSide | undefined {
  const [, name = text, sign, reference = defaultTemplate] = /^([^:@]*)([:@])(.*)$/s.exec(text) ?? [];
  if (!isRepository(name)) {
    mistake(
      `${quoted(text)} does not begin with an image name (small letters, digits and . _ - / between them)${printable(didYouMean(meantImages(text)))}`,
    );
    return undefined;
  }
  if (sign === "@") {
    if (parseDigest(reference) !== undefined) return { name, template: reference };
    mistake(`${quoted(reference)} is not a digest (sha256: and 64 small hexadecimal digits)`);
    return undefined;
  }
  return isTemplate(reference, mistake) ? { name, template: reference } : undefined;
}

function isTemplate(template: string, mistake: Mistake): boolean {
  for (const [, inner = ""] of template.matchAll(placeholderPattern)) {
    const name = inner.trim();
    if (isPlaceholder(name)) continue;
    const meant = nearest(name, placeholderNames);
    mistake(
      `${quoted(`{{${name}}}`)} is unknown; there are ${placeholderNames.map((known) => `{{${known}}}`).join(", ")}${didYouMean(meant && `{{${meant}}}`)}`,
    );
    return false;
  }
  // Where a digit fits the grammar of a tag, a placeholder's value fits as well, or it is refused when it is filled in.
  if (isTag(template.replace(placeholderPattern, "0"))) return true;
  mistake(
    `the tag ${quoted(template)} breaks the grammar of tags (letters, digits and . _ -)${didYouMean(meantTemplate(template))}`,
  );
  return false;
}

/** No tag at all, or placeholders as others write them: `{tag}`, `$tag`, `<tag>`, `${{ tag }}`. */
function meantTemplate(template: string): string | undefined {
  const meant = template.replace(
    /\$?\{{1,2}\s*(\w+)\s*\}{1,2}|\$(\w+)|<(\w+)>/g,
    (all, braced?: string, dollar?: string, pointed?: string) => {
      const name = (braced ?? dollar ?? pointed ?? "").toLowerCase();
      return isPlaceholder(name) ? `{{${name}}}` : all;
    },
  );
  if (meant === "") return "{{tag}}";
  return meant !== template && isTag(meant.replace(placeholderPattern, "0")) ? meant : undefined;
}
