import { printable } from "../log/log.ts";
import { isRepository, isTag } from "../oci/reference.ts";
import { type ImageRule, isPlaceholder, placeholderNames, placeholderPattern } from "../plan/component.ts";
import { didYouMean } from "../wording.ts";
import { nearest, quoted } from "./suggestions.ts";
import { linesOf, type Mistake, repeated } from "./values.ts";

/** The `images` input: `auto`, or one rule per line. */
export function parseImages(text: string, mistake: Mistake): "auto" | readonly ImageRule[] {
  const lines = linesOf(text);
  if (lines.length === 1 && lines[0] === "auto") return "auto";
  if (lines.length === 0) mistake("holds nothing but comments");
  if (lines.includes("auto")) mistake("auto stands alone, or every image is listed");
  const rules: ImageRule[] = [];
  for (const line of lines.filter((candidate) => candidate !== "auto")) {
    const rule = parseRule(line, mistake);
    if (rule !== undefined) rules.push(rule);
  }
  const written = rules.map((rule) => `${rule.to}:${rule.toTag}`);
  for (const image of repeated(written)) mistake(`two lines write the image ${image}`);
  return rules;
}

function parseRule(line: string, mistake: Mistake): ImageRule | undefined {
  const [left = "", right, ...more] = line.split("=>").map((side) => side.trim());
  if (more.length > 0) {
    mistake(`${quoted(line)} holds "=>" more than once`);
    return undefined;
  }
  const from = parseSide(left, "{{tag}}", mistake);
  const to = right === undefined ? from : parseSide(right, from?.template ?? "{{tag}}", mistake);
  if (from === undefined || to === undefined) return undefined;
  return { from: from.name, fromTag: from.template, to: to.name, toTag: to.template };
}

/** Several images on a line, or capital letters; undefined where it is something else. */
function meantImages(text: string): string | undefined {
  const items = text.split(/[\s,;]+/).filter((item) => item !== "");
  const names = items.map((item) => item.replace(/^[^:]+/, (name) => name.toLowerCase()));
  if (!names.every((item) => isRepository(item.replace(/:.*$/, "")))) return undefined;
  return names.length === 1 ? names[0] : `a line each for ${names.join(" and ")}`;
}

interface RuleSide {
  readonly name: string;
  readonly template: string;
}

/** `name` or `name:template`; undefined after a mistake. */
function parseSide(text: string, defaultTemplate: string, mistake: Mistake): RuleSide | undefined {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const template = colon < 0 ? defaultTemplate : text.slice(colon + 1);
  if (!isRepository(name)) {
    mistake(
      `${quoted(text)} does not begin with an image name (small letters, digits and . _ - / between them)${printable(didYouMean(meantImages(text)))}`,
    );
    return undefined;
  }
  return isTemplate(template, mistake) ? { name, template } : undefined;
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
  mistake(`the tag ${quoted(template)} breaks the grammar of tags (letters, digits and . _ -)`);
  return false;
}
