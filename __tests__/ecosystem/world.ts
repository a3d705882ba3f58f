import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { actionEnvironment } from "../../sandbox/action.ts";
import { type GitHub, startGitHub } from "../../sandbox/github.ts";
import { type Artifact, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { type ProfileName, type StandIn, startProfile } from "../../sandbox/profiles.ts";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { systemClock } from "../../src/clock.ts";
import { givenSecrets, loadInputs } from "../../src/inputs/inputs.ts";
import { explain, run } from "../../src/run/run.ts";
import { openNetwork } from "../hostile/clients.ts";
import { recordingLog } from "../support/recording-log.ts";

/** The versions that exist, newest first. */
export const versions = ["v1.2.0", "v1.1.0", "v1.0.0"] as const;
export const images = ["app", "web"] as const;

/** A layer that both images have, too large to pass for a small request, so that mounts and forms of uploads show. */
const sharedLayer = { seed: "shared", size: 400 * 1024 };

/** An image of a version: one for two platforms and one for one. */
export function imageOf(name: string, version: string): Artifact {
  const seed = `${name} ${version}`;
  const layers = [sharedLayer, { seed, size: 2048 }];
  const one = buildImage({ seed, layers, format: "oci" });
  if (name !== "app") return one;
  return buildIndex([
    one,
    buildImage({ seed: `${seed} arm`, layers, format: "oci", platform: "linux/arm64" }),
  ]);
}

/** GitHub, a plain registry, and one of the ecosystem: images go from one to the other and back. */
export interface World extends AsyncDisposable {
  readonly github: GitHub;
  readonly plain: RegistryServer;
  readonly vendor: StandIn;
  /** Mirrors the newest version, and prunes. */
  mirror(
    from: string,
    to: string,
    inputs?: Readonly<Record<string, string>>,
    variables?: Readonly<Record<string, string>>,
  ): Promise<Result>;
}

export interface Result {
  readonly done: boolean;
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  readonly masked: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  /** Of a check: the outcomes of its rows about a subject. */
  outcomes(subject: string): readonly string[];
  /** Of a check: its rows about a subject. */
  rows(subject: string): readonly CheckRow[];
}

export interface CheckRow {
  readonly subject: string;
  readonly outcome: string;
  readonly finding: string;
  readonly remedy?: string;
}

/** @param changes how the registry differs from its profile. */
export async function startWorld(name: ProfileName, changes: RegistryOptions = {}): Promise<World> {
  const releases = versions.map((tag, index) => ({
    tag,
    prerelease: false,
    publishedAt: Date.UTC(2026, 5, 9 - index),
  }));
  const [github, plain, vendor] = await Promise.all([
    startGitHub({ repository: "acme/app", releases, files: () => undefined }),
    startRegistry(),
    startProfile(name, changes),
  ]);
  const folder = await mkdtemp(join(tmpdir(), "ecosystem-"));
  const path = `${folder}${delimiter}${process.env.PATH}`;
  await writeFile(join(folder, "config.json"), JSON.stringify(vendor.dockerConfig));
  if (vendor.helper !== undefined)
    await writeHelper(folder, vendor.helper.name, vendor.registry.host, vendor.helper.answer);
  return {
    github,
    plain,
    vendor,
    mirror: (from, to, inputs = {}, variables = {}) => {
      const all = {
        destinations: to,
        source: from,
        repository: "acme/app",
        images: images.join("\n"),
        keep: "2",
        wait: "0",
        ...inputs,
      };
      const event = { name: "workflow_dispatch", payload: { inputs: { version: versions[0] } } };
      const environment = actionEnvironment({ github }, { event, inputs: all, folder });
      return runHere({ ...environment, PATH: path, DOCKER_CONFIG: folder, ...variables });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([github.close(), plain.close(), vendor[Symbol.asyncDispose]()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A real program, as Docker's helpers are: reads the server from its input, prints the login. */
async function writeHelper(folder: string, name: string, host: string, answer: unknown): Promise<void> {
  const script = [
    "#!/bin/sh",
    "read -r server",
    `if [ "$1" = get ] && [ "$server" = '${host}' ]; then echo '${JSON.stringify(answer)}'; exit 0; fi`,
    "echo 'credentials not found in native keychain'; exit 1",
  ];
  await writeFile(join(folder, `docker-credential-${name}`), `${script.join("\n")}\n`, { mode: 0o755 });
}

async function runHere(environment: Readonly<Record<string, string>>): Promise<Result> {
  const log = recordingLog();
  const outputs = new Map<string, string>();
  const lines: string[] = [];
  const network = openNetwork({}, log);
  const sink = {
    setOutput: (name: string, value: string | number) => void outputs.set(name, String(value)),
    appendSummary: () => Promise.resolve(),
    writeFile,
  };
  const { signal } = new AbortController();
  const ended = signal;
  const saveState = () => undefined;
  const context = { network, clock: systemClock, log, signal, sink, ended, saveState };
  // As the process of the Action does before anything else.
  for (const secret of givenSecrets(environment)) log.mask(secret);
  const done = await run(loadInputs(environment), context).catch((error: unknown) => {
    lines.push(explain(error));
    return false;
  });
  const { infos, warnings, masked } = log;
  return {
    done,
    lines: [...infos, ...lines],
    warnings,
    masked,
    outputs: Object.fromEntries(outputs),
    outcomes: (subject) => rowsIn(outputs.get("report") ?? "", subject).map(({ outcome }) => outcome),
    rows: (subject) => rowsIn(outputs.get("report") ?? "", subject),
  };
}

function rowsIn(report: string, subject: string): readonly CheckRow[] {
  const { checks } = JSON.parse(readFileSync(report, "utf8")) as { readonly checks: readonly CheckRow[] };
  return checks.filter((check) => check.subject === subject);
}

/** Puts versions of all images into a registry, past its rules. */
export function seed(registry: RegistryServer, namespace: string, tags: readonly string[]): void {
  for (const name of images) {
    for (const tag of tags) pushTo(registry, `${namespace}/${name}`, imageOf(name, tag), tag);
  }
}
