import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ActionEvent, ActionResult } from "../../sandbox/action.ts";
import { actionEnvironment, releaseEvent, runAction } from "../../sandbox/action.ts";
import type { GitHub } from "../../sandbox/github.ts";
import { type ReleaseOptions, seedRelease } from "../../sandbox/harbor.ts";
import type { PushTarget } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { actionInputs, type Sandbox, startSandbox } from "../../sandbox/sandbox.ts";
import { reportSchema, schemaProblems } from "../support/json-schema.ts";

/** A registry of a test, whatever it is: filled and judged without the Action. */
export interface Place {
  /** `host/goharbor`, as the Action names it. */
  readonly name: string;
  /** Its line of the `destinations` input, to which attributes may be appended. */
  readonly line: string;
  /** Stores what `fill` puts, past the Action. */
  seed(fill: (target: PushTarget) => void): Promise<void>;
  /** Tag to digest by repository. */
  state(): Promise<Record<string, Record<string, string>>>;
  /** What is missing or wrong at and below a tag or a digest, in words; asks for every blob's bytes. */
  problems(repository: string, tag: string): Promise<readonly string[]>;
  /** From now on nobody answers there. */
  stop(): Promise<void>;
}

/** The surroundings of the Action in one test. */
export interface World extends AsyncDisposable {
  readonly github: GitHub;
  readonly source: Place;
  /** Keeps all versions. */
  readonly near: Place;
  /** Keeps three. */
  readonly far: Place;
  /** Inputs beside `destinations` that log the Action in, and what goes in its environment. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** What to give instead so that the login at `near` is wrong. */
  readonly wrongLogin: { inputs: Readonly<Record<string, string>>; env: Readonly<Record<string, string>> };
  /** Whether the registries mount blobs. Default: yes. */
  readonly mounts?: boolean;
  /** What runs the Action. Default: the built Action as a process. */
  readonly run?: typeof runAction;
}

export interface RunOptions {
  /** Default: the published release of `tag`. */
  readonly event?: ActionEvent;
  readonly tag?: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly onStart?: Parameters<typeof runAction>[1] extends infer Options
    ? Options extends { onStart?: infer Start }
      ? Start
      : never
    : never;
}

/** Runs the Action in a world. */
export async function act(world: World, options: RunOptions = {}): Promise<ActionResult> {
  const folder = await mkdtemp(join(tmpdir(), "action-"));
  try {
    const event = options.event ?? releaseEvent(world, options.tag ?? "v2.15.2");
    const inputs = {
      destinations: `${world.near.line}\n${world.far.line}`,
      ...world.inputs,
      ...options.inputs,
    };
    const env = { ...world.env, ...options.env };
    const environment = actionEnvironment(world, { event, inputs, folder, env });
    const run = world.run ?? runAction;
    const result = await run(environment, options.onStart === undefined ? {} : { onStart: options.onStart });
    if (result.report !== undefined) expect(schemaProblems(result.report, reportSchema)).toEqual([]);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Small images, so that a case takes a second: a release of about 300 kB. */
export const scale = 0.05;

/** Puts a version with all its images. */
export function version(tag: string, options: ReleaseOptions = {}): (target: PushTarget) => void {
  return (target) => void seedRelease(target, tag, { scale, ...options });
}

/** The tags of one repository in a state. */
export function tagsOf(state: Record<string, Record<string, string>>, image: string): readonly string[] {
  return Object.keys(state[`goharbor/${image}`] ?? {}).sort();
}

/** The world of the sandbox: Docker Hub is near, TCR is far. */
export async function startSandboxWorld(): Promise<World & { readonly sandbox: Sandbox }> {
  const sandbox = await startSandbox();
  const { destinations = "", ...inputs } = actionInputs(sandbox);
  const [nearLine = "", farLine = ""] = destinations.split("\n");
  return {
    sandbox,
    github: sandbox.github,
    source: placeOf(sandbox.source, ""),
    near: placeOf(sandbox.dockerHub.registry, nearLine),
    far: placeOf(sandbox.tcr.registry, farLine),
    inputs,
    env: {},
    wrongLogin: { inputs: { ...inputs, "dockerhub-token": "dckr_pat_wrong-token" }, env: {} },
    [Symbol.asyncDispose]: () => sandbox.close(),
  };
}

function placeOf(server: RegistryServer, line: string): Place {
  return {
    name: `${server.host}/goharbor`,
    line,
    seed: (fill) => Promise.resolve(fill(server)),
    state: () => Promise.resolve(server.state()),
    problems: (repository, tag) => Promise.resolve(server.completeness(repository, tag)),
    stop: () => server.close(),
  };
}
