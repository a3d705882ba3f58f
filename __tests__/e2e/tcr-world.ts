import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ActionResult,
  actionEnvironment,
  type RunOptions,
  releaseEvent,
  runAction,
  runPostStep,
} from "../../sandbox/action.ts";
import { startAddressService } from "../../sandbox/address-service.ts";
import { type GitHubOidc, startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { componentsOf } from "../../sandbox/harbor.ts";
import { actionInputs, type Sandbox, startSandbox } from "../../sandbox/sandbox.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import type { NetworkOptions } from "../../sandbox/tcr-access.ts";
import { version } from "./world.ts";

/** The address that the runner of these tests is seen under. */
export const runnerAddress = "203.0.113.7";

/** An entry of the allowlist that is none of ours. */
export const office = { block: "198.51.100.0/24", description: "office" };

export const role = {
  arn: "qcs::cam::uin/100012345678:roleName/harbor-mirror",
  providerId: "github",
} as const;

export interface TcrWorld extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly oidc: GitHubOidc;
  readonly addresses: SandboxServer;
  readonly inputs: Readonly<Record<string, string>>;
  /** A job of this workflow: its steps share environment and state. */
  job(options?: JobOptions): Promise<Job>;
  /** Block and description of what is on the allowlist. */
  allowlist(): readonly { readonly block: string; readonly description: string }[];
  isMirrored(registry: "tcr" | "dockerHub"): boolean;
}

export interface JobOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Job extends AsyncDisposable {
  main(options?: RunOptions): Promise<ActionResult>;
  post(): Promise<ActionResult>;
}

/** The sandbox with a TCR behind access control and a role for GitHub's id tokens; one release waits to be mirrored. */
export async function startTcrWorld(network: Partial<NetworkOptions> = {}): Promise<TcrWorld> {
  const oidc = await startGitHubOidc();
  const addresses = await startAddressService(() => runnerAddress);
  const sandbox = await startSandbox({
    tcr: {
      namespaces: { goharbor: false },
      network: { allowlist: [office], egress: () => runnerAddress, ...network },
      role: {
        ...role,
        subjects: ["repo:goharbor/harbor:ref:refs/heads/main"],
        check: oidc.check,
      },
    },
  });
  version("v2.15.2")(sandbox.source);
  const inputs = {
    ...actionInputs(sandbox),
    // These jobs run as on a runner of GitHub's; the machine of the tests is not theirs to change.
    "congestion-control": "leave",
    "tcr-open-access": "true",
    "tcr-egress": addresses.origin,
  };
  async function job(options: JobOptions = {}): Promise<Job> {
    const folder = await mkdtemp(join(tmpdir(), "job-"));
    const environment = actionEnvironment(sandbox, {
      event: releaseEvent(sandbox, "v2.15.2"),
      folder,
      inputs: { ...inputs, ...options.inputs },
      env: { RUNNER_ENVIRONMENT: "github-hosted", ...options.env },
    });
    return {
      main: (run) => runAction(environment, run),
      post: () => runPostStep(environment),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  }
  const isMirrored = (where: "tcr" | "dockerHub") => {
    const { registry } = sandbox[where];
    return componentsOf("v2.15.2").every((image) => registry.tags(`goharbor/${image}`).has("v2.15.2"));
  };
  return {
    sandbox,
    oidc,
    addresses,
    inputs,
    job,
    allowlist: () => sandbox.tcr.network?.allowlist ?? [],
    isMirrored,
    async [Symbol.asyncDispose]() {
      await Promise.all([sandbox.close(), oidc.close(), addresses.close()]);
    },
  };
}
