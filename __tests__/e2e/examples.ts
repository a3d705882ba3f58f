import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildChart, startChartRepository } from "../../sandbox/charts.ts";
import { hubAccount } from "../../sandbox/docker-hub.ts";
import { githubToken } from "../../sandbox/github.ts";
import { type GitHubOidc, startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type Internet, publicNames, registryNames, startInternet } from "../../sandbox/internet.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../sandbox/sandbox.ts";
import { tcrInstance, tcrKey } from "../../sandbox/tcr.ts";
import { startTcrPersonal, type TcrPersonal } from "../../sandbox/tcr-personal.ts";
import type { StandIn, WorkflowOptions } from "../../sandbox/workflow.ts";
import { scale } from "./world.ts";

/** The internet that the documents' examples name: Harbor's world, and a project `example/shop` with a registry. */
export interface ExampleWorld extends AsyncDisposable {
  readonly sandbox: Sandbox;
  /** `registry.example.com`, with a login. */
  readonly registry: RegistryServer;
  readonly internet: Internet;
  /** `ccr.ccs.tencentyun.com`, of another account than the TCR instance. */
  readonly personal: TcrPersonal;
  /** Gives id tokens to jobs of `goharbor/harbor`. */
  readonly oidc: GitHubOidc;
  /** An empty folder. */
  readonly folder: string;
}

/** The login at `registry.example.com`. */
export const registryLogin = { username: "mirror", password: "sandbox-registry-password" };

/** The API key of the account of TCR Personal. */
const personalKey = { secretId: "AKIDpersonal00000000000000000", secretKey: "sandbox-personal-secret-key" };

/** A long-term access credential of TCR. */
export const tcrLogin = { username: "100012345678", password: "sandbox-tcr-credential-password" };

/** Secrets by the names that the documents give them; an example may name no other. */
export const secrets: Readonly<Record<string, string>> = {
  DOCKERHUB_USERNAME: hubAccount.identifier,
  DOCKERHUB_TOKEN: hubAccount.secret,
  TENCENTCLOUD_SECRET_ID: tcrKey.secretId,
  TENCENTCLOUD_SECRET_KEY: tcrKey.secretKey,
  TCR_USERNAME: tcrLogin.username,
  TCR_PASSWORD: tcrLogin.password,
  PERSONAL_SECRET_ID: personalKey.secretId,
  PERSONAL_SECRET_KEY: personalKey.secretKey,
  REGISTRY_USERNAME: registryLogin.username,
  REGISTRY_PASSWORD: registryLogin.password,
  QUAY_ROBOT_TOKEN: "sandbox-quay-robot-token",
  GITHUB_COM_TOKEN: githubToken,
};

/** Harbor versions that are at the source. */
export const harborVersions = ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4"] as const;

/** Versions of Harbor's chart that are at helm.goharbor.io. */
export const harborCharts = ["1.19.1", "1.19.0", "1.18.4", "1.18.3"] as const;

/** What is to differ in the sandbox; a function where it has to know the service that signs id tokens. */
export type WorldOptions = SandboxOptions | ((oidc: GitHubOidc) => SandboxOptions);

/** Starts it all. @param instance name of the TCR instance, in its host name. */
export async function startExampleWorld(instance: string, given: WorldOptions = {}): Promise<ExampleWorld> {
  const oidc = await startGitHubOidc();
  const options = typeof given === "function" ? given(oidc) : given;
  const sandbox = await startSandbox({
    ...options,
    tcr: { namespaces: {}, instance: { ...tcrInstance, name: instance }, ...options.tcr },
  });
  const registry = await startRegistry({
    authentication: {
      kind: "bearer",
      users: [
        fullAccess(registryLogin.username, registryLogin.password),
        fullAccess("goharbor+mirror", secrets.QUAY_ROBOT_TOKEN ?? ""),
        fullAccess("octocat", githubToken),
        { ...tcrLogin, access: (_repository, action) => action === "pull" },
      ],
      service: "registry.example.com",
    },
  });
  const personal = await startTcrPersonal({
    keys: [personalKey],
    namespaces: ["web", "jobs"],
    registry: {
      anonymousPull: false,
      authentication: {
        kind: "bearer",
        users: [fullAccess(tcrLogin.username, tcrLogin.password)],
        service: "token-service",
      },
    },
  });
  for (const version of harborVersions) seedRelease(sandbox.source, version, { scale });
  const charts = await startChartRepository(harborCharts.map((version) => buildChart("harbor", version)));
  const internet = await startInternet([
    ...registryNames("ccr.ccs.tencentyun.com", personal.registry),
    { host: "tcr.tencentcloudapi.com", account: `Credential=${personalKey.secretId}/`, server: personal.api },
    ...publicNames(sandbox),
    ...registryNames("registry.example.com", registry),
    ...registryNames("quay.io", registry),
    ...(instance === "example" ? [] : registryNames("example.tencentcloudcr.com", registry)),
    { host: "helm.goharbor.io", server: charts },
  ]);
  const folder = await mkdtemp(join(tmpdir(), "example-"));
  return {
    sandbox,
    registry,
    personal,
    internet,
    folder,
    oidc,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([sandbox.close(), registry.close(), internet.close(), oidc.close(), charts.close()]);
      await personal[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Images of `example/shop` in the versions 1.3.0 and 1.4.0, at `ghcr.io/example`. */
export function seedShop({ source }: Sandbox): void {
  for (const version of ["1.3.0", "1.4.0"]) {
    const minor = version.slice(0, 3);
    const tags = {
      "shop-server": `v${version}`,
      "shop-worker": version,
      "shop-web": `${minor}-alpine`,
      "tools/migrate": `v${version}`,
    };
    for (const [image, tag] of Object.entries(tags)) {
      pushTo(source, `example/${image}`, buildImage({ seed: `${image}:${version}` }), tag);
    }
  }
}

/** The repository `example/shop`, whose packages only its own workflows may read. */
export const shopOptions: SandboxOptions = {
  github: {
    repository: "example/shop",
    releases: ["v1.3.0", "v1.4.0"].map((tag, month) => ({
      tag,
      prerelease: false,
      publishedAt: Date.UTC(2026, month, 1),
    })),
    files: () => undefined,
  },
  source: {
    authentication: { kind: "bearer", users: [fullAccess("octocat", githubToken)], service: "ghcr.io" },
    anonymousPull: false,
  },
};

/** What `docker/login-action` leaves behind: https://github.com/docker/login-action. */
export const loginAction: StandIn = ({ inputs, home }) => {
  const { registry = "https://index.docker.io/v1/", username = "", password = "" } = inputs;
  const folder = join(home, ".docker");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "config.json");
  const logins = knownLogins.get(path) ?? {};
  logins[registry] = { auth: Buffer.from(`${username}:${password}`).toString("base64") };
  knownLogins.set(path, logins);
  writeFileSync(path, JSON.stringify({ auths: logins }));
  return {};
};

/**
 * What `actions/attest` would sign, as a file of the job: it takes the path of one file with checksums.
 * https://github.com/actions/attest/blob/v4.2.2/src/subject.ts
 */
export const attestAction: StandIn = ({ inputs, home }) => {
  const checksums = readFileSync(inputs["subject-checksums"] ?? "", "utf8");
  const subject = checksums
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, sha256, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`no checksum: ${line}`);
      return { name, digest: { sha256 } };
    });
  const predicate: unknown = JSON.parse(readFileSync(inputs["predicate-path"] ?? "", "utf8"));
  const statement = { subject, predicateType: inputs["predicate-type"], predicate };
  writeFileSync(join(home, "statement.json"), JSON.stringify(statement));
  return {};
};

/** Logins so far, by the path of the configuration that holds them. */
const knownLogins = new Map<string, Record<string, { auth: string }>>();

/** What a run in that world is given besides its text. */
export function optionsIn(
  world: ExampleWorld,
  event: WorkflowOptions["event"],
  more: Partial<WorkflowOptions> = {},
): WorkflowOptions {
  return {
    github: world.sandbox.github,
    event,
    secrets,
    folder: world.folder,
    repository: world.sandbox.github.repository,
    env: world.internet.env,
    actions: { "docker/login-action": loginAction, "actions/attest": attestAction },
    token: githubToken,
    idTokens: world.oidc.variables,
    ...more,
  };
}

/** The tags of each repository. */
export function tagsByImage(
  state: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(state).map(([name, held]) => [name, Object.keys(held).sort()]));
}

/** The tags that a registry holds, of all repositories together, by namespace. */
export function tagsByNamespace(registry: Pick<RegistryServer, "state">): Record<string, readonly string[]> {
  const tags: Record<string, Set<string>> = {};
  for (const [repository, held] of Object.entries(registry.state())) {
    const namespace = repository.replace(/\/[^/]+$/, "");
    tags[namespace] = new Set([...(tags[namespace] ?? []), ...Object.keys(held)]);
  }
  return Object.fromEntries(Object.entries(tags).map(([namespace, set]) => [namespace, [...set].sort()]));
}
