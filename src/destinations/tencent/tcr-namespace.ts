import * as v from "valibot";
import { messageOf, OperationError } from "../../errors.ts";
import type { Log } from "../../log/log.ts";
import type { Preview } from "../destination.ts";
import type { DestinationInput } from "../destination-input.ts";
import type { TcrInstance } from "./tcr-instance.ts";
import { entries, pageSize } from "./tcr-pages.ts";

const namespacesSchema = v.object({
  NamespaceList: v.nullish(
    v.array(
      v.object({ Name: v.string(), Public: v.nullish(v.boolean()), PreventVUL: v.nullish(v.boolean()) }),
    ),
    [],
  ),
  TotalCount: v.nullish(v.number()),
});

type Namespace = v.InferOutput<typeof namespacesSchema>["NamespaceList"][number];

/**
 * Creates a namespace unless it exists: TCR makes repositories on a push, but not namespaces.
 * @throws OperationError
 */
export async function ensureNamespace(
  instance: TcrInstance,
  namespace: string,
  input: Pick<DestinationInput, "registry" | "public">,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const existing = await findNamespace(instance, namespace, signal);
  if (existing === undefined) return createNamespace(instance, namespace, input, log, signal);
  warnOfPrivate(existing, input, log);
}

/**
 * Creates all of these namespaces that do not exist. One that cannot be made keeps none of the others back.
 * @returns why some could not be made, by their names.
 * @throws OperationError when it is not known which there are.
 */
export async function ensureNamespaces(
  instance: TcrInstance,
  names: ReadonlySet<string>,
  input: Pick<DestinationInput, "registry" | "public">,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Error>> {
  const missing = new Set(names);
  for await (const existing of namespaces(instance, undefined, "listing the namespaces", signal)) {
    if (missing.delete(existing.Name)) warnOfPrivate(existing, input, log);
  }
  const failures = new Map<string, Error>();
  for (const name of missing) {
    try {
      await createNamespace(instance, name, input, log, signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.set(name, error instanceof Error ? error : new Error(messageOf(error)));
    }
  }
  return failures;
}

function warnOfPrivate(
  existing: Namespace,
  input: Pick<DestinationInput, "registry" | "public">,
  log: Log,
): void {
  if (!input.public || existing.Public !== false) return;
  log.warning(
    `The TCR namespace ${input.registry}/${existing.Name} exists and is private; \`public=true\` only counts when the ` +
      "namespace is created. Make it public in the TCR console if others are to pull from it.",
  );
}

/** TCR scans an image after its push, and answers 412 to who pulls one that it holds for vulnerable. */
const withheld =
  " Its policy against vulnerable images (`IsPreventVUL`) may withhold images: they are mirrored, but nobody can pull one that it is " +
  "against, and nothing is pruned while it withholds what is kept.";

/**
 * Says what `ensureNamespace` would find and do.
 * @throws OperationError
 */
export async function previewNamespace(
  instance: TcrInstance,
  namespace: string,
  input: Pick<DestinationInput, "public">,
  signal: AbortSignal,
): Promise<Preview> {
  const found = await findNamespace(instance, namespace, signal);
  const subject = "namespace";
  const kind = (isPublic: boolean): string => (isPublic ? "public" : "private");
  if (found === undefined) {
    return {
      subject,
      there: false,
      outcome: "unknown",
      finding: `There is no namespace ${namespace} yet; a run makes it, ${kind(input.public)}.`,
      remedy: "The key needs `tcr:CreateNamespace` for that; or make the namespace in the TCR console.",
    };
  }
  const visibility = found.Public == null ? "" : `, and is ${kind(found.Public)}`;
  return {
    subject,
    there: true,
    outcome: "ok",
    finding: `The namespace ${namespace} is there${visibility}.${found.PreventVUL === true ? withheld : ""}`,
  };
}

async function findNamespace(
  instance: TcrInstance,
  namespace: string,
  signal: AbortSignal,
): Promise<Namespace | undefined> {
  const operation = `looking for the namespace ${namespace}`;
  // The name is a search text, not a filter: `harbor` also lists `goharbor` (https://github.com/goharbor/harbor/issues/16050).
  for await (const entry of namespaces(instance, namespace, operation, signal)) {
    if (entry.Name === namespace) return entry;
  }
  return undefined;
}

/** @param part which their names have; undefined: all. */
function namespaces(
  instance: TcrInstance,
  part: string | undefined,
  operation: string,
  signal: AbortSignal,
): AsyncGenerator<Namespace, void, undefined> {
  const filter = part === undefined ? {} : { NamespaceName: part };
  const read = async (page: number) => {
    const parameters = { ...filter, Limit: pageSize, Offset: page };
    const call = { action: "DescribeNamespaces", operation, parameters, signal };
    const { NamespaceList, TotalCount } = await instance.call(call, namespacesSchema);
    return { entries: NamespaceList, total: TotalCount };
  };
  return entries(read, ({ Name }) => Name);
}

async function createNamespace(
  instance: TcrInstance,
  namespace: string,
  input: Pick<DestinationInput, "registry" | "public">,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const operation = `creating the namespace ${namespace}`;
  const parameters = { NamespaceName: namespace, IsPublic: input.public };
  try {
    await instance.call({ action: "CreateNamespace", operation, parameters, signal }, v.object({}));
  } catch (error) {
    if (isConflict(error)) return;
    throw error;
  }
  log.info(
    `Created the ${input.public ? "public" : "private"} TCR namespace ${input.registry}/${namespace}.`,
  );
}

/** The code for "exists already", which has several prefixes: `FailedOperation.`, `InternalError.`. Someone else was faster. */
function isConflict(error: unknown): boolean {
  return error instanceof OperationError && (error.details.code ?? "").endsWith("ErrorTcrResourceConflict");
}
