import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actionEnvironment, releaseEvent, runAction } from "../../sandbox/action.ts";
import { componentsOf, harborImage } from "../../sandbox/harbor.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { actionInputs, type Sandbox, startSandbox } from "../../sandbox/sandbox.ts";
import { randomFrom } from "../support/random.ts";
import { scale, version } from "./world.ts";

/** How often a process is killed in all: a few dozen for everyone, 200 in continuous integration, thousands by `npm run soak`. */
const wantedKills = Number(process.env.SOAK_KILLS ?? 30);
/** The same seed kills at the same moments, as far as a process's pace allows. */
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000);
/** Kills before a run is let through to its end. */
const killsPerEpisode = 12;

const release = "v2.15.2";
const keptVersions = ["v2.15.1", "v2.15.0"];
const prunedVersion = "v2.14.4";

/** What was seen to be wrong at any moment, in words. */
type Violations = string[];

/** Looks at a destination at the moment of each change. */
function watch(
  name: string,
  registry: () => RegistryServer,
  keeps: readonly string[],
  violations: Violations,
) {
  const images = componentsOf(release).map(
    (image) => [image, harborImage(image, release, { scale }).digest] as const,
  );
  return (event: { kind: string; tag?: string }) => {
    if (event.kind === "tag" && event.tag === release) {
      for (const [image, digest] of images) {
        const missing = registry().completeness(`goharbor/${image}`, digest);
        if (missing.length > 0)
          violations.push(`${name}: a tag of ${release} moved while ${image} lacked ${missing[0]}`);
      }
    }
    if (event.kind !== "untag" && event.kind !== "delete") return;
    for (const kept of keeps) {
      for (const image of componentsOf(kept)) {
        const missing = registry().completeness(`goharbor/${image}`, kept);
        if (missing.length > 0)
          violations.push(`${name}: ${image}:${kept}, which is kept, lost ${missing[0]}`);
      }
    }
  };
}

async function startWorld(violations: Violations): Promise<Sandbox> {
  let sandbox: Sandbox | undefined;
  const server = (pick: (from: Sandbox) => RegistryServer) => () => {
    if (sandbox === undefined) throw new Error("not started");
    return pick(sandbox);
  };
  const hub = watch(
    "Docker Hub",
    server((from) => from.dockerHub.registry),
    [],
    violations,
  );
  const tcr = watch(
    "TCR",
    server((from) => from.tcr.registry),
    keptVersions,
    violations,
  );
  sandbox = await startSandbox({
    dockerHub: { registry: { onChange: hub } },
    // Hundreds of runs within a minute share one API; its limit is tested elsewhere.
    tcr: { registry: { onChange: tcr }, callsPerSecond: 1000 },
  });
  version(release)(sandbox.source);
  for (const held of [...keptVersions, prunedVersion]) version(held)(sandbox.tcr.registry);
  return sandbox;
}

/** Runs the Action and kills it after so many milliseconds; undefined: lets it go to its end. */
async function runKilled(sandbox: Sandbox, killAfter: number | undefined): Promise<number | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "soak-"));
  try {
    const environment = actionEnvironment(sandbox, {
      event: releaseEvent(sandbox, release),
      inputs: actionInputs(sandbox),
      folder,
    });
    let timer: NodeJS.Timeout | undefined;
    const { exitCode } = await runAction(environment, {
      onStart: (child) => {
        if (killAfter !== undefined) timer = setTimeout(() => child.kill("SIGKILL"), killAfter);
      },
    });
    clearTimeout(timer);
    return exitCode;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function expectCompleted({ dockerHub, tcr }: Sandbox): void {
  for (const { registry } of [dockerHub, tcr]) {
    for (const image of componentsOf(release)) {
      expect(registry.tags(`goharbor/${image}`).get(release)).toBe(
        harborImage(image, release, { scale }).digest,
      );
      expect(registry.completeness(`goharbor/${image}`, release)).toEqual([]);
    }
  }
  for (const held of keptVersions) {
    for (const image of componentsOf(held)) {
      expect(tcr.registry.tags(`goharbor/${image}`).get(held)).toBe(
        harborImage(image, held, { scale }).digest,
      );
      expect(tcr.registry.completeness(`goharbor/${image}`, held)).toEqual([]);
    }
  }
  for (const image of componentsOf(prunedVersion)) {
    expect(tcr.registry.tags(`goharbor/${image}`).has(prunedVersion)).toBe(false);
  }
}

describe("a run that is killed again and again (P3, P5, P6)", () => {
  it(`completes in the end, and nothing was ever half published or wrongly gone: ${wantedKills} kills, seed ${seed}`, {
    timeout: 60_000 + wantedKills * 5_000,
  }, async () => {
    const random = randomFrom(seed);
    const violations: Violations = [];
    const endings = { killed: 0, finished: 0 };
    // How long a whole run takes here and now, so that kills hit every part of it, the pruning at its end as well.
    let whole = 2_500;
    while (endings.killed < wantedKills) {
      await using sandbox = await startWorld(violations);
      for (let kills = 0; kills < killsPerEpisode && endings.killed < wantedKills; kills += 1) {
        const started = performance.now();
        const exitCode = await runKilled(sandbox, 100 + random() * whole);
        if (exitCode === undefined) {
          endings.killed += 1;
          continue;
        }
        expect(exitCode).toBe(0);
        endings.finished += 1;
        whole = performance.now() - started;
        break;
      }
      expect(await runKilled(sandbox, undefined)).toBe(0);
      expectCompleted(sandbox);
      expect(violations).toEqual([]);
    }
    expect(endings.killed).toBe(wantedKills);
  });
});
