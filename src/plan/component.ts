import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { isDigest } from "../oci/digest.ts";
import { isTag, type Namespace } from "../oci/reference.ts";
import type { AnyVersion } from "./version.ts";

/** One image of a version: its name and tag below the source's namespace, and those below the destination's. */
export interface Component {
  /** The only source that it is read from; absent: any of the run's. */
  readonly source?: Namespace;
  readonly from: string;
  /** A tag or a digest. */
  readonly fromTag: string;
  readonly to: string;
  readonly toTag: string;
  /** Present where the source's tag is the same for every version, because its line has no placeholder there. */
  readonly fixed?: true;
}

/** One line of the `images` input. Templates as written; `{{tag}}` when the line gave none. */
export interface ImageRule {
  readonly source?: Namespace;
  readonly from: string;
  /** A template, or a digest. */
  readonly fromTag: string;
  readonly to: string;
  readonly toTag: string;
}

/** What a tag template may hold between `{{` and `}}`. */
export const placeholderNames = ["tag", "version", "major", "minor", "patch"] as const;
export type PlaceholderName = (typeof placeholderNames)[number];

/**
 * A placeholder. Its first group is the name, with the blanks around it. Any text without braces counts as a name, so that a
 * misspelt one is found. Without braces inside, a text of nothing but `{{` is read in linear time.
 */
export const placeholderPattern = /\{\{([^{}]*)\}\}/g;

/** Whether a name is one that templates may use. */
export function isPlaceholder(name: string): name is PlaceholderName {
  return placeholderNames.some((known) => known === name);
}

/**
 * Fills a tag template for a version.
 * @throws InputError when it holds an unknown placeholder, or what comes out is not a tag.
 */
export function renderTemplate(template: string, version: AnyVersion): string {
  const tag = filled(template, version);
  if (tag === undefined) {
    const why = "has no number, so only {{tag}} can stand for it";
    throw new InputError(
      `images: "${printable(template)}" needs a version, and ${printable(version.tag)} ${why}`,
    );
  }
  if (isTag(tag)) return tag;
  const made = `"${printable(template)}" gives "${printable(tag)}" for ${printable(version.tag)}`;
  throw new InputError(
    `images: ${made}, which is not a tag (letters, digits and . _ -, at most 128 characters)`,
  );
}

/** Whether the images of a version have tags: a release may have a name that no tag can have. */
export function hasTags(images: "auto" | readonly ImageRule[], version: AnyVersion): boolean {
  const templates =
    images === "auto"
      ? ["{{tag}}"]
      : images.flatMap(({ fromTag, toTag }) => (isDigest(fromTag) ? [toTag] : [fromTag, toTag]));
  return templates.every((template) => isTag(filled(template, version) ?? ""));
}

/**
 * Undefined for a placeholder that the version has no value for.
 * @throws InputError when the template holds an unknown placeholder.
 */
function filled(template: string, version: AnyVersion): string | undefined {
  const values: Readonly<Partial<Record<PlaceholderName, string>>> =
    version.number === undefined
      ? { tag: version.tag }
      : {
          tag: version.tag,
          version: version.number,
          major: String(version.major),
          minor: String(version.minor),
          patch: String(version.patch),
        };
  let complete = true;
  const tag = template.replace(placeholderPattern, (whole, inner: string) => {
    const name = inner.trim();
    if (!isPlaceholder(name)) throw new InputError(`images: ${printable(whole)} is not a known placeholder`);
    complete &&= values[name] !== undefined;
    return values[name] ?? "";
  });
  return complete ? tag : undefined;
}

/**
 * The images of a version by the rules of the `images` input.
 * @throws InputError when a filled template is not a tag.
 */
export function applyRules(rules: readonly ImageRule[], version: AnyVersion): readonly Component[] {
  return rules.map(({ fromTag, toTag, ...rule }) => {
    const read = isDigest(fromTag) ? fromTag : renderTemplate(fromTag, version);
    const component = { ...rule, fromTag: read, toTag: renderTemplate(toTag, version) };
    return read === fromTag ? { ...component, fixed: true } : component;
  });
}

/**
 * The images of a version that is to be mirrored.
 * @throws InputError as `applyRules` does, and when the templates of two lines give the same tag: one image would be lost.
 */
export function applyRulesOnce(rules: readonly ImageRule[], version: AnyVersion): readonly Component[] {
  const components = applyRules(rules, version);
  const names = components.map(({ to, toTag }) => `${to}:${toTag}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return components;
  throw new InputError(`images: two lines write the image ${twice} of ${printable(version.tag)}`);
}
