/**
 * The whole world of the Action on loopback: GitHub, a source registry, Docker Hub and TCR. The demo, the end-to-end
 * tests and the benchmark all start from here.
 */
import { type DockerHub, type DockerHubOptions, hubAccount, startDockerHub } from "./docker-hub.ts";
import { type GitHub, type GitHubOptions, githubToken, packagesToken, startGitHub } from "./github.ts";
import { harborFiles, harborReleases, type ReleaseOptions, seedRelease } from "./harbor.ts";
import { buildImage, pushTo } from "./images.ts";
import { type RegistryOptions, type RegistryServer, startRegistry } from "./registry.ts";
import type { SandboxServer } from "./server.ts";
import { startTcr, type Tcr, type TcrOptions, tcrKey } from "./tcr.ts";

export {
  type ActionEvent,
  type ActionOptions,
  type ActionResult,
  actionEnvironment,
  releaseEvent,
  runAction,
} from "./action.ts";

export interface SandboxOptions {
  /** Default: Harbor's releases and files. */
  readonly github?: Partial<GitHubOptions>;
  readonly source?: RegistryOptions;
  readonly dockerHub?: DockerHubOptions;
  /** Default: a private namespace `goharbor` exists. */
  readonly tcr?: TcrOptions;
}

export interface Sandbox extends AsyncDisposable {
  readonly github: GitHub;
  readonly source: RegistryServer;
  readonly dockerHub: DockerHub;
  readonly tcr: Tcr;
  /** Every server by a name for people. */
  readonly servers: ReadonlyMap<string, SandboxServer>;
  /** Forgets the requests that were recorded, everywhere. */
  clearRequests(): void;
  close(): Promise<void>;
}

/** Starts all stand-ins, empty but for GitHub. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const source = await startSource(options.source);
  const [github, dockerHub, tcr] = await Promise.all([
    startGitHub({
      repository: "goharbor/harbor",
      releases: harborReleases(),
      files: harborFiles,
      packages: {
        registry: source,
        token: githubToken,
        listingToken: packagesToken,
        organisations: new Set(["goharbor"]),
      },
      ...options.github,
    }),
    startDockerHub(options.dockerHub),
    startTcr({ namespaces: { goharbor: false }, ...options.tcr }),
  ]);
  const close = async () => {
    await Promise.all([github.close(), source.close(), dockerHub.close(), tcr.close()]);
  };
  const servers = new Map<string, SandboxServer>([
    ["GitHub API", github],
    ...registryServers("source", source),
    ...registryServers("Docker Hub", dockerHub.registry),
    ["Docker Hub API", dockerHub.api],
    ["Docker identity service", dockerHub.identity],
    ...registryServers("TCR", tcr.registry),
    ["TCR API", tcr.api],
  ]);
  const clearRequests = () => {
    for (const server of servers.values()) server.clearRequests();
  };
  return { github, source, dockerHub, tcr, servers, clearRequests, close, [Symbol.asyncDispose]: close };
}

/** A registry like ghcr.io: everyone may pull, with an anonymous token. It has no referrers API. */
function startSource(options: RegistryOptions = {}): Promise<RegistryServer> {
  return startRegistry({
    authentication: { kind: "bearer", users: [], service: "ghcr.io" },
    anonymousPull: true,
    blobRedirect: true,
    referrers: false,
    deletion: "disabled",
    ...options,
  });
}

function registryServers(
  name: string,
  registry: RegistryServer,
): readonly (readonly [string, SandboxServer])[] {
  const { tokenServer, contentServer } = registry;
  return [
    [`${name} registry`, registry],
    ...(tokenServer === undefined ? [] : [[`${name} token server`, tokenServer] as const]),
    ...(contentServer === undefined ? [] : [[`${name} content server`, contentServer] as const]),
  ];
}

/** The newest release, with its images built for two architectures where the first entry is a Docker list. */
export const newestRelease = {
  version: "v2.15.2",
  multiArchitecture: ["nginx-photon", "harbor-exporter"],
} as const;

/** Versions that TCR holds before; keeping three by semver, the last one has to go for the newest. */
export const heldByTcr = ["v2.15.1", "v2.15.0", "v2.14.4"] as const;

/** Tags that no run may touch, by destination. */
export const unrelatedTags = {
  dockerHub: ["dev", "v2.15.2-rc1"],
  tcr: ["v2.15.2-dev", "v2.15.0-rc4"],
} as const;

/**
 * Fills the registries: the source with four releases, TCR with the three older ones, Docker Hub with one; and both
 * destinations with tags that are no releases.
 */
export function seedHarbor(sandbox: Sandbox, options: Pick<ReleaseOptions, "scale"> = {}): void {
  const { source, dockerHub, tcr } = sandbox;
  const { version, multiArchitecture } = newestRelease;
  seedRelease(source, version, { ...options, multiArchitecture });
  for (const held of heldByTcr) {
    seedRelease(source, held, options);
    seedRelease(tcr.registry, held, options);
  }
  seedRelease(dockerHub.registry, "v2.15.1", options);
  for (const tag of unrelatedTags.dockerHub) seedTag(dockerHub.registry, tag);
  for (const tag of unrelatedTags.tcr) seedTag(tcr.registry, tag);
}

function seedTag(registry: RegistryServer, tag: string): void {
  for (const image of ["harbor-core", "harbor-portal"]) {
    pushTo(registry, `goharbor/${image}`, buildImage({ seed: `${image}:${tag}` }), tag);
  }
}

/** Inputs of the Action for this sandbox, by their names in `action.yml`. */
export function actionInputs(sandbox: Sandbox): Record<string, string> {
  const { source, dockerHub, tcr } = sandbox;
  const { registryId, region } = tcr.instance;
  return {
    destinations: [
      `${dockerHub.registry.host}/goharbor,type=docker-hub,api=${dockerHub.api.origin}`,
      `${tcr.registry.host}/goharbor,type=tcr,api=${tcr.api.origin},registry-id=${registryId},region=${region}`,
    ].join("\n"),
    source: `${source.host}/goharbor`,
    // A minute at most: what is not at the source of a sandbox will not come.
    wait: "60s",
    "dockerhub-username": hubAccount.identifier,
    "dockerhub-token": hubAccount.secret,
    "tcr-secret-id": tcrKey.secretId,
    "tcr-secret-key": tcrKey.secretKey,
    "github-token": githubToken,
  };
}
