import * as v from "valibot";

/** What the main step of the Action hands to its post step, through the runner. */
export interface StepState {
  /** Id of the job's allowlist entries; undefined where none can have been made. */
  readonly accessId: string | undefined;
  /** Registries whose public endpoint is to be closed. */
  readonly endpoints: readonly string[];
  /** Mark of what was changed in the system; undefined where nothing was. */
  readonly tuning: string | undefined;
}

/** Names of the state, as they are saved. */
export const stateNames = { accessId: "access-id", endpoints: "endpoints", tuning: "tuning" } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Set by `post.js`. It is no saved state: a main step that was killed before it could save one must not run again as the post
 * step.
 */
const stepVariable = "HARBOR_RELEASE_MIRROR_STEP";

/** Whether this process is the post step. */
export function isPostStep(environment: Environment): boolean {
  return environment[stepVariable] === "post";
}

const endpointsSchema = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/**
 * Reads what the main step saved. The runner gives it as `STATE_<name>`.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#sending-values-to-the-pre-and-post-actions
 */
export function loadState(environment: Environment): StepState {
  const id = environment[`STATE_${stateNames.accessId}`] ?? "";
  const endpoints = v.safeParse(endpointsSchema, environment[`STATE_${stateNames.endpoints}`] ?? "[]");
  return {
    accessId: /^[0-9a-f]{8}$/.test(id) ? id : undefined,
    endpoints: endpoints.success ? endpoints.output : [],
    tuning: environment[`STATE_${stateNames.tuning}`] || undefined,
  };
}
