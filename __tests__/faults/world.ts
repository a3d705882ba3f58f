/** A whole run in this process, between a source or two and two destinations, one of which is to be in trouble. */
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionEnvironment } from "../../sandbox/action.ts";
import { type DockerHub, hubAccount, startDockerHub } from "../../sandbox/docker-hub.ts";
import { type GitHub, githubToken, startGitHub } from "../../sandbox/github.ts";
import { type Artifact, buildImage, pushTo } from "../../sandbox/images.ts";
import {
  fullAccess,
  type RegistryOptions,
  type RegistryServer,
  startRegistry,
} from "../../sandbox/registry.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import { startTcr, type Tcr, tcrKey } from "../../sandbox/tcr.ts";
import { systemClock } from "../../src/clock.ts";
import { createTransport, type TransportOptions } from "../../src/http/transport.ts";
import { loadInputs } from "../../src/inputs/inputs.ts";
import { type Log, silentLog } from "../../src/log/log.ts";
import { explain, run } from "../../src/run/run.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** What is mirrored. Both destinations hold the two versions before, and keep two: the oldest has to go. */
export const wanted = "v1.2.0";
export const keptBefore = "v1.1.0";
export const oldest = "v1.0.0";

/** The images of each version: they share a layer, which is mounted, and one has a layer beyond the small transfers. */
export const images = ["core", "portal"] as const;

/** Every kind of destination that can be in trouble. */
export type DestinationKind = "registry" | "docker-hub" | "tcr";

export interface WorldOptions {
  /** What the destination in trouble is. Default: `registry`. */
  readonly kind?: DestinationKind;
  /** Whatever is to differ about its registry. */
  readonly registry?: RegistryOptions;
  /** Whether a TCR namespace is there from the beginning. Default: yes. */
  readonly namespace?: boolean;
  /** Whether there is another source with the same images. Default: no. */
  readonly secondSource?: boolean;
  readonly transport?: TransportOptions;
}

export interface World extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly github: GitHub;
  readonly source: RegistryServer;
  readonly secondSource: RegistryServer | undefined;
  /** The destination that is to be in trouble. */
  readonly troubled: RegistryServer;
  /** Present for that kind. */
  readonly dockerHub: DockerHub | undefined;
  readonly tcr: Tcr | undefined;
  readonly healthy: RegistryServer;
  /** Sets the clocks of all servers ahead of ours by milliseconds: what they gave out for a time runs out earlier. */
  setServers(ahead: number): void;
  run(change?: RunChange): Promise<RunResult>;
}

export interface RunChange {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunResult {
  /** Whether all went well. */
  readonly done: boolean;
  /** Every line of the log, in order, whatever its level. */
  readonly lines: readonly string[];
  /** Virtual minutes that the run took. */
  readonly minutes: number;
  readonly outputs: Readonly<Record<string, string>>;
}

const robot = { username: "robot", password: "dckr_pat_of-the-troubled" };
const otherRobot = { username: "other-robot", password: "dckr_pat_of-the-healthy" };

/** Limits that a run meets within moments: a stall is one after a third of a second. */
const impatient: TransportOptions = {
  headersTimeout: 700,
  bodyTimeout: 700,
  paces: { document: { within: 700 }, blob: { within: 700, least: 1000 } },
};

const artifacts = new Map<string, Artifact>();

/** An image of a version; the same each time. */
export function artifact(image: string, version: string): Artifact {
  const name = `${image}:${version}`;
  const own = image === "core" ? 300_000 : 3_000;
  const layers = [{ size: 20_000, seed: `base of ${version}` }, { size: own }];
  const built = artifacts.get(name) ?? buildImage({ seed: name, layers });
  artifacts.set(name, built);
  return built;
}

/** Repositories are named alike everywhere. */
export function repository(image: string): string {
  return `goharbor/${image}`;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { kind = "registry" } = options;
  const clock = virtualClock();
  let ahead = 0;
  const now = (): number => clock.now() + ahead;
  const releases = [wanted, keptBefore, oldest].map((tag, index) => ({
    tag,
    prerelease: false,
    publishedAt: Date.UTC(2026, 5, 9 - index),
  }));
  const [github, source, secondSource, place, healthy] = await Promise.all([
    startGitHub({ repository: "acme/app", releases, files: () => undefined }),
    startSource(now),
    options.secondSource === true ? startSource(now) : undefined,
    startDestination(kind, options, now),
    startRegistry({
      authentication: { kind: "bearer", users: [fullAccess(otherRobot.username, otherRobot.password)] },
      now,
    }),
  ]);
  const { registry: troubled } = place;
  for (const image of images) {
    for (const tag of [wanted, keptBefore, oldest]) {
      for (const from of [source, secondSource])
        if (from !== undefined) pushTo(from, repository(image), artifact(image, tag), tag);
      if (tag === wanted) continue;
      for (const to of [troubled, healthy]) pushTo(to, repository(image), artifact(image, tag), tag);
    }
  }
  const folder = await mkdtemp(join(tmpdir(), "faults-"));
  const dockerConfig = writeLogins(folder, { [troubled.host]: robot, [healthy.host]: otherRobot });
  const inputs = {
    destinations: `${troubled.host}/goharbor,${place.attributes}keep=2\n${healthy.host}/goharbor,keep=2`,
    source: [source, ...(secondSource === undefined ? [] : [secondSource])]
      .map(({ host }) => `${host}/goharbor`)
      .join("\n"),
    repository: "acme/app",
    images: images.join("\n"),
    wait: "0",
    "github-token": githubToken,
    ...place.inputs,
  };
  const event = { name: "workflow_dispatch", payload: { inputs: { version: wanted } } };
  return {
    clock,
    github,
    source,
    secondSource,
    troubled,
    dockerHub: place.dockerHub,
    tcr: place.tcr,
    healthy,
    setServers: (ms) => {
      ahead = ms;
    },
    run: (change = {}) => {
      const environment = actionEnvironment(
        { github },
        {
          event,
          inputs: { ...inputs, ...change.inputs },
          folder,
          env: { DOCKER_CONFIG: dockerConfig, ...change.env },
        },
      );
      return runHere(environment, clock, { ...impatient, ...options.transport });
    },
    async [Symbol.asyncDispose]() {
      clock.stop();
      const servers = [github, source, secondSource, place, healthy];
      await Promise.all(servers.map((server) => server?.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function startSource(now: () => number): Promise<RegistryServer> {
  return startRegistry({
    authentication: { kind: "bearer", users: [] },
    anonymousPull: true,
    blobRedirect: true,
    now,
  });
}

interface OpenPlace {
  readonly registry: RegistryServer;
  readonly dockerHub?: DockerHub;
  readonly tcr?: Tcr;
  /** Of its line among the destinations, each with a comma behind. */
  readonly attributes: string;
  readonly inputs: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

async function startDestination(
  kind: DestinationKind,
  { registry = {}, namespace = true }: WorldOptions,
  now: () => number,
): Promise<OpenPlace> {
  if (kind === "docker-hub") {
    const dockerHub = await startDockerHub({ registry, now });
    const inputs = {
      "dockerhub-username": hubAccount.identifier,
      "dockerhub-token": hubAccount.secret,
    };
    const attributes = `type=docker-hub,api=${dockerHub.api.origin},`;
    return { registry: dockerHub.registry, dockerHub, attributes, inputs, close: dockerHub.close };
  }
  if (kind === "tcr") {
    const tcr = await startTcr({ registry, namespaces: namespace ? { goharbor: false } : {}, now });
    const { registryId, region } = tcr.instance;
    const attributes = `type=tcr,api=${tcr.api.origin},registry-id=${registryId},region=${region},`;
    const inputs = { "tcr-secret-id": tcrKey.secretId, "tcr-secret-key": tcrKey.secretKey };
    return { registry: tcr.registry, tcr, attributes, inputs, close: tcr.close };
  }
  const users = [fullAccess(robot.username, robot.password)];
  const server = await startRegistry({ authentication: { kind: "bearer", users }, now, ...registry });
  return { registry: server, attributes: "", inputs: {}, close: server.close };
}

function writeLogins(
  folder: string,
  logins: Readonly<Record<string, { username: string; password: string }>>,
): string {
  const path = join(folder, "docker");
  mkdirSync(path);
  const auths = Object.fromEntries(
    Object.entries(logins).map(([host, { username, password }]) => [
      host,
      { auth: Buffer.from(`${username}:${password}`).toString("base64") },
    ]),
  );
  writeFileSync(join(path, "config.json"), JSON.stringify({ auths }));
  return path;
}

async function runHere(
  environment: Readonly<Record<string, string>>,
  clock: VirtualClock,
  options: TransportOptions,
): Promise<RunResult> {
  const lines: string[] = [];
  const log = lineLog(lines);
  const outputs = new Map<string, string>();
  const sink = {
    setOutput: (name: string, value: string | number) => void outputs.set(name, String(value)),
    appendSummary: () => Promise.resolve(),
    writeFile: (path: string, text: string) => writeFile(path, text),
  };
  const network = createTransport(log, systemClock, options);
  const signal = new AbortController().signal;
  const before = clock.elapsed;
  const job = { saveState: () => undefined, ended: signal };
  const done = await run(loadInputs(environment), { network, clock, log, signal, sink, ...job }).catch(
    (error: unknown) => {
      lines.push(explain(error));
      return false;
    },
  );
  const minutes = (clock.elapsed - before) / 60_000;
  await network.close();
  return { done, lines, minutes, outputs: Object.fromEntries(outputs) };
}

function lineLog(lines: string[]): Log {
  const keep = (line: string): void => void lines.push(line);
  const group = <T>(title: string, work: () => Promise<T>): Promise<T> => {
    keep(title);
    return work();
  };
  return { ...silentLog, info: keep, debug: keep, warning: keep, error: keep, group };
}

/** Every server of a world by the login that belongs to it, for who looks what was sent where. */
export function serversOf(world: World): readonly (readonly [name: string, server: SandboxServer])[] {
  const ofRegistry = (
    name: string,
    registry: RegistryServer | undefined,
  ): (readonly [string, SandboxServer])[] =>
    registry === undefined
      ? []
      : [
          [name, registry],
          ...(registry.tokenServer === undefined
            ? []
            : [[`${name}: token server`, registry.tokenServer] as const]),
          ...(registry.contentServer === undefined
            ? []
            : [[`${name}: content server`, registry.contentServer] as const]),
        ];
  return [
    ["GitHub", world.github],
    ...ofRegistry("source", world.source),
    ...ofRegistry("second source", world.secondSource),
    ...ofRegistry("troubled", world.troubled),
    ...(world.dockerHub === undefined ? [] : [["troubled: API", world.dockerHub.api] as const]),
    ...(world.tcr === undefined ? [] : [["troubled: API", world.tcr.api] as const]),
    ...ofRegistry("healthy", world.healthy),
  ];
}

/** Where each login may be seen, by a part of its Basic form or of what it is in JSON. */
export const logins: readonly { readonly text: string; readonly at: RegExp }[] = [
  ...[robot, otherRobot].map(({ username, password }, index) => ({
    text: Buffer.from(`${username}:${password}`).toString("base64"),
    at: index === 0 ? /^troubled(: token server)?$/ : /^healthy(: token server)?$/,
  })),
  {
    text: Buffer.from(`${hubAccount.identifier}:${hubAccount.secret}`).toString("base64"),
    at: /^troubled(: token server)?$/,
  },
  { text: githubToken, at: /^GitHub$/ },
];
