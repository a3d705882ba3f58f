import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import type { Transport } from "../../http/http.ts";
import type { Log } from "../../log/log.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { printNamespace } from "../../oci/reference.ts";
import type { Registry } from "../../oci/registry.ts";
import { Repository } from "../../oci/repository.ts";
import type { DeletionRoute } from "../../vendors/vendor.ts";
import { mannersOf } from "../../vendors/vendors.ts";
import { type DestinationAbilities, noDeletion, type Preview } from "../destination.ts";
import type { DestinationInput } from "../destination-input.ts";
import { artifactoryRoute } from "./artifactory-deletion.ts";
import type { AwsKey } from "./aws-signature.ts";
import { azureRoute } from "./azure-deletion.ts";
import type { TagDeletionRoute } from "./deletion-route.ts";
import { createEcrApi, type EcrApi, ecrRegistry } from "./ecr-api.ts";
import { ecrRoute } from "./ecr-deletion.ts";
import { harborRoute } from "./harbor-deletion.ts";
import { previewProject, projectQuota } from "./harbor-project.ts";
import { packagesRoute } from "./packages-deletion.ts";
import { registryRoute, type TagDeleter } from "./registry-deletion.ts";

export interface RegistryDestinationOptions {
  readonly input: DestinationInput;
  /** Of the Docker configuration. */
  readonly credentials: Credentials;
  readonly awsKey: AwsKey | undefined;
  /** Client of this registry, with these credentials. */
  readonly client: Registry;
  /** For vendor APIs. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** GitHub's REST API, which also serves the packages of its registry. */
export const githubApi = new URL("https://api.github.com");

/**
 * A namespace of any registry, with the login of the Docker configuration. Reads the login where the deletion of tags depends
 * on it. Sends nothing.
 */
export async function createRegistryDestination(
  options: RegistryDestinationOptions,
): Promise<DestinationAbilities> {
  const { input, credentials, log } = options;
  const api = ecrApiOf(options);
  const { route } = options.client.vendor.deletion;
  return {
    registry: input.registry,
    path: input.path,
    name: printNamespace(input),
    credentials,
    ...(await deletionRoute(route, api, options)),
    ...lookOf(route, api, options),
    prepare: async (signal, repositories = []) => {
      if (api !== undefined) await makeRepositories(api, repositories, log, signal);
    },
  };
}

/** What can be found out about the place to push to; nothing where nobody can be asked. */
function lookOf(
  route: DeletionRoute,
  ecr: EcrApi | undefined,
  { input, client, credentials, transport }: RegistryDestinationOptions,
): Pick<DestinationAbilities, "preview" | "quota"> {
  const harbor = { url: client.origin, credentials, transport };
  if (ecr !== undefined)
    return { preview: (signal, repository) => previewRepository(ecr, repository, signal) };
  if (route !== "harbor") return {};
  return {
    preview: (signal, repository) => previewProject(harbor, repository, signal),
    quota: (signal) => projectQuota(harbor, input.path, signal),
  };
}

/** How tags are deleted, for each route of the table of registries. */
async function deletionRoute(
  route: DeletionRoute,
  ecr: EcrApi | undefined,
  { input, client, credentials, transport, log }: RegistryDestinationOptions,
): Promise<TagDeletionRoute> {
  const { vendor, origin: url } = client;
  const deleter = tagDeleterOf(client);
  switch (route) {
    case "harbor":
      return harborRoute({ url, credentials, transport, log });
    case "acr":
      return azureRoute(client, deleter);
    case "artifactory":
      return artifactoryRoute({ url, credentials, transport, resolve: deleter.resolve });
    case "packages":
      return packagesRoute({ url: input.api ?? githubApi, credentials, transport });
    case "ecr":
      return ecr === undefined ? noDeletion(withoutAwsKey) : ecrRoute(ecr);
    case "none":
      return noDeletion(`${vendor.name}: ${vendor.deletion.text}`);
    // Docker Hub and TCR have destinations of their own. A user who sets `type=registry` there wants their registry API.
    case "docker-hub":
    case "tcr":
    case "registry":
      return registryRoute(deleter, vendor.deletion.alone);
  }
}

const withoutAwsKey =
  "Amazon ECR deletes tags by its own API only, which takes no Docker login: set `AWS_ACCESS_KEY_ID` and " +
  "`AWS_SECRET_ACCESS_KEY` in the environment, as aws-actions/configure-aws-credentials does.";

/** The API of a private Amazon registry; undefined elsewhere, and without a key for it. */
function ecrApiOf(options: RegistryDestinationOptions): EcrApi | undefined {
  const { input, awsKey: key, client, transport, clock } = options;
  if (client.vendor.deletion.route !== "ecr" || key === undefined) return undefined;
  const found = ecrRegistry(input.registry);
  const url = input.api ?? found?.url;
  // Only Amazon's own hosts name a region. For any other, requests are signed for the first region of AWS.
  const { account, region = "us-east-1" } = found ?? {};
  return url === undefined ? undefined : createEcrApi({ key, account, region, url, transport, clock });
}

/**
 * Says whether `makeRepositories` has something to do. Whether the key may do it, only a run shows. A key that may not ask
 * does not keep a run from pushing.
 */
async function previewRepository(api: EcrApi, repository: string, signal: AbortSignal): Promise<Preview> {
  const subject = "repository";
  try {
    if (await api.hasRepository(repository, signal))
      return { subject, there: true, outcome: "ok", finding: `The repository ${repository} is there.` };
  } catch (error) {
    signal.throwIfAborted();
    return { subject, there: true, outcome: "unknown", finding: messageOf(error) };
  }
  return {
    subject,
    there: false,
    outcome: "unknown",
    finding: `There is no repository ${repository} yet; a run makes it.`,
    remedy: "The AWS key of the environment needs `ecr:CreateRepository` for that.",
  };
}

/**
 * Makes the repositories that a push needs, as far as the key may. A key that may not, or is for something else, does not keep
 * the run from pushing: the repositories may exist, and if one does not, the push fails.
 */
async function makeRepositories(
  api: EcrApi,
  repositories: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (const repository of repositories) {
    try {
      if (await api.createRepository(repository, signal)) continue;
      log.warning(
        "The AWS key of the environment has no right to make repositories (`ecr:CreateRepository`); those that are there are used.",
      );
    } catch (error) {
      signal.throwIfAborted();
      log.warning(`The repositories that are there are used: ${messageOf(error)}`);
    }
    return;
  }
}

/** Deletion by the registry's own API. */
function tagDeleterOf(client: Registry): TagDeleter {
  const { deleting: needed } = mannersOf(client.vendor);
  return {
    deleteManifest: (repository, reference, signal) =>
      new Repository(client, repository).deleteManifest(reference, signal),
    resolve: async (repository, tag, signal) =>
      (await new Repository(client, repository).resolve(tag, signal))?.digest,
    granted: (repository, signal) => client.granted({ repository, actions: needed }, signal),
    needed,
  };
}
