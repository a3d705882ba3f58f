import type { OpenAccess } from "../access/access.ts";
import type { EgressInput } from "../access/egress.ts";
import type { DestinationInput } from "../destinations/destination-input.ts";
import type { HubConnection } from "../destinations/docker-hub/docker-hub-identity.ts";
import type { PlaceLogin } from "../destinations/place-logins.ts";
import type { AwsKey } from "../destinations/registry/aws-signature.ts";
import type { TencentCloudKey, TencentRole } from "../destinations/tencent/tencent-keys.ts";
import type { RunnerLabels } from "../fan-out/matrix.ts";
import type { EventInput } from "../github/event.ts";
import type { IdTokenRequest } from "../github/id-token.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import type { Login } from "../oci/credentials.ts";
import type { Platform } from "../oci/platform.ts";
import type { Namespace } from "../oci/reference.ts";
import type { ChoosingPattern } from "../pattern.ts";
import type { ImageRule } from "../plan/component.ts";
import type { Retention } from "../plan/retention.ts";
import type { Selection } from "../plan/selection.ts";
import type { Overwrite } from "../plan/snapshot.ts";
import type { IssueReporting } from "../report/issue.ts";
import type { CongestionControl } from "../tuning/congestion-control.ts";

/**
 * What an image must have to count as in place, in a run that deletes nothing: the tag's digest, or every manifest and blob.
 */
export type Verify = "tags" | "full";

/** A source as the user asks for it: one line of the `source` input. */
export interface SourceInput extends Namespace {
  /** Origin of the token server on another host that may have the registry's login. */
  readonly tokenServer: URL | undefined;
  /** Whether only the lines of `images` that name it are read from it. */
  readonly onlyNamed?: boolean;
  /** Present where it has nothing but Helm charts. */
  readonly charts?: true;
}

/** Where versions come from. */
export type VersionsFrom = "releases" | "tags";

/** One route: these images, in these versions, from here to there. */
export interface RouteInputs {
  /** Names it in reports; undefined where the step has no input `routes`, and so one route only. */
  readonly name: string | undefined;
  readonly destinations: readonly DestinationInput[];
  /** Undefined: the event decides. */
  readonly version: Selection | undefined;
  /** Whether versions are the releases at GitHub, or the tags at the sources. */
  readonly versionsFrom: VersionsFrom;
  /** Undefined: that of the workflow for `release`, `push` and `workflow_run`, else `goharbor/harbor`. */
  readonly repository: RepositoryId | undefined;
  /** In order of preference. */
  readonly sources: readonly SourceInput[];
  readonly images: "auto" | readonly ImageRule[];
  /** Which repositories are mirrored, each with versions of its own, in place of `images`; undefined: those are listed. */
  readonly repositories: readonly ChoosingPattern[] | undefined;
  /** Most repositories that patterns may fit. */
  readonly repositoryLimit: number;
  /** The `keep` and `keep-by` inputs, for schedules: each destination has its own in `destinations`. */
  readonly retention: Retention;
  readonly prereleases: boolean;
  readonly overwrite: Overwrite;
  readonly verify: Verify;
  readonly platforms: "all" | readonly Platform[];
  readonly referrers: boolean;
  /** How long to wait for missing images, in milliseconds. */
  readonly wait: number;
}

/** Everything the user and the runner gave, read once and checked. Nothing later reads the environment. */
export interface Inputs {
  /** What is mirrored: as the input `routes` lists it, or one route that the other inputs describe. */
  readonly routes: readonly RouteInputs[];
  /** Those of all routes, each once. */
  readonly destinations: readonly DestinationInput[];
  /** Those of all routes, each once. */
  readonly sources: readonly SourceInput[];
  /** What the input `routes` asks for that changes nothing here, each once. */
  readonly notices: readonly string[];
  /** Most versions that are deleted at a destination in one run. */
  readonly pruneLimit: number | "all";
  /** Most bytes of blobs on the runner's disk at a time. */
  readonly spoolLimit: number;
  /** Connections with blobs from each source registry; undefined: found by measuring. */
  readonly downloadConnections: number | undefined;
  /** Connections with blobs to each destination; undefined: found by measuring. */
  readonly uploadConnections: number | undefined;
  /** Whether uploads get BBR. */
  readonly congestionControl: CongestionControl;
  readonly dryRun: boolean;
  /** Whether the configuration is checked, and nothing else done. */
  readonly check: boolean;
  readonly mode: Mode;
  /** How a failure is reported by an issue; undefined: not at all. */
  readonly issueReporting: IssueReporting | undefined;
  /** Whether a job summary is written. */
  readonly summary: boolean;
  /** Logins for single places, which come before all others. */
  readonly logins: readonly PlaceLogin[];
  readonly dockerHubLogin: Login | undefined;
  /** Undefined: no keyless login. Never together with `dockerHubLogin`. */
  readonly dockerHubConnection: HubConnection | undefined;
  readonly tencentCloudKey: TencentCloudKey | undefined;
  /** A role that is assumed with GitHub's id token, in place of a key. */
  readonly tencentRole: TencentRole | undefined;
  readonly tcrLogin: Login | undefined;
  readonly awsKey: AwsKey | undefined;
  /** How closed TCR instances are opened for the time of the job; undefined: not at all. */
  readonly tcrOpenAccess: OpenAccess | undefined;
  readonly tcrEgress: EgressInput;
  readonly workflowRun: WorkflowRun;
  readonly githubToken: string | undefined;
  readonly githubApiUrl: URL;
  /** Undefined: the job may not have id tokens. */
  readonly idTokenRequest: IdTokenRequest | undefined;
  readonly event: EventInput;
  readonly runner: RunnerPaths;
}

export type ModeName = "all" | "plan" | "copy" | "publish";

/** Which part of a run this job has: all of it, or one of the three that a matrix of jobs shares. */
export type Mode =
  | { readonly kind: "all" }
  | {
      readonly kind: "plan";
      /** Most shares, and so copy jobs, for each destination. */
      readonly shares: number;
      /** By the name of each destination. */
      readonly runners: ReadonlyMap<string, RunnerLabels>;
    }
  /** The plan is as another job handed it out, unread. */
  | { readonly kind: "copy"; readonly plan: string; readonly share: number }
  | { readonly kind: "publish"; readonly plan: string };

/** The run of the workflow that this job belongs to. */
export interface WorkflowRun {
  readonly id: string;
  readonly attempt: number;
  /** Whether GitHub's own machines run it: they end a job after six hours, others after five days. */
  readonly githubHosted: boolean;
  /** Whether a runner of GitHub Actions starts this process, which starts it again as the post step of the job. */
  readonly hasPostStep: boolean;
}

export interface RunnerPaths {
  /** Folder for files that live as long as the job: the spool and the report. */
  readonly temporaryFolder: string;
  /** Folder for what has to outlive the job. */
  readonly stateFolder: string;
  /** Folder of Docker's `config.json`. */
  readonly dockerConfigFolder: string;
  /** Where programs are looked for, as `PATH` has it. */
  readonly searchPath: string | undefined;
  /** Variables that credential helpers may need; each is given those of its own. */
  readonly helperEnvironment: Readonly<Record<string, string | undefined>>;
}
