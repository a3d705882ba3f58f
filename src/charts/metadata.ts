import * as v from "valibot";
import { BodyError } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { goJson, withMaps, withoutEmpty } from "./go-json.ts";
import { helmText, parseHelmYaml } from "./helm-yaml.ts";

/**
 * What `Chart.yaml` says, as Helm's library holds it, down to the order of its fields: the config of a chart in a registry is that,
 * byte for byte. https://github.com/helm/helm/blob/v3.18.6/pkg/chart/metadata.go
 */

/** Go's `sanitizeString`: every space is a blank, and what cannot be printed goes. */
const cleanSchema = v.pipe(
  helmText,
  v.transform((text) =>
    text.replace(/\p{White_Space}/gu, " ").replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, ""),
  ),
);

const maintainerFields = {
  name: v.nullish(cleanSchema, ""),
  email: v.nullish(cleanSchema, ""),
  url: v.nullish(cleanSchema, ""),
};

/** https://github.com/helm/helm/blob/v3.18.6/pkg/chart/dependency.go */
const dependencyFields = {
  name: v.nullish(cleanSchema, ""),
  version: v.nullish(cleanSchema, ""),
  repository: v.nullish(cleanSchema, ""),
  condition: v.nullish(cleanSchema, ""),
  tags: v.nullish(v.array(cleanSchema), []),
  enabled: v.nullish(v.boolean(), false),
  "import-values": v.nullish(v.array(v.pipe(v.unknown(), v.transform(withMaps))), []),
  alias: v.nullish(helmText, ""),
};

const metadataFields = {
  name: v.nullish(cleanSchema, ""),
  home: v.nullish(cleanSchema, ""),
  sources: v.nullish(v.array(cleanSchema), []),
  version: v.nullish(helmText, ""),
  description: v.nullish(cleanSchema, ""),
  keywords: v.nullish(v.array(cleanSchema), []),
  maintainers: v.nullish(v.array(v.object(maintainerFields)), []),
  icon: v.nullish(cleanSchema, ""),
  // Charts of Helm 2 have none: loadFiles in https://github.com/helm/helm/blob/v3.18.6/pkg/chart/loader/load.go
  apiVersion: v.pipe(
    v.nullish(helmText, ""),
    v.transform((text) => text || "v1"),
  ),
  condition: v.nullish(cleanSchema, ""),
  tags: v.nullish(cleanSchema, ""),
  appVersion: v.nullish(cleanSchema, ""),
  deprecated: v.nullish(v.boolean(), false),
  annotations: v.pipe(
    v.nullish(v.record(v.string(), v.nullish(helmText, "")), {}),
    v.transform((annotations): ReadonlyMap<string, string> => new Map(Object.entries(annotations))),
  ),
  kubeVersion: v.nullish(cleanSchema, ""),
  dependencies: v.nullish(v.array(v.object(dependencyFields)), []),
  type: v.nullish(helmText, ""),
};

const metadataSchema = v.object(metadataFields);

export type ChartMetadata = v.InferOutput<typeof metadataSchema>;

/**
 * Reads `Chart.yaml`, and on top of it `requirements.yaml`, where charts of Helm 2 have their dependencies.
 * @throws BodyError when one is not YAML, or not of Helm's form.
 */
export async function readMetadata(chart: string, requirements: string | undefined): Promise<ChartMetadata> {
  const own = named(await parseHelmYaml(chart, "Chart.yaml"));
  if (!isMapping(own)) throw new BodyError("Chart.yaml is not of Helm's form (no fields)");
  const beside =
    requirements === undefined ? undefined : await parseHelmYaml(requirements, "requirements.yaml");
  const result = v.safeParse(metadataSchema, over(own, named(beside)));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new BodyError(
    `Chart.yaml is not of Helm's form (${printable(`${v.getDotPath(issue)}: ${issue.message}`)})`,
  );
}

/** A document with its fields, and those of its lists, by the names that Helm has for them: Go takes `appversion` as well. */
function named(document: unknown): unknown {
  const withNames = (value: unknown, fields: object): unknown => {
    if (!isMapping(value)) return value;
    const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
    const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(entries.map(([key, inner]) => [names.get(key.toLowerCase()) ?? key, inner]));
  };
  const chart = withNames(document, metadataFields);
  if (!isMapping(chart)) return chart;
  const each = (list: unknown, fields: object) =>
    Array.isArray(list) ? list.map((item) => withNames(item, fields)) : list;
  const { maintainers, dependencies } = chart;
  return {
    ...chart,
    maintainers: each(maintainers, maintainerFields),
    dependencies: each(dependencies, dependencyFields),
  };
}

/** What Go makes of a value that is read into another: what is not said stays. */
function over(before: unknown, value: unknown): unknown {
  if (value === undefined || value === null) return before;
  if (Array.isArray(value) && Array.isArray(before))
    return value.map((item, index) => over(before[index], item));
  if (!isMapping(value) || !isMapping(before)) return value;
  const both = Object.entries(value).map(([key, inner]) => [key, over(before[key], inner)]);
  return { ...before, ...Object.fromEntries(both) };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The metadata as Helm writes it into a registry. */
export function writeMetadata(metadata: ChartMetadata): string {
  const { maintainers, dependencies } = metadata;
  return goJson(
    withoutEmpty({
      // A field that is given again keeps its place.
      ...metadata,
      maintainers: maintainers.map((maintainer) => withoutEmpty(maintainer)),
      dependencies: dependencies.map((dependency) => withoutEmpty(dependency, ["name", "repository"])),
    }),
  );
}
