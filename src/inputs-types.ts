import type { Namespace } from "./oci/reference.ts";
import type { VendorId } from "./oci/vendors/vendor.ts";
import type { ImageRule } from "./plan/component.ts";
import type { Retention } from "./plan/retention.ts";
import type { Selection } from "./plan/version.ts";

export const destinationTypes = ["docker-hub", "tcr", "tcr-personal", "registry"] as const;
export type DestinationType = (typeof destinationTypes)[number];

/** Everything the user and the runner gave, read once and checked. Nothing later reads the environment. */
export interface Inputs {
  readonly destinations: readonly DestinationInput[];
  /** Undefined: the event decides. */
  readonly version: Selection | undefined;
  /** Undefined: the event's repository for a `release` event, else `goharbor/harbor`. */
  readonly repository: RepositoryId | undefined;
  /** In order of preference. */
  readonly sources: readonly Namespace[];
  readonly images: "auto" | readonly ImageRule[];
  /** The `keep` and `keep-by` inputs, for schedules: each destination has its own in `destinations`. */
  readonly retention: Retention;
  /** Most versions that are deleted at a destination in one run. */
  readonly pruneLimit: number | "all";
  readonly prereleases: boolean;
  readonly overwrite: boolean;
  readonly platforms: "all" | readonly Platform[];
  readonly referrers: boolean;
  /** How long to wait for missing images, in milliseconds. */
  readonly wait: number;
  /** Most bytes of blobs on the runner's disk at a time. */
  readonly spoolLimit: number;
  /** Connections with blobs from each source registry; undefined: found by measuring. */
  readonly downloadConnections: number | undefined;
  /** Connections with blobs to each destination; undefined: found by measuring. */
  readonly uploadConnections: number | undefined;
  readonly dryRun: boolean;
  /** Whether the configuration is checked, and nothing else done. */
  readonly check: boolean;
  readonly mode: Mode;
  /** How a failure is told by an issue; undefined: not at all. */
  readonly issueReporting: IssueReporting | undefined;
  readonly dockerHubLogin: Login | undefined;
  /** Undefined: no keyless login. Never together with `dockerHubLogin`. */
  readonly dockerHubConnection: HubConnection | undefined;
  readonly tencentCloudKey: TencentCloudKey | undefined;
  /** A role that is assumed with GitHub's id token, in place of a key. */
  readonly tencentRole: TencentRole | undefined;
  readonly tcrLogin: Login | undefined;
  readonly awsKey: AwsKey | undefined;
  /** How far closed TCR instances are opened for the time of the job; undefined: not at all. */
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
  /** The plan is as another job gave it out, unread. */
  | { readonly kind: "copy"; readonly plan: string; readonly share: number }
  | { readonly kind: "publish"; readonly plan: string };

/** The value of `runs-on` of a job: a runner with this label, or with all of these. */
export type RunnerLabels = string | readonly string[];

export interface DestinationInput extends Namespace {
  readonly type: DestinationType;
  /** What the user says that the registry is; undefined: its host name tells. */
  readonly vendor?: VendorId | undefined;
  readonly retention: Retention;
  /** Base URL of the vendor API, when not the usual one. */
  readonly api: URL | undefined;
  readonly registryId: string | undefined;
  readonly region: string | undefined;
  /** Whether a TCR namespace that has to be created is made public. */
  readonly public: boolean;
}

/** `os/architecture[/variant]`, as in `--platform` of Docker. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}

export interface RepositoryId {
  readonly owner: string;
  readonly name: string;
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** An OIDC connection of a Docker organisation: a login without a stored secret. */
export interface HubConnection {
  readonly organisation: string;
  /** A UUID, and no secret. */
  readonly connectionId: string;
  /** Docker's identity service, which is also the audience of the id token. */
  readonly identityUrl: URL;
}

export interface TencentCloudKey {
  readonly secretId: string;
  readonly secretKey: string;
  /** Present with temporary keys only. */
  readonly sessionToken: string | undefined;
}

/** How the job asks for its id tokens; the runner gives it to a job with `permissions: id-token: write`. */
export interface IdTokenRequest {
  readonly url: URL;
  /** Bearer token for this URL alone. */
  readonly token: string;
}

/** A key of AWS, as its own tools and login actions leave it in the environment. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Present with temporary keys only. */
  readonly sessionToken: string | undefined;
}

/** A role of Tencent Cloud's access management (CAM), and how it is assumed. */
export interface TencentRole {
  readonly arn: string;
  /** Name of the identity provider in CAM that stands for GitHub. */
  readonly providerId: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** Client id of the identity provider: what GitHub's id token has to be made for. */
  readonly audience: string;
}

/** `allowlist`: the runner is put on the allowlist of the public endpoint. `endpoint`: that is opened too, if it is closed. */
export type OpenAccess = "allowlist" | "endpoint";

/** Where the addresses that the runner is seen under come from. */
export interface EgressInput {
  /** Addresses and networks in CIDR notation. */
  readonly blocks: readonly string[];
  /** Services that answer with the address of who asks; undefined: the usual ones. */
  readonly services: readonly URL[] | undefined;
}

/** Where and about what an issue tells of a failure. */
export interface IssueReporting {
  /** The repository that the workflow runs in. */
  readonly repository: RepositoryId;
  /** Name of the workflow, for people. */
  readonly workflow: string;
  /** The same in every run of this workflow to these destinations, and in no other. */
  readonly key: string;
  /** The page of this run; undefined where the runner does not tell it. */
  readonly runUrl: string | undefined;
  readonly githubApiUrl: URL;
  readonly githubToken: string;
}

/** The run of the workflow that this job belongs to. */
export interface WorkflowRun {
  readonly id: string;
  readonly attempt: number;
  /** Whether GitHub's own machines run it: they end a job after six hours, others after five days. */
  readonly githubHosted: boolean;
}

/** What the runner says about the event that started the run. */
export interface EventInput {
  readonly name: string;
  /** Path of the event's JSON file; undefined outside a runner. */
  readonly path: string | undefined;
  /** `owner/name` of the repository that the workflow runs in. */
  readonly repository: string | undefined;
  /** Short name and kind of the ref, for tag pushes. */
  readonly refName: string | undefined;
  readonly refType: string | undefined;
}

export interface RunnerPaths {
  /** Folder for files that live as long as the job: the spool and the report. */
  readonly temporaryFolder: string;
  /** Folder of Docker's `config.json`. */
  readonly dockerConfigFolder: string;
}
