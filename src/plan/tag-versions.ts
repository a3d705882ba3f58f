import { isDigest } from "../oci/digest.ts";
import { isAttachmentTag, isTag } from "../oci/reference.ts";
import { hasTags, type ImageRule, placeholderPattern, renderTemplate } from "./component.ts";
import { type AnyVersion, versionOfTag } from "./version.ts";

/** Where tags at the sources are the versions: which versions a list of images has. */

/** Whether the lines name every tag themselves. Then each tag that is written is a version. */
export function areFixed(rules: readonly ImageRule[]): boolean {
  return rules.every(({ fromTag }) => !hasPlaceholder(fromTag));
}

/** Whether several versions make the same tag of different images, such as `{{major}}`: it belongs to the newest of all. */
export function shareTags(rules: readonly ImageRule[]): boolean {
  return rules.some(({ fromTag, toTag }) => {
    const names = [...toTag.matchAll(placeholderPattern)].map(([, name]) => name?.trim());
    return hasPlaceholder(fromTag) && !names.includes("tag") && !names.includes("version");
  });
}

/** The versions of lines that name every tag: the tags that they read, each with its lines. One by digest counts by what it writes. */
export function fixedVersions(rules: readonly ImageRule[]): ReadonlyMap<string, readonly ImageRule[]> {
  return Map.groupBy(rules, ({ fromTag, toTag }) => (isTag(fromTag) ? fromTag : toTag));
}

/**
 * The versions that every image has, unordered: a product is mirrored as a whole.
 * @param tagsOf the tags that the image of a line has at the sources.
 * @param versionOf the version of such a tag.
 */
export function versionsOfTags(
  rules: readonly ImageRule[],
  tagsOf: (rule: ImageRule) => ReadonlySet<string>,
  versionOf: (tag: string) => AnyVersion = versionOfTag,
): readonly AnyVersion[] {
  const telling = tellingRule(rules);
  if (telling === undefined) return [];
  const tags = [...tagsOf(telling)].filter((tag) => !isAttachmentTag(tag));
  const versions = new Map(
    tags.flatMap((tag) => {
      const version = versionIn(telling.fromTag, tag, versionOf);
      // Nor may one be written: below that name it would pass for the signature of something else.
      return version === undefined || isAttachmentTag(version.tag) ? [] : [[version.tag, version] as const];
    }),
  );
  return [...versions.values()].filter(
    (version) =>
      hasTags(rules, version) &&
      rules.every(
        (rule) => isDigest(rule.fromTag) || tagsOf(rule).has(renderTemplate(rule.fromTag, version)),
      ),
  );
}

/** The line whose tags tell the versions: one with `{{tag}}`, else with `{{version}}`, and nothing else to fill in. */
export function tellingRule(rules: readonly ImageRule[]): ImageRule | undefined {
  const single = rules.filter(({ fromTag }) => [...fromTag.matchAll(placeholderPattern)].length === 1);
  const holding = (name: string) =>
    single.find(({ fromTag }) => [...fromTag.matchAll(placeholderPattern)][0]?.[1]?.trim() === name);
  return holding("tag") ?? holding("version");
}

function hasPlaceholder(template: string): boolean {
  return template.search(placeholderPattern) >= 0;
}

/** The version that a template with one placeholder makes a tag of; undefined where it makes no such tag. */
function versionIn(
  template: string,
  tag: string,
  versionOf: (tag: string) => AnyVersion,
): AnyVersion | undefined {
  const [before = "", name = "", after = ""] = template.split(placeholderPattern);
  if (tag.length <= before.length + after.length || !tag.startsWith(before) || !tag.endsWith(after))
    return undefined;
  const inner = tag.slice(before.length, tag.length - after.length);
  if (!isTag(inner)) return undefined;
  const version = versionOf(inner);
  return name.trim() === "tag" || version.number === inner ? version : undefined;
}
