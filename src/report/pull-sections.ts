import type { Destination } from "../destinations/destination.ts";
import { type Namespace, repositoryOf, sameNamespace } from "../oci/reference.ts";
import type { ImageStep } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import { groupsOf } from "./grouping.ts";
import { componentName, helmValues } from "./helm-values.ts";
import { code, codeBlock, details, escapeMarkdown } from "./markdown.ts";
import { mirrorSettings } from "./mirror-settings.ts";
import { isComplete, isInPlace, type Reported, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { foldedTogether, type Section } from "./summary-section.ts";

/** Where Harbor's installer and chart look for images: this namespace of Docker Hub. */
const harborNamespace: Namespace = { registry: "docker.io", path: "goharbor" };

/** Most lines of commands for one mirror; they are a pattern to follow, not an inventory. */
const commandLimit = 50;

/** Most versions that a title names; of several routes, each has its own. */
const namedVersions = 3;

/** How to use each mirror: the newest version that is complete there, and what Harbor's users set to read from it. */
export function pullSections(result: RunResult): readonly Section[] {
  const images = reportedImages(result);
  const isHarbor = result.plan.repository.endsWith("/harbor");
  const sections = result.destinations.flatMap((destination) => {
    const here = images.filter(({ step }) => step.destination === destination.name);
    const newest = groupsOf(here, ({ step }) => [step.route]).flatMap(({ all }) =>
      newestComplete(all, result.plan.versions),
    );
    return newest.length === 0 ? [] : [pullSection(destination, newest, isHarbor)];
  });
  return foldedTogether(
    `<strong>How to use the mirrors</strong> · ${countOf(sections.length, "destination")}`,
    sections,
  );
}

/** What can be pulled of the newest version of which all is in place. @param versions newest first. */
function newestComplete(
  images: readonly Reported<ImageStep>[],
  versions: readonly string[],
): readonly Reported<ImageStep>[] {
  const ofVersion = (version: string) => images.filter(({ step }) => step.version === version);
  const newest = versions.map(ofVersion).find(isComplete) ?? [];
  return newest.filter(isInPlace);
}

function pullSection(
  destination: Pick<Destination, "name" | "registry" | "path">,
  inPlace: readonly Reported<ImageStep>[],
  isHarbor: boolean,
): Section {
  const { name, registry } = destination;
  const steps = inPlace.map(({ step }) => step);
  const charts = inPlace.filter(({ isChart }) => isChart).map(({ step }) => step);
  const images = steps.filter((step) => !charts.includes(step));
  const pulls = images.map(({ image, tag }) => `docker pull ${name}/${image}:${tag}`);
  const login = charts.length === steps.length ? "helm registry login" : "docker login";
  const harborChart = charts.find((chart) => nameOf(chart) === "harbor");
  const blocks = [
    `If the mirror is private, <code>${login} ${escapeMarkdown(registry)}</code> comes first.`,
    codeBlock("console", firstOf([...pulls, ...charts.flatMap((chart) => chartCommands(name, chart))])),
    // Only for Harbor and its forks: another repository's images may have the same names and another chart.
    ...(isHarbor || harborChart !== undefined
      ? harborBlocks(destination, images, harborChart)
      : settingsFor(destination, images)),
  ];
  const versions = [...new Set(steps.map(({ version }) => escapeMarkdown(version)))];
  const title = `<strong>How to use <code>${escapeMarkdown(name)}</code></strong> · ${listOf(versions, namedVersions)}`;
  return { name: `how to use ${name}`, rank: 5, markdown: details(title, blocks.join("\n\n")) };
}

/** Helm takes the version of a chart, of which `+` is `_` in the tag. */
function chartReference(destination: string, { image, tag }: ImageStep): string {
  return `oci://${destination}/${image} --version ${tag.replaceAll("_", "+")}`;
}

function chartCommands(destination: string, chart: ImageStep): readonly string[] {
  const reference = chartReference(destination, chart);
  return [`helm pull ${reference}`, `helm install ${nameOf(chart)} ${reference}`];
}

function nameOf({ image }: ImageStep): string {
  return image.slice(image.lastIndexOf("/") + 1);
}

function firstOf(commands: readonly string[]): readonly string[] {
  const more = commands.length - commandLimit;
  return more > 0 ? [...commands.slice(0, commandLimit), `# and ${more} more alike`] : commands;
}

function harborBlocks(
  destination: Pick<Destination, "name" | "registry" | "path">,
  images: readonly ImageStep[],
  chart: ImageStep | undefined,
): readonly string[] {
  const components = images.filter((step) => componentName(step) !== undefined);
  if (components.length === 0) return chart === undefined ? [] : [chartAlone];
  return [
    ...helmBlock(destination, components, chart),
    ...installerBlock(destination, components),
    ...mirrorSettings(destination, harborNamespace),
  ];
}

/** The settings for where the images came from, if all came from one namespace and have the names that they have there. */
function settingsFor(mirror: Namespace, images: readonly ImageStep[]): readonly string[] {
  const [first, ...others] = images.map((step) => originOf(step));
  const isOne =
    first !== undefined && others.every((other) => other !== undefined && sameNamespace(other, first));
  return isOne ? mirrorSettings(mirror, first) : [];
}

/** Where an image was read, if its name is the same there; undefined where that is not known. */
function originOf(step: ImageStep): Namespace | undefined {
  if (step.kind !== "copy") return undefined;
  const { source, repository } = step.source;
  return repositoryOf(source, step.image) === repository ? source : undefined;
}

/** What Harbor's chart needs beside, where another run mirrors the images. */
const chartAlone = `Harbor's chart looks for its images at Docker Hub. With ${code("--values mirror.yaml")} it takes them from a mirror: the summary of the run that mirrors the images has that file.`;

/** @param chart Harbor's, where this run has mirrored that as well. */
function helmBlock(
  { name }: Pick<Destination, "name">,
  images: readonly ImageStep[],
  chart: ImageStep | undefined,
): readonly string[] {
  const values = helmValues(name, images);
  if (values.length === 0) return [];
  const from = chart === undefined ? "harbor/harbor" : chartReference(name, chart);
  const versions =
    chart === undefined
      ? ` (${code("helm search repo harbor/harbor --versions")})`
      : `: its ${code("appVersion")} is that`;
  const usage = `As ${code("mirror.yaml")}, for ${code(`helm upgrade --install harbor ${from} --values mirror.yaml`)}, with the version of the chart that is for this release${versions}. A private mirror needs ${code("imagePullSecrets")} as well.`;
  return [details("Values of the Harbor Helm chart", `${usage}\n\n${codeBlock("yaml", values)}`)];
}

/**
 * The installer's compose file names `goharbor/<component>` and nothing else, and an image of that name that is on the
 * machine is not pulled. https://github.com/goharbor/harbor/tree/main/make/photon/prepare/templates/docker_compose
 */
function installerBlock(
  destination: Pick<Destination, "name" | "registry" | "path">,
  images: readonly ImageStep[],
): readonly string[] {
  if (sameNamespace(destination, harborNamespace)) return [];
  const commands = images.map((step) => {
    const local = `goharbor/${componentName(step) ?? step.image}:${step.tag}`;
    return `docker tag ${destination.name}/${step.image}:${step.tag} ${local}`;
  });
  const usage = `The installer looks for <code>goharbor/…</code> and pulls what the machine does not have. After the pulls above, and before ${code("./install.sh")}:`;
  return [
    details("Names for the Harbor installer", `${usage}\n\n${codeBlock("console", firstOf(commands))}`),
  ];
}
