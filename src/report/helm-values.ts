import type { ImageStep } from "../plan/plan.ts";
import { groupsOf } from "./grouping.ts";

/**
 * Where Harbor's chart has the image of each component that it deploys; `prepare` and `harbor-log` are of the installer only.
 * Up to v2.15.1 the cache is redis-photon, from v2.15.2 on valkey-photon, under the same key. Of older releases' charts:
 * notary up to 2.8, chartmuseum up to 2.7, clair up to 2.1.
 * https://github.com/goharbor/harbor-helm/blob/main/values.yaml and the branches 1.3.0 to 1.19.0 of that repository
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
  ["chartmuseum-photon", ["chartmuseum"]],
  ["notary-server-photon", ["notary", "server"]],
  ["notary-signer-photon", ["notary", "signer"]],
  ["clair-photon", ["clair", "clair"]],
  ["clair-adapter-photon", ["clair", "adapter"]],
]);

/** Images that Harbor's installer starts or runs and its chart does not have. */
const installerOnly: ReadonlySet<string> = new Set(["prepare", "harbor-log"]);

/** The name by which Harbor knows an image, or undefined where it is none of Harbor's components. */
export function componentName({ image }: ImageStep): string | undefined {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return chartKeys.has(name) || installerOnly.has(name) ? name : undefined;
}

/**
 * Values for Harbor's chart, as lines of YAML. The chart has no global registry: each image has its own two keys.
 * @param destination `registry/namespace` of the mirror.
 */
export function helmValues(destination: string, images: readonly ImageStep[]): readonly string[] {
  const entries = images.flatMap((step) => {
    const [component, part] = chartKeys.get(componentName(step) ?? "") ?? [];
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
