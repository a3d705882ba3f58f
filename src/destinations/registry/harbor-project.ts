import * as v from "valibot";
import { messageOf } from "../../errors.ts";
import { discard, type Transport } from "../../http/http.ts";
import { basicHeader, type Credentials } from "../../oci/credentials.ts";
import { formatBytes } from "../../wording.ts";
import type { Preview, Quota } from "../destination.ts";
import { apiUrl, checkAnswer, readAnswer, sendToVendor } from "../vendor-api.ts";

/** The project metadata that matter here, texts all of them. https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml */
const projectSchema = v.object({
  metadata: v.nullish(
    v.object({
      enable_content_trust_cosign: v.nullish(v.string()),
      enable_content_trust: v.nullish(v.string()),
      prevent_vul: v.nullish(v.string()),
    }),
  ),
});

/** `read_only` is told to who is logged in. */
const systemSchema = v.object({ read_only: v.nullish(v.boolean()) });

/** The summary has the quota where the login may read it (`read` of `quota`); -1 is no limit. */
const summarySchema = v.object({
  quota: v.nullish(
    v.object({
      hard: v.nullish(v.object({ storage: v.nullish(v.number()) })),
      used: v.nullish(v.object({ storage: v.nullish(v.number()) })),
    }),
  ),
});

/** A Harbor, and the login of its registry, which is that of its API. */
export interface HarborProjectOptions {
  readonly url: URL;
  readonly credentials: Credentials;
  readonly transport: Transport;
}

/**
 * What may be stored in a project, and what is.
 * @param path of the namespace; the project is its first part.
 */
export async function projectQuota(
  options: HarborProjectOptions,
  path: string,
  signal: AbortSignal,
): Promise<Quota | undefined> {
  const [project] = path.split("/");
  const summary = await ask(options, `/api/v2.0/projects/${project}/summary`, summarySchema, signal);
  const limit = summary?.quota?.hard?.storage;
  const used = summary?.quota?.used?.storage;
  if (typeof limit !== "number" || limit < 0 || typeof used !== "number") return undefined;
  return { limit, used };
}

/** What a project is like for a mirror: whether it can be pushed to, and which policies withhold its images. */
export async function previewProject(
  options: HarborProjectOptions,
  repository: string,
  signal: AbortSignal,
): Promise<Preview> {
  const subject = "project";
  const project = repository.slice(0, repository.indexOf("/"));
  const [system, found, storage] = await Promise.all([
    ask(options, "/api/v2.0/systeminfo", systemSchema, signal),
    ask(options, `/api/v2.0/projects/${project}`, projectSchema, signal),
    storageOf(options, repository, signal),
  ]);
  if (system?.read_only === true) {
    return {
      subject,
      there: true,
      outcome: "missing",
      finding: "This Harbor is in read-only mode: nothing can be pushed or deleted.",
      remedy:
        "Its administrator ends that mode under Configuration, System Settings (a garbage collection may have set it).",
    };
  }
  if (found === undefined) {
    const finding = `Harbor's API does not tell this login about the project ${project}: not whether a policy withholds its images.`;
    return { subject, there: true, outcome: "unknown", finding };
  }
  const policies = policiesOf(found);
  return {
    subject,
    there: true,
    outcome: "ok",
    finding:
      (policies.length === 0
        ? `The project ${project} is there, and no policy of it withholds images.`
        : `The project ${project} has the policy ${policies.join(" and ")}: images are mirrored, but who pulls one that it is ` +
          "against gets 412; nothing is pruned while it withholds what is kept.") + storage,
  };
}

/** What is used of a project's quota, as a sentence; a failure to learn it says nothing against the project. */
async function storageOf(options: HarborProjectOptions, path: string, signal: AbortSignal): Promise<string> {
  try {
    const quota = await projectQuota(options, path, signal);
    return quota === undefined
      ? ""
      : ` ${formatBytes(quota.used)} of its quota of ${formatBytes(quota.limit)} are used; it needs room for one version more than \`keep\` says.`;
  } catch (error) {
    signal.throwIfAborted();
    return ` Its quota is not known: ${messageOf(error)}`;
  }
}

/** Policies of a project, as its configuration page names them. */
function policiesOf({ metadata }: v.InferOutput<typeof projectSchema>): readonly string[] {
  return [
    ...(metadata?.enable_content_trust_cosign === "true" ? ['"Cosign content trust"'] : []),
    ...(metadata?.enable_content_trust === "true" ? ['"Notation content trust"'] : []),
    ...(metadata?.prevent_vul === "true" ? ['"Prevent vulnerable images from running"'] : []),
  ];
}

/**
 * One answer of Harbor's API; undefined where this login gets none: a robot sees of a project what it was given.
 * @throws OperationError when no answer comes, or one of another form.
 */
async function ask<T>(
  { url, credentials, transport }: HarborProjectOptions,
  path: string,
  schema: v.GenericSchema<unknown, T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const operation = { host: url.host, operation: "looking at the project" };
  const credential = await credentials(signal);
  const headers = {
    // A project can be named by digits, which would else be taken for a number.
    "x-is-resource-name": "true",
    ...(credential === undefined ? {} : { authorization: basicHeader(credential) }),
  };
  const response = await sendToVendor(
    transport,
    { method: "GET", url: apiUrl(url, path), headers, signal },
    operation,
  );
  if (response.status !== 200) return discard(response).then(() => undefined);
  return checkAnswer(await readAnswer(response, operation, signal), schema, operation, response.status);
}
