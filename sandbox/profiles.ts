/**
 * Stand-ins of the registries of the ecosystem, one by one as the table of registries describes them (`docs/registries.md`):
 * login, which repositories must be there, mounts, forms of uploads, deletion of tags. Each comes with what its usual login
 * leaves behind: a Docker configuration, a credential helper, variables.
 */

import { mediaTypes } from "./registry/content.ts";
import {
  type Action,
  type Authentication,
  fullAccess,
  type RegistryOptions,
  type RegistryServer,
  startRegistry,
} from "./registry.ts";
import type { SandboxServer } from "./server.ts";
import type { User } from "./token-server.ts";
import { artifactoryApi } from "./vendor-apis/artifactory.ts";
import { azureApi } from "./vendor-apis/azure.ts";
import { ecrKey, startEcrApi } from "./vendor-apis/ecr.ts";
import { harborApi } from "./vendor-apis/harbor.ts";
import { startPackagesApi } from "./vendor-apis/packages.ts";
import { quayApi } from "./vendor-apis/quay.ts";

export const profileNames = [
  "ecr",
  "ecr-public",
  "acr",
  "artifact-registry",
  "ghcr",
  "gitlab",
  "quay",
  "artifactory",
  "alibaba",
  "swr",
  "volcengine",
  "harbor",
  "distribution",
] as const;

export type ProfileName = (typeof profileNames)[number];

/** Login by a helper: the program `docker-credential-<name>` that prints this for `get`. */
export interface CredentialHelper {
  readonly name: string;
  readonly answer: { readonly Username: string; readonly Secret: string };
}

export interface StandIn extends AsyncDisposable {
  readonly registry: RegistryServer;
  /** The vendor's API, where it is on a host of its own. */
  readonly api: SandboxServer | undefined;
  /** The first path components below which everything may be pushed. */
  readonly namespace: string;
  /** Content of Docker's `config.json`, for this registry's host. */
  readonly dockerConfig: unknown;
  readonly username: string;
  readonly helper: CredentialHelper | undefined;
  /** Variables that the login leaves. */
  readonly variables: Readonly<Record<string, string>>;
}

/** How a profile differs from a registry with Bearer tokens that keeps to the specification. */
interface Profile {
  readonly user: User;
  /** Default: `auths` with user name and password. */
  readonly login?: "auths" | "identity-token" | "helper";
  readonly scheme?: "bearer" | "basic";
  readonly token?: Omit<Extract<Authentication, { kind: "bearer" }>, "kind" | "users">;
  readonly options: RegistryOptions;
}

const namespace = "goharbor";
const mebibyte = 1024 * 1024;

/** May do all but these. */
function withoutRight(username: string, password: string, ...denied: readonly Action[]): User {
  return { username, password, access: (_repository, action) => !denied.includes(action) };
}

export const harborRobot = fullAccess("robot$goharbor+mirror", "harbor-robot-secret");
const artifactoryUser = fullAccess("mirror", "artifactory-identity-token");
const namespaces = new Set([namespace]);

const profiles: Readonly<Record<ProfileName, Profile>> = {
  ecr: {
    user: fullAccess("AWS", "ecr-password-of-twelve-hours"),
    scheme: "basic",
    options: { deletion: "disabled", mount: "referenced", largestPage: 1000, catalog: false },
  },
  "ecr-public": {
    user: fullAccess("AWS", "ecr-public-password"),
    options: { deletion: "disabled", mount: "never", lists: false, catalog: false },
  },
  acr: {
    user: {
      ...fullAccess("00000000-0000-0000-0000-000000000000", "unused"),
      identityToken: "acr-refresh-token",
    },
    login: "identity-token",
    options: { deletion: "by-digest", bodyLimit: 20 * mebibyte, listing: "metadata_read", api: azureApi },
  },
  "artifact-registry": {
    user: withoutRight("oauth2accesstoken", "ya29.google-access-token", "delete"),
    login: "helper",
    options: { mount: "never", chunks: "refused", deleting: "push", namespaces },
  },
  ghcr: {
    user: withoutRight("mirror-bot", "ghs_tokenOfTheJob", "delete"),
    options: { deletion: "disabled", chunks: "last-wins", referrers: false, catalog: false },
  },
  gitlab: {
    user: fullAccess("mirror", "glpat-gitlab-token"),
    options: { namespaces, location: "absolute", catalog: false },
  },
  quay: {
    user: withoutRight("goharbor+mirror", "quay-robot-token", "delete"),
    token: { vocabulary: ["pull", "push", "*"], makesRepositories: true },
    options: { absent: 401, deleting: "push", api: quayApi({ token: "quay-oauth-token" }) },
  },
  artifactory: {
    user: artifactoryUser,
    options: {
      deletion: "artifactory",
      mount: "referenced",
      bytesInPut: false,
      absent: 403,
      namespaces,
      api: artifactoryApi(artifactoryUser),
    },
  },
  alibaba: {
    user: fullAccess("cr_temp_user", "alibaba-temporary-password"),
    options: { namespaces, deletion: "by-digest", unknownConfigs: [mediaTypes.ociEmpty], catalog: false },
  },
  swr: {
    user: withoutRight("cn-north-4@AK", "swr-password", "delete"),
    options: { namespaces, deletion: "by-digest", deleting: "push", catalog: false },
  },
  volcengine: {
    user: fullAccess("mirror@2100", "volcengine-password"),
    options: { namespaces, deletion: "disabled", catalog: false },
  },
  harbor: {
    user: harborRobot,
    token: { service: "harbor-registry", readable: true, takesAnyLogin: true },
    options: {
      anonymousPull: true,
      namespaces,
      deletion: "harbor",
      catalog: false,
      api: harborApi({ user: harborRobot }),
    },
  },
  distribution: {
    user: fullAccess("mirror", "htpasswd-password"),
    scheme: "basic",
    options: { deletion: "by-digest" },
  },
};

/**
 * Starts a registry as the table has it, with the vendor's API where that is on another host.
 * @param changes what is different there.
 */
export async function startProfile(name: ProfileName, changes: RegistryOptions = {}): Promise<StandIn> {
  const profile = profiles[name];
  const { user } = profile;
  // Those that a test seeds are there as well.
  const made = new Set<string>();
  const pushed = new Map<string, string[]>();
  const registry: RegistryServer = await startRegistry({
    authentication:
      profile.scheme === "basic"
        ? { kind: "basic", users: [user] }
        : { kind: "bearer", users: [user], ...profile.token },
    ...profile.options,
    ...changes,
    ...(name === "ecr"
      ? {
          repositoryExists: (repository: string) =>
            made.has(repository) || registry.repositories().includes(repository),
        }
      : {}),
  });
  const api = await apiOf(name, registry, made, pushed);
  const auth = Buffer.from(`${user.username}:${user.password}`).toString("base64");
  const { login = "auths" } = profile;
  const helper = login === "helper" ? "sandbox" : undefined;
  return {
    registry,
    api,
    namespace,
    username: user.username,
    dockerConfig:
      helper === undefined
        ? { auths: { [registry.host]: login === "auths" ? { auth } : identityEntry(user) } }
        : { credHelpers: { [registry.host]: helper } },
    helper:
      helper === undefined
        ? undefined
        : { name: helper, answer: { Username: user.username, Secret: user.password } },
    variables: name === "ecr" ? awsVariables : {},
    async [Symbol.asyncDispose]() {
      await Promise.all([registry.close(), api?.close()]);
    },
  };
}

/** What `az acr login` leaves: a user name of zeros, and the token that is exchanged. */
function identityEntry(user: User): unknown {
  return { auth: Buffer.from(`${user.username}:`).toString("base64"), identitytoken: user.identityToken };
}

/** What aws-actions/configure-aws-credentials leaves. */
const awsVariables = {
  AWS_ACCESS_KEY_ID: ecrKey.accessKeyId,
  AWS_SECRET_ACCESS_KEY: ecrKey.secretAccessKey,
  AWS_SESSION_TOKEN: ecrKey.sessionToken ?? "",
};

function apiOf(
  name: ProfileName,
  registry: RegistryServer,
  repositories: Set<string>,
  known: Map<string, string[]>,
): Promise<SandboxServer> | undefined {
  if (name === "ecr") return startEcrApi({ registry, key: ecrKey, repositories });
  if (name !== "ghcr") return undefined;
  const digests = (repository: string): readonly string[] => {
    const seen = known.get(repository) ?? [];
    known.set(repository, seen);
    for (const digest of registry.tags(repository).values()) if (!seen.includes(digest)) seen.push(digest);
    return seen;
  };
  const { password: token } = profiles.ghcr.user;
  return startPackagesApi({ registry, token, organisations: namespaces, digests });
}
