import { canonicalRegistry, isLoopback, parseNamespace, printNamespace } from "../oci/reference.ts";
import { vendorOf } from "../vendors/vendors.ts";
import { didYouMean } from "../wording.ts";
import { parseAttributes, parseTokenServer } from "./attributes.ts";
import { notRegistry, quoted, wrongPlace } from "./suggestions.ts";
import type { SourceInput } from "./types.ts";
import { linesOf, type Mistake, repeated } from "./values.ts";

/** The lines of the `source` input: places to read images from, in order, each once. */
export function parseSources(text: string, mistake: Mistake): readonly SourceInput[] {
  const lines = linesOf(text);
  if (lines.length === 0) mistake("holds nothing but comments");
  const sources = lines.flatMap((line) => parseSource(line, mistake));
  for (const name of repeated(sources.map(printNamespace))) mistake(`${name} is given more than once`);
  return sources;
}

function parseSource(line: string, mistake: Mistake): readonly SourceInput[] {
  const [given = "", ...rest] = line.split(",").map((item) => item.trim());
  const charts = rest.length === 0 ? parseChartRepository(given, mistake) : undefined;
  if (charts !== undefined) return charts;
  // Helm's way to say that a chart is in a registry.
  const place = given.replace(/^oci:\/\//, "");
  const namespace = parseNamespace(place);
  if (namespace === undefined) {
    mistake(wrongPlace(place, rest));
    return [];
  }
  const wrongRegistry = notRegistry(namespace, rest);
  if (wrongRegistry !== undefined) mistake(wrongRegistry);
  const inLine: Mistake = (problem) => mistake(`${printNamespace(namespace)}: ${problem}`);
  const tokenServer = parseAttributes(rest, ["token-server"], inLine).get("token-server");
  return [
    {
      ...namespace,
      ...(place !== given && { charts: true }),
      tokenServer: tokenServer === undefined ? undefined : parseTokenServer(tokenServer, inLine),
    },
  ];
}

/** What is below a known host and no registry: the chart repositories of ChartMuseum, Artifactory and the like. */
const chartPath = /\/(?:chartrepo|artifactory|helm)\b/;

/**
 * The address of a chart repository: `https://helm.goharbor.io`.
 * @returns undefined where it is none: of a registry, or of nothing; an empty list after a mistake.
 */
function parseChartRepository(text: string, mistake: Mistake): readonly SourceInput[] | undefined {
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return undefined;
  const { host, pathname, protocol } = url;
  const isKnown = vendorOf(canonicalRegistry(host) ?? host).host !== undefined;
  const isWebsite = notRegistry({ registry: host, path: "" }, []) !== undefined;
  if (isWebsite || (isKnown && !chartPath.test(pathname))) return undefined;
  const path = pathname.replace(/(?:\/index\.yaml)?\/*$/, "");
  const meant = didYouMean(`https://${host}${path}`);
  if (/^(?:www\.)?artifacthub\.io$/.test(host))
    mistake(
      `${quoted(text)} is a page of Artifact Hub, which holds no charts: write the address of the repository that its button Install shows, such as https://helm.goharbor.io or oci://ghcr.io/team`,
    );
  else if (protocol === "http:" && !isLoopback(host))
    mistake(`${quoted(text)} would be read over plain HTTP${meant}`);
  else if (url.search !== "" || url.hash !== "" || !/^(?:\/[\w.~%-]+)*$/.test(path))
    mistake(`${quoted(text)} is not the address of a chart repository, below which index.yaml is${meant}`);
  else return [{ registry: `${url.origin}${path}`, path: "", tokenServer: undefined, charts: true }];
  return [];
}
