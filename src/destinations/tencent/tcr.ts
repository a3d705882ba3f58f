import type { Clock } from "../../clock.ts";
import type { OperationError } from "../../errors.ts";
import { type Leased, leased } from "../../http/lease.ts";
import type { Log } from "../../log/log.ts";
import type { Credential, Credentials, Login } from "../../oci/credentials.ts";
import { type Namespace, printNamespace } from "../../oci/reference.ts";
import { type DestinationAbilities, noDeletion } from "../destination.ts";
import type { DestinationInput } from "../destination-input.ts";
import {
  createTcrInstance,
  instanceIdentity,
  MissingInstanceError,
  type TcrInstance,
} from "./tcr-instance.ts";
import { noDeletionReason, temporaryLogin, warnOfEnd } from "./tcr-login.ts";
import { ensureNamespace, ensureNamespaces, previewNamespace } from "./tcr-namespace.ts";
import { allTcrRepositories } from "./tcr-repositories.ts";
import { type TcrRepository, tagsOnly, tcrTags } from "./tcr-tags.ts";
import { hasCode, type TencentApi } from "./tencent-api.ts";

export interface TcrOptions {
  readonly input: DestinationInput;
  readonly api: TencentApi;
  /** Login for the registry; without it, a temporary one is made with the API. */
  readonly login: Login | undefined;
  /** Login of the Docker configuration, for an instance that is not of the key's account. */
  readonly dockerCredentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
}

/** API of the mainland site; the international one is chosen by the `api` attribute. */
export const mainlandApi = new URL("https://tcr.tencentcloudapi.com");

/**
 * A namespace of a Tencent Container Registry (Enterprise) instance, or the instance as a whole, where each repository names its
 * own. Sends nothing.
 * @throws InputError when nothing tells which instance it is.
 */
export function createTcrDestination(options: TcrOptions): DestinationAbilities {
  const { input, api, login, dockerCredentials, clock, log } = options;
  const place = { registry: input.registry, path: input.path, name: printNamespace(input) };
  if (login !== undefined) warnOfEnd(login, place.name, clock, log);
  const instance = tcrInstanceOf(input, api, clock);
  const temporary = temporaryLogin(instance, clock, log);
  const ownLogin: Credentials = login === undefined ? dockerCredentials : () => Promise.resolve(login);
  const missing = missingInstance(instance, input.registryId !== undefined, ownLogin, temporary);
  const whyForeign = whyKeyIsForeign(missing, ownLogin, place.name, clock, log);
  const isWhole = input.path === "";
  let unprepared: ReadonlyMap<string, Error> = new Map();
  return {
    ...place,
    credentials: async (signal) => {
      if (login !== undefined) return login;
      return (await whyForeign(signal)) === undefined ? temporary.get(signal) : dockerCredentials(signal);
    },
    // Tencent does not document whether deleting a tag takes others of its digest along.
    deletion: "shared-digest-unsafe",
    whyNoDeletion: whyForeign,
    prepare: async (signal, repositories = []) => {
      // Making a namespace needs a key of the instance's own account. Without one, the first push fails if it is missing.
      if ((await whyForeign(signal)) !== undefined) return;
      if (!isWhole) return ensureNamespace(instance, namespaceOf(input.path), input, log, signal);
      const names = new Set(repositories.filter(hasNamespace).map(namespaceOf));
      unprepared = await ensureNamespaces(instance, names, input, log, signal);
    },
    whyUnprepared: (repository) =>
      hasNamespace(repository) ? unprepared.get(namespaceOf(repository)) : new Error(needsNamespace),
    preview: async (signal, repository) => {
      const finding = (await whyForeign(signal)) ?? (hasNamespace(repository) ? undefined : ofEach);
      if (finding === undefined) return previewNamespace(instance, namespaceOf(repository), input, signal);
      return { subject: "namespace", there: true, outcome: "unknown", finding };
    },
    repositoriesThere: async (signal) =>
      isWhole || (await whyForeign(signal)) !== undefined
        ? undefined
        : allTcrRepositories(instance, namespaceOf(input.path), signal),
    tryDeletion: (signal, repository) =>
      tcrTags(instance, clock, tcrRepository(repository)).tryDeletion(signal),
    deleteTags: (repository, tags, signal) => {
      const names = tags.map(({ tag }) => tag);
      return tcrTags(instance, clock, tcrRepository(repository)).delete(names, signal);
    },
    deleteUntagged: tagsOnly,
  };
}

/**
 * Finds out whether the account of the key has an instance. One that the user named by its id is not looked up: then the login
 * that the key would make tells, where there is another one to choose.
 * @returns the failure of an account that does not have it; undefined: it has it, or does not say so.
 * @throws OperationError (from the returned function) when the lookup fails.
 */
function missingInstance(
  instance: TcrInstance,
  isGivenById: boolean,
  ownLogin: Credentials,
  temporary: Leased<Credential>,
): (signal: AbortSignal | undefined) => Promise<OperationError | undefined> {
  return async (signal) => {
    try {
      await instance.find(signal);
    } catch (error) {
      if (error instanceof MissingInstanceError) return error;
      throw error;
    }
    if (!isGivenById || (await ownLogin(signal)) === undefined) return undefined;
    const failure = await temporary.get(signal).catch((error: unknown) => error);
    return hasCode(failure, "ResourceNotFound") ? failure : undefined;
  };
}

/**
 * Says that a key is of another account, so that it is of no use for an instance that has its own login. Undefined: the key
 * can be used. Warns once, and remembers the finding for the run.
 * @throws OperationError (from the returned function) when the instance has no login of its own either.
 */
function whyKeyIsForeign(
  missing: (signal: AbortSignal | undefined) => Promise<OperationError | undefined>,
  ownLogin: Credentials,
  name: string,
  clock: Clock,
  log: Log,
): (signal: AbortSignal | undefined) => Promise<string | undefined> {
  const finding = leased<string | undefined>(clock, async (signal) => {
    const value = await lookUp(signal);
    if (value !== undefined) log.warning(`${name}: ${value}`);
    return { value, until: Number.POSITIVE_INFINITY };
  });
  return (signal) => finding.get(signal);

  async function lookUp(signal: AbortSignal | undefined): Promise<string | undefined> {
    const failure = await missing(signal);
    if (failure === undefined) return undefined;
    const login = await ownLogin(signal);
    if (login === undefined) throw failure;
    if (login.identityToken === undefined) warnOfEnd(login, name, clock, log);
    return (
      "The account of the API key has no such TCR instance, so this destination's own registry login is used: no namespace " +
      "is made and nothing is pruned there. Give a key of the instance's own account for that."
    );
  }
}

/**
 * The instance that a destination is on.
 * @throws InputError when nothing tells which it is.
 */
export function tcrInstanceOf(input: DestinationInput, api: TencentApi, clock: Clock): TcrInstance {
  return createTcrInstance(api, instanceIdentity(input), clock);
}

/**
 * A namespace of TCR with a registry login alone: it can be pushed to, but nothing can be created or deleted. Reads the login
 * once, to warn early of what it cannot do. Sends nothing.
 */
export async function tcrWithoutApi(
  { registry, path }: Namespace,
  credentials: Credentials,
  clock: Clock,
  log: Log,
): Promise<DestinationAbilities> {
  const name = printNamespace({ registry, path });
  // A credential helper that fails is reported where the login is needed.
  const login = await credentials().catch(() => undefined);
  if (login !== undefined) warnOfEnd(login, name, clock, log);
  return {
    registry,
    path,
    name,
    credentials,
    ...noDeletion(noDeletionReason(login?.username)),
    // Creating a namespace needs the API as well. If it is missing, the first push fails.
    prepare: () => Promise.resolve(),
  };
}

/** What is known of namespaces while no image is. */
const ofEach = "Each image names its namespace; a run makes those that are missing.";

const needsNamespace = "at TCR, a repository is in a namespace, and this one has none";

/** A path on the registry that has a namespace in front. */
function hasNamespace(repository: string): boolean {
  return repository.includes("/");
}

function namespaceOf(path: string): string {
  return tcrRepository(path).namespace;
}

/** Splits a path at its first slash: a TCR namespace has one part, a repository below it may have several. */
function tcrRepository(path: string): TcrRepository {
  const [namespace = "", ...name] = path.split("/");
  return { namespace, name: name.join("/") };
}
