import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actionEnvironment, runAction } from "../../sandbox/action.ts";
import { startGitHub } from "../../sandbox/github.ts";
import { pushTo } from "../../sandbox/images.ts";
import { startRegistry } from "../../sandbox/registry.ts";
import { reportSchema, schemaProblems } from "../support/json-schema.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { randomFrom } from "../support/random.ts";
import { acceptAll, type Front, type State, startFront } from "./chaos-front.ts";
import { type Judgement, judge } from "./chaos-judge.ts";
import { fillDestination, fillSource, intruder, namespaceOf, releases, worldOf } from "./chaos-world.ts";
import { startOpenDistribution } from "./real-registries.ts";

/** Runs at each registry: a minute's worth for everyone, hundreds by `CHAOS_RUNS`. */
const runs = Number(process.env.CHAOS_RUNS ?? 20);
/** The first seed; `CHAOS_SEED` repeats a run as far as the order of the Action's own requests allows. */
const firstSeed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);

const registries = {
  "docker-registry": "Debian's package docker-registry",
  registry: "go install github.com/distribution/distribution/v3/cmd/registry@v3.0.0",
};

/** Runs the Action in the world of a seed, and judges what it did. */
async function chaos(seed: number, registry: string): Promise<Judgement> {
  const random = randomFrom(seed);
  const world = worldOf(random);
  const namespace = namespaceOf(seed);
  const told: string[] = [];
  await using source = await startRegistry();
  fillSource(world, source, pushTo);
  await using github = await startGitHub({
    repository: "acme/release",
    releases: releases.map((tag, index) => ({ tag, prerelease: false, publishedAt: index * 86_400_000 })),
    files: () => undefined,
  });
  const intrude = intruder(world, namespace, random, (move) => told.push(move));
  await using front = await startFront(registry, intrude);
  await fillDestination(world, front, namespace, random);
  const folder = await mkdtemp(join(tmpdir(), "chaos-"));
  try {
    const environment = actionEnvironment(
      { github },
      {
        event: { name: "workflow_dispatch", payload: { inputs: { version: world.wanted.join(",") } } },
        inputs: {
          repository: "acme/release",
          source: `${source.host}/source`,
          images: world.images.join("\n"),
          destinations: `${front.host}/${namespace},keep=${world.keep}`,
          overwrite: String(world.overwrite),
          wait: "0",
        },
        folder,
      },
    );
    const result = await runAction(environment);
    expect(schemaProblems(result.report, reportSchema)).toEqual([]);
    const judgement = judge(world, namespace, front, result);
    if (process.env.CHAOS_LOG) console.log(result.log, told, listOf(front));
    expect(await heldAt(front, namespace, world.images)).toEqual(front.state.tags);
    expect({ seed, told, violations: judgement.violations }).toEqual({ seed, told, violations: [] });
    return judgement;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a registry says that it holds: the front's own account has to be the same. */
async function heldAt(front: Front, namespace: string, images: readonly string[]): Promise<State["tags"]> {
  const held = new Map<string, string>();
  for (const image of images) {
    const { body } = await front.send("GET", `/v2/${namespace}/${image}/tags/list`);
    const { tags } = JSON.parse(body.toString()) as { readonly tags?: readonly string[] | null };
    for (const tag of tags ?? []) {
      const { headers } = await front.send("HEAD", `/v2/${namespace}/${image}/manifests/${tag}`, undefined, {
        accept: acceptAll,
      });
      held.set(`${namespace}/${image}:${tag}`, String(headers["docker-content-digest"]));
    }
  }
  return held;
}

function listOf({ requests }: Front): string {
  return requests
    .map(({ by, method, repository, kind, reference, status, digest }, index) =>
      [index, by, method, repository, kind, reference, status, digest].join(" "),
    )
    .join("\n");
}

for (const [program, installation] of Object.entries(registries)) {
  describe(`while another works at the destination, with ${program} of the distribution project`, () => {
    if (!isInstalled(program)) return skipWithout(program, installation);
    let registry: Awaited<ReturnType<typeof startOpenDistribution>>;
    const judged: Judgement[] = [];
    beforeAll(async () => {
      registry = await startOpenDistribution(program);
    });
    afterAll(() => registry.stop());

    it.each(Array.from({ length: runs }, (_, index) => firstSeed + index))(
      "deletes, publishes and claims nothing wrong: seed %i",
      async (seed) => {
        judged.push(await chaos(seed, registry.host));
      },
    );

    it("has deleted something, and others have come in between", () => {
      const windows = judged.flatMap((each) => each.windows);
      const most = Object.entries(Object.groupBy(windows, ({ kind }) => kind)).map(([kind, some]) => {
        const losses = some.filter(({ loss }) => loss !== undefined).length;
        return `${kind}: ${Math.max(...some.map(({ requests }) => requests))} requests at most between look and write, ${losses} of ${some.length} disturbed`;
      });
      const deletions = judged.reduce((sum, each) => sum + each.deletions, 0);
      console.log(`${program}: ${runs} runs, ${deletions} tags deleted; ${most.join("; ")}`);
      expect(deletions).toBeGreaterThan(0);
    });
  });
}
