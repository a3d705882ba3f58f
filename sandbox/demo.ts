/**
 * `npm run demo`: mirrors a release of Harbor's shape on this machine alone, and shows what happened. Ends with exit
 * status 1 if a run failed or a registry does not hold what it should. `--scale=N` multiplies the sizes of the images.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs, styleText } from "node:util";
import { componentsOf } from "./harbor.ts";
import { renderMarkdown, renderTable } from "./markdown.ts";
import type { RegistryServer } from "./registry.ts";
import {
  type ActionResult,
  actionEnvironment,
  actionInputs,
  heldByTcr,
  newestRelease,
  releaseEvent,
  runAction,
  type Sandbox,
  seedHarbor,
  startSandbox,
} from "./sandbox.ts";
import { workflowLog } from "./workflow-log.ts";

type State = ReturnType<RegistryServer["state"]>;

interface Snapshot {
  readonly dockerHub: State;
  readonly tcr: State;
}

const prunedVersion = heldByTcr.at(-1) ?? "";

async function demo(scale: number): Promise<readonly string[]> {
  await using sandbox = await startSandbox();
  seedHarbor(sandbox, { scale });
  heading("The sandbox");
  print([...sandbox.servers].map(([name, { origin }]) => `${name.padEnd(26)} ${origin}`).join("\n"));
  const before = snapshotOf(sandbox);

  heading(`Harbor publishes ${newestRelease.version}`);
  const first = await run(sandbox);
  heading("The job summary");
  print(renderMarkdown(first.summary));
  const after = snapshotOf(sandbox);
  heading("What the registries hold: number of images by tag");
  print(renderTable(holdings(before, after)).join("\n"));
  heading("What it took");
  print(renderTable(traffic(sandbox)).join("\n"));

  heading("The same event once more");
  sandbox.clearRequests();
  const changes = changesIn(sandbox);
  const second = await run(sandbox);
  heading("What the second run took");
  print(renderTable(traffic(sandbox)).join("\n"));
  return [
    ...(first.exitCode === 0 ? [] : [`the first run ended with exit status ${first.exitCode}`]),
    ...wrongIn(sandbox, before, after),
    ...(second.exitCode === 0 ? [] : [`the second run ended with exit status ${second.exitCode}`]),
    ...(changesIn(sandbox) === changes ? [] : ["the second run changed something"]),
  ];
}

/** Fires the published-release event at the built Action, with its log on the terminal as it comes. */
async function run(sandbox: Sandbox): Promise<ActionResult> {
  const folder = mkdtempSync(join(tmpdir(), "harbor-release-mirror-demo-"));
  try {
    const event = releaseEvent(sandbox, newestRelease.version);
    const inputs = actionInputs(sandbox);
    const environment = actionEnvironment(sandbox, { event, inputs, folder, env: { NO_COLOR: "" } });
    const log = workflowLog((line) => print(line));
    const result = await runAction(environment, { onOutput: log.write });
    log.end();
    return result;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function snapshotOf({ dockerHub, tcr }: Sandbox): Snapshot {
  return { dockerHub: dockerHub.registry.state(), tcr: tcr.registry.state() };
}

/** Blobs, mounts, manifests and tags, written or deleted, since the start. */
function changesIn({ dockerHub, tcr }: Sandbox): number {
  return dockerHub.registry.events.length + tcr.registry.events.length;
}

function holdings(before: Snapshot, after: Snapshot): readonly (readonly string[])[] {
  const states = [before.dockerHub, after.dockerHub, before.tcr, after.tcr];
  const tags = new Set(states.flatMap((state) => Object.values(state).flatMap((held) => Object.keys(held))));
  const sorted = [...tags].sort((one, other) => other.localeCompare(one, "en", { numeric: true }));
  return [
    ["tag", "Docker Hub before", "after", "TCR before", "after"],
    ...sorted.map((tag) => [tag, ...states.map((state) => countOf(state, tag))]),
  ];
}

function countOf(state: State, tag: string): string {
  const count = Object.values(state).filter((held) => held[tag] !== undefined).length;
  return count === 0 ? "–" : String(count);
}

function traffic(sandbox: Sandbox): readonly (readonly string[])[] {
  const rows = [...sandbox.servers].map(([name, { requests, peakRequests }]) => {
    const writes = requests.filter(({ method }) => method !== "GET" && method !== "HEAD").length;
    const received = requests.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
    const sent = requests.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    return [
      name,
      String(requests.length),
      String(writes),
      sizeOf(received),
      sizeOf(sent),
      String(peakRequests),
    ];
  });
  return [["server", "requests", "of them writing", "received", "sent", "at the same time"], ...rows];
}

function sizeOf(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}

/** What the registries should hold but do not, in words. */
function wrongIn(sandbox: Sandbox, before: Snapshot, after: Snapshot): readonly string[] {
  const released = sandbox.source.state();
  const problems: string[] = [];
  if (!isDeepStrictEqual(after.dockerHub, withNewest(before.dockerHub, released))) {
    problems.push("Docker Hub does not hold what it should");
  }
  const pruned = Object.fromEntries(
    Object.entries(withNewest(before.tcr, released)).map(([repository, tags]) => {
      const { [prunedVersion]: _gone, ...kept } = tags;
      return [repository, kept];
    }),
  );
  if (!isDeepStrictEqual(after.tcr, pruned)) problems.push("TCR does not hold what it should");
  for (const registry of [sandbox.dockerHub.registry, sandbox.tcr.registry]) {
    for (const repository of registry.repositories()) {
      const tags = [...registry.tags(repository).keys()];
      problems.push(...tags.flatMap((tag) => registry.completeness(repository, tag)));
    }
  }
  return problems;
}

/** A state with the newest release added, in order of the repositories' names. */
function withNewest(state: State, released: State): State {
  const { version } = newestRelease;
  const added = { ...state };
  for (const image of componentsOf(version)) {
    const repository = `goharbor/${image}`;
    added[repository] = {
      ...added[repository],
      [version]: released[repository]?.[version] ?? "missing at the source",
    };
  }
  return added;
}

function heading(text: string): void {
  print(`\n${styleText(["bold", "inverse"], ` ${text} `)}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const { values } = parseArgs({ options: { scale: { type: "string", default: "1" } } });
const problems = await demo(Number(values.scale));
heading(problems.length === 0 ? "All as it should be" : "Something is wrong");
for (const problem of problems) print(`- ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
