import { groupsOf } from "./grouping.ts";
import { code, codeBlock, details, escapeMarkdown } from "./markdown.ts";
import { type ImageStep, isComplete, isInPlace, type Reported, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

/**
 * Where Harbor's chart has the image of each component that it deploys; `prepare` and `harbor-log` are of the installer only.
 * Up to v2.15.1 the cache is redis-photon, from v2.15.2 on valkey-photon, under the same key.
 * https://github.com/goharbor/harbor-helm/blob/main/values.yaml
 */
const chartKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ["nginx-photon", ["nginx"]],
  ["harbor-portal", ["portal"]],
  ["harbor-core", ["core"]],
  ["harbor-jobservice", ["jobservice"]],
  ["registry-photon", ["registry", "registry"]],
  ["harbor-registryctl", ["registry", "controller"]],
  ["trivy-adapter-photon", ["trivy"]],
  ["harbor-db", ["database", "internal"]],
  ["valkey-photon", ["redis", "internal"]],
  ["redis-photon", ["redis", "internal"]],
  ["harbor-exporter", ["exporter"]],
]);

/** Most `docker pull` lines of one mirror; they are a pattern to follow, not an inventory. */
const pullLimit = 50;

/** How to pull from each mirror: the newest version that is complete there, and Harbor's Helm values for it. */
export function pullSections(result: RunResult): readonly Section[] {
  const images = reportedImages(result);
  return result.destinations.flatMap(({ name, registry }) => {
    const here = images.filter(({ step }) => step.destination === name);
    const newest = result.plan.versions
      .map((version) => here.filter(({ step }) => step.version === version))
      .find(isComplete);
    return newest === undefined ? [] : [pullSection(name, registry, newest.filter(isInPlace), result)];
  });
}

function pullSection(
  destination: string,
  registry: string,
  images: readonly Reported<ImageStep>[],
  result: RunResult,
): Section {
  const pulls = images
    .slice(0, pullLimit)
    .map(({ step }) => `docker pull ${destination}/${step.image}:${step.tag}`);
  const more = images.length - pulls.length;
  const version = images[0]?.step.version ?? "";
  const blocks = [
    `### Pull from ${code(destination)}`,
    `Version ${escapeMarkdown(version)}. If the mirror is private, <code>docker login ${escapeMarkdown(registry)}</code> comes first.`,
    codeBlock("console", more > 0 ? [...pulls, `# and ${more} more images alike`] : pulls),
    ...helmBlock(destination, images, result),
  ];
  return { name: `how to pull from ${destination}`, rank: 5, markdown: blocks.join("\n\n") };
}

/** Only for Harbor and its forks: another repository's images may have the same names and another chart. */
function helmBlock(
  destination: string,
  images: readonly Reported<ImageStep>[],
  result: RunResult,
): readonly string[] {
  if (!result.plan.repository.endsWith("/harbor")) return [];
  const values = helmValues(destination, images);
  if (values.length === 0) return [];
  const block = codeBlock("yaml", values);
  const usage = `For ${code("helm upgrade --install harbor harbor/harbor --values mirror.yaml")}:`;
  return [details("Values of the Harbor Helm chart", `${usage}\n\n${block}`)];
}

/** Values for Harbor's chart, as lines of YAML. The chart has no global registry: each image has its own two keys. */
function helmValues(destination: string, images: readonly Reported<ImageStep>[]): readonly string[] {
  const entries = images.flatMap(({ step }) => {
    const [component, part] = chartKeys.get(step.image.slice(step.image.lastIndexOf("/") + 1)) ?? [];
    return component === undefined ? [] : [{ component, part, step }];
  });
  return groupsOf(entries, ({ component }) => [component]).flatMap(({ first, all }) => [
    `${first.component}:`,
    ...all.flatMap(({ part, step }) => {
      const indent = part === undefined ? "  " : "    ";
      return [
        ...(part === undefined ? [] : [`  ${part}:`]),
        `${indent}image:`,
        `${indent}  repository: ${destination}/${step.image}`,
        // Quoted, because a tag such as 2.15 is a number in YAML.
        `${indent}  tag: "${step.tag}"`,
      ];
    }),
  ]);
}
