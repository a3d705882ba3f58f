import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { OperationError } from "../errors.ts";
import type { DestinationInput, Login, TencentCloudKey } from "../inputs.ts";
import type { Log } from "../log.ts";
import type { Credential, Credentials } from "../oci/credentials.ts";
import type { Transport } from "../oci/http.ts";
import { type Leased, leased } from "../oci/lease.ts";
import { printNamespace } from "../oci/reference.ts";
import type { Destination } from "./destination.ts";
import { createTcrInstance, instanceTarget, type TcrInstance } from "./tcr-instance.ts";
import { entries, pageSize } from "./tcr-pages.ts";
import { type TcrRepository, tcrTags } from "./tcr-tags.ts";
import { createTencentApi } from "./tencent-api.ts";

export interface TcrOptions {
  readonly input: DestinationInput;
  /** Undefined: the registry can be pushed to with a login, but nothing be created or deleted. */
  readonly key: TencentCloudKey | undefined;
  /** Login for the registry; without it, a temporary one is made with the key. */
  readonly login: Login | undefined;
  /** Login of the Docker configuration, for when there is neither. */
  readonly dockerCredentials: Credentials;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** API of the mainland site; the international one is chosen by the `api` attribute. */
const mainlandApi = new URL("https://tcr.tencentcloudapi.com");

/**
 * How long before its end a temporary login is replaced, in milliseconds. Its end is a time of Tencent Cloud's clock, which
 * may differ from ours by up to 5 minutes: with a greater difference it would not have accepted the signed request.
 */
const loginMargin = 5 * 60_000;

/** Of a time without a unit: seconds stay below this number for 30,000 years, milliseconds have been above it since 2001. */
const millisecondsFrom = 1e12;

const loginSchema = v.object({
  Username: v.string(),
  Token: v.pipe(v.string(), v.minLength(1)),
  ExpTime: v.number(),
});

const namespacesSchema = v.object({
  NamespaceList: v.nullish(v.array(v.object({ Name: v.string(), Public: v.nullish(v.boolean()) })), []),
});

/**
 * A namespace of a Tencent Container Registry (Enterprise) instance.
 * @throws InputError when there is a key but nothing tells which instance it is to be used on.
 */
export function createTcrDestination(options: TcrOptions): Destination {
  const { input, key, login, clock, log, transport } = options;
  const place = { registry: input.registry, path: input.path, name: printNamespace(input) };
  const given: Credentials | undefined = login === undefined ? undefined : () => Promise.resolve(login);
  if (key === undefined) return withoutKey(place, given ?? options.dockerCredentials);

  const url = input.api ?? mainlandApi;
  const api = createTencentApi({ transport, clock, url, key });
  const instance = createTcrInstance(api, url.host, instanceTarget(input), clock);
  const temporary = temporaryLogin(instance, clock, log);
  return {
    ...place,
    credentials: given ?? ((signal) => temporary.get(signal)),
    // Tencent does not document whether a deleted tag takes others of its digest along.
    deletion: "shared-digest-unsafe",
    prepare: (signal) => ensureNamespace(instance, input, log, signal),
    deleteTags: (repository, tags, signal) => {
      const names = tags.map(({ tag }) => tag);
      return tcrTags(instance, clock, tcrRepository(repository)).delete(names, signal);
    },
  };
}

function withoutKey(
  place: Pick<Destination, "registry" | "path" | "name">,
  credentials: Credentials,
): Destination {
  const reason =
    "TCR deletes tags by its API only, which takes no registry login: a service account has no right to delete. " +
    "Set `tcr-secret-id` and `tcr-secret-key`.";
  return {
    ...place,
    credentials,
    deletion: "unavailable",
    deletionUnavailable: reason,
    // Creating a namespace needs the key as well; a missing one shows with the first push.
    prepare: () => Promise.resolve(),
    deleteTags: async (_repository, tags) => tags.map(({ tag }) => ({ tag, failure: reason })),
  };
}

/** Splits a path at its first slash: a TCR namespace has one part, a repository below it may have several. */
function tcrRepository(path: string): TcrRepository {
  const [namespace = "", ...name] = path.split("/");
  return { namespace, name: name.join("/") };
}

/** A login for the registry that TCR makes for an hour. Masked before anyone gets it. */
function temporaryLogin(instance: TcrInstance, clock: Clock, log: Log): Leased<Credential> {
  return leased(clock, async (signal) => {
    const answer = await instance.call(
      {
        action: "CreateInstanceToken",
        operation: "getting a temporary registry login",
        parameters: { TokenType: "temp" },
        signal,
      },
      loginSchema,
    );
    const value: Credential = { username: answer.Username, password: answer.Token };
    log.mask(value.password);
    log.mask(Buffer.from(`${value.username}:${value.password}`).toString("base64"));
    const end = answer.ExpTime < millisecondsFrom ? answer.ExpTime * 1000 : answer.ExpTime;
    return { value, until: end - loginMargin };
  });
}

/** Creates the namespace unless it exists: TCR makes repositories on a push, but not namespaces. */
async function ensureNamespace(
  instance: TcrInstance,
  input: DestinationInput,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { namespace } = tcrRepository(input.path);
  const existing = await findNamespace(instance, namespace, signal);
  if (existing === undefined) return createNamespace(instance, namespace, input, log, signal);
  if (input.public && existing.Public === false) {
    log.warning(
      `The TCR namespace ${input.registry}/${namespace} exists and is private; \`public=true\` only counts when the ` +
        "namespace is created. Make it public in the TCR console if others are to pull from it.",
    );
  }
}

async function findNamespace(
  instance: TcrInstance,
  namespace: string,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof namespacesSchema>["NamespaceList"][number] | undefined> {
  const operation = `looking for the namespace ${namespace}`;
  const read = async (page: number) => {
    const parameters = { NamespaceName: namespace, Limit: pageSize, Offset: page };
    const call = { action: "DescribeNamespaces", operation, parameters, signal };
    return (await instance.call(call, namespacesSchema)).NamespaceList;
  };
  // The name is a search text, not a filter: `harbor` also lists `goharbor` (https://github.com/goharbor/harbor/issues/16050).
  for await (const entry of entries(read, ({ Name }) => Name)) {
    if (entry.Name === namespace) return entry;
  }
  return undefined;
}

async function createNamespace(
  instance: TcrInstance,
  namespace: string,
  input: DestinationInput,
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

/** "Exists already", below several parents: `FailedOperation.`, `InternalError.`. Someone else was faster. */
function isConflict(error: unknown): boolean {
  return error instanceof OperationError && (error.details.code ?? "").endsWith("ErrorTcrResourceConflict");
}
