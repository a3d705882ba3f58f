import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ActionResult } from "../../sandbox/action.ts";
import { componentsOf } from "../../sandbox/harbor.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, type Place, startSandboxWorld, tagsOf, version, type World } from "./world.ts";

const components = componentsOf("v2.15.2");

async function problemsOf(place: Place): Promise<readonly string[]> {
  const found = await Promise.all(components.map((image) => place.problems(`goharbor/${image}`, "v2.15.2")));
  return found.flat();
}

/** All tags at a place, whatever they point to. */
async function allTags(place: Place): Promise<readonly string[]> {
  return Object.entries(await place.state())
    .flatMap(([repository, tags]) => Object.keys(tags).map((tag) => `${repository}:${tag}`))
    .sort();
}

/** A plan as somebody on the way would change it. */
function tampered(plan: ActionResult, change: (document: PlanJson) => void): Pick<ActionResult, "outputs"> {
  const document = documentIn(plan);
  change(document);
  return { outputs: { plan: gzipSync(JSON.stringify(document)).toString("base64") } };
}

interface PlanJson {
  versions: string[];
  copies: Record<string, string | number>[];
  prunes: Record<string, string>[];
}

function documentIn({ outputs }: ActionResult): PlanJson {
  return JSON.parse(gunzipSync(Buffer.from(outputs.plan ?? "", "base64")).toString()) as PlanJson;
}

async function worldWithOldVersions(): Promise<Awaited<ReturnType<typeof startSandboxWorld>>> {
  const world = await startSandboxWorld();
  for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
  await world.source.seed(version("v2.15.2", { multiArchitecture: ["nginx-photon"] }));
  return world;
}

async function copyAllShares(world: World, plan: ActionResult): Promise<readonly ActionResult[]> {
  return Promise.all(matrixOf(plan).map((job) => copyJob(world, plan, job)));
}

describe("a run over several jobs", () => {
  it("plans in one job, copies in four at the same time, and moves all tags in the last one (P3)", async () => {
    await using world = await worldWithOldVersions();
    const before = await Promise.all([world.near, world.far].map(allTags));
    const plan = await planJob(world, {}, { shares: "2", "runs-on": JSON.stringify({ default: "small" }) });
    expect(plan.exitCode).toBe(0);
    expect(matrixOf(plan)).toEqual([
      { share: 1, to: "destination 1 (Docker Hub)", part: "1 of 2", "runs-on": "small" },
      { share: 2, to: "destination 1 (Docker Hub)", part: "2 of 2", "runs-on": "small" },
      { share: 3, to: "destination 2 (TCR)", part: "1 of 2", "runs-on": "small" },
      { share: 4, to: "destination 2 (TCR)", part: "2 of 2", "runs-on": "small" },
    ]);
    const copies = await copyAllShares(world, plan);
    expect(copies.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(copies.reduce((sum, { outputs }) => sum + Number(outputs.copied), 0)).toBe(24);
    for (const { outputs, log } of copies) {
      expect(outputs).toMatchObject({ versions: "[]", images: "[]", failed: "0", pruned: "0" });
      expect(log).toContain("No tag has moved yet");
    }
    expect(await Promise.all([world.near, world.far].map(allTags))).toEqual(before);
    const { registry: hub } = world.sandbox.dockerHub;
    const blobs = (): number => hub.requests.filter(({ path }) => path.includes("/blobs/uploads/")).length;
    const uploads = blobs();
    const last = await publishJob(world, plan);
    expect(last.log).not.toContain("::error");
    expect(last.exitCode).toBe(0);
    expect(last.outputs).toMatchObject({
      versions: JSON.stringify(["v2.15.2"]),
      copied: "24",
      pruned: "12",
      failed: "0",
    });
    expect(blobs()).toBe(uploads);
    for (const place of [world.near, world.far]) expect(await problemsOf(place)).toEqual([]);
    expect(tagsOf(await world.far.state(), "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
  });

  it("holds no secret and no destination's name in what it hands on in the open", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    const secrets = Object.entries(world.inputs)
      .filter(([name]) => /token|secret|password|username/.test(name))
      .map(([, value]) => value);
    expect(secrets.length).toBeGreaterThan(2);
    const texts = [plan.outputs.plan ?? "", plan.outputs.matrix ?? "", JSON.stringify(documentIn(plan))];
    for (const secret of secrets.filter((value) => value !== "goharbor")) {
      for (const text of texts) expect(text).not.toContain(secret);
    }
    for (const text of texts.slice(0, 2)) expect(text).not.toContain("goharbor");
  });

  it("leaves a destination alone whose copy job was killed, publishes the other, and completes on a re-run", async () => {
    await using world = await worldWithOldVersions();
    const before = await allTags(world.far);
    const plan = await planJob(world);
    const [near, far] = matrixOf(plan);
    if (near === undefined || far === undefined) throw new Error("two copy jobs were expected");
    const { registry } = world.sandbox.tcr;
    registry.fault({
      when: { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// },
      times: Number.POSITIVE_INFINITY,
      effect: { requestBytesPerSecond: 20_000 },
    });
    const [copied, killed] = await Promise.all([
      copyJob(world, plan, near),
      copyJob(world, plan, far, {
        onStart: (child) => {
          const timer = setInterval(() => {
            if (registry.uploadsOpen() === 0) return;
            clearInterval(timer);
            child.kill("SIGKILL");
          }, 20);
          child.once("exit", () => clearInterval(timer));
        },
      }),
    ]);
    expect(copied.exitCode).toBe(0);
    expect(killed.exitCode).toBeUndefined();
    registry.clearFaults();
    const first = await publishJob(world, plan);
    expect(first.exitCode).toBe(1);
    expect(first.outputs).toMatchObject({ copied: "12", failed: "12", pruned: "0" });
    expect(first.log).toContain('Choose "Re-run failed jobs"');
    expect(await allTags(world.far)).toEqual(before);
    expect(await problemsOf(world.near)).toEqual([]);
    expect((await copyJob(world, plan, far)).exitCode).toBe(0);
    const second = await publishJob(world, plan);
    expect(second.exitCode).toBe(0);
    expect(second.outputs).toMatchObject({ copied: "12", skipped: "12", failed: "0", pruned: "12" });
    expect(await problemsOf(world.far)).toEqual([]);
  });

  it("speaks in a copy job to the destination of its share alone", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    const [near] = matrixOf(plan);
    if (near === undefined) throw new Error("a copy job was expected");
    const { registry, api } = world.sandbox.tcr;
    const before = [registry.requests.length, api.requests.length];
    expect((await copyJob(world, plan, near)).outputs).toMatchObject({ copied: "12", failed: "0" });
    expect([registry.requests.length, api.requests.length]).toEqual(before);
  });

  it("puts manifests again that a registry has cleared away between the jobs", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    await copyAllShares(world, plan);
    const { registry } = world.sandbox.tcr;
    const nginx = world.sandbox.source.manifest("goharbor/nginx-photon", "v2.15.2");
    const stored = registry.events.filter(
      ({ kind, repository }) => kind === "manifest" && repository === "goharbor/nginx-photon",
    );
    expect(stored.length).toBeGreaterThan(2);
    for (const { digest } of stored) registry.deleteManifest("goharbor/nginx-photon", digest);
    expect(registry.manifest("goharbor/nginx-photon", nginx?.digest ?? "")).toBeUndefined();
    const last = await publishJob(world, plan);
    expect(last.log).toContain("manifests were not there and are put again");
    expect(last.outputs).toMatchObject({ copied: "24", failed: "0" });
    expect(await problemsOf(world.far)).toEqual([]);
  });

  it("carries nothing out that a changed plan asks for and the inputs do not", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    await copyAllShares(world, plan);
    const before = await Promise.all([world.near, world.far].map(allTags));
    const elsewhere = tampered(plan, ({ copies }) => {
      for (const copy of copies) copy.destination = "docker.io/attacker";
    });
    const otherTag = tampered(plan, ({ copies }) => {
      for (const copy of copies) copy.tag = "latest";
    });
    const otherVersion = tampered(plan, (document) => {
      document.versions = ["v2.14.4"];
    });
    const noVersion = tampered(plan, (document) => {
      document.versions = [];
      document.copies = [];
    });
    for (const changed of [elsewhere, otherTag, otherVersion, noVersion]) {
      const { exitCode, log } = await publishJob(world, changed);
      expect(log).toMatch(/::error::plan: (it (has images|is about)|this is not a plan)/);
      expect(exitCode).toBe(1);
    }
    const noCopy = tampered(plan, (document) => {
      document.copies = [];
    });
    const noCopies = await publishJob(world, noCopy);
    expect(noCopies.outputs).toMatchObject({ copied: "0", failed: "24", pruned: "0" });
    const otherDigest = tampered(plan, ({ copies }) => {
      for (const copy of copies) copy.digest = `sha256:${"0".repeat(64)}`;
    });
    const refused = await publishJob(world, otherDigest);
    expect(refused.outputs).toMatchObject({ copied: "0", failed: "24", pruned: "0" });
    expect(await Promise.all([world.near, world.far].map(allTags))).toEqual(before);
    // Every version there is to be pruned, by this plan; by the inputs, one is.
    const morePrunes = tampered(plan, ({ prunes }) => {
      const [first = {}] = prunes;
      for (const tag of ["v2.15.0", "v2.15.1", "v2.15.2", "dev"]) {
        for (const image of components) prunes.push({ ...first, image, version: tag, tag });
      }
    });
    const last = await publishJob(world, morePrunes);
    expect(last.outputs).toMatchObject({ copied: "24", pruned: "12" });
    expect(tagsOf(await world.far.state(), "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
  });

  it("reads and writes only where the inputs say, whatever the plan of a copy job says", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    const changes: readonly ((copy: Record<string, string | number>) => void)[] = [
      (copy) => {
        copy.destination = "127.0.0.1:9/attacker";
      },
      (copy) => {
        copy.source = "127.0.0.1:9/attacker";
      },
      (copy) => {
        copy.from = "secret-tool";
      },
      (copy) => {
        copy.image = "evil";
      },
      (copy) => {
        copy.version = "v2.14.4";
      },
    ];
    await world.source.seed((target) => {
      pushTo(target, "goharbor/secret-tool", buildImage({ seed: "secret" }), "v2.15.2");
    });
    const state = await Promise.all([world.near.state(), world.far.state()]);
    for (const change of changes) {
      const changed = tampered(plan, ({ copies }) => copies.forEach(change));
      const { exitCode, log } = await act(world, {
        inputs: { mode: "copy", share: "1", plan: changed.outputs.plan ?? "" },
      });
      expect(log).toMatch(/::error::plan: /);
      expect(exitCode).toBe(1);
    }
    expect(await Promise.all([world.near.state(), world.far.state()])).toEqual(state);
  });

  it("publishes what it can of the newest versions when another is released between the jobs", async () => {
    await using world = await worldWithOldVersions();
    await world.source.seed(version("v2.15.1"));
    const late = { prerelease: false, publishedAt: Date.UTC(2026, 8, 1) };
    const options = {
      event: { name: "workflow_dispatch", payload: { inputs: { version: "newest:2" } } },
      inputs: { destinations: world.near.line, images: "harbor-core" },
    };
    const plan = await planJob(world, options);
    const [job] = matrixOf(plan);
    if (job === undefined) throw new Error("a copy job was expected");
    expect((await copyJob(world, plan, job, options)).outputs).toMatchObject({ copied: "2", failed: "0" });
    world.github.addRelease({ tag: "v2.15.3", ...late });
    const last = await publishJob(world, plan, options);
    expect(last.outputs).toMatchObject({ versions: '["v2.15.2"]', copied: "1", failed: "0", pruned: "0" });
    expect(last.log).toContain("The inputs do not ask for v2.15.1 any more");
    expect(last.exitCode).toBe(0);
    expect(tagsOf(await world.near.state(), "harbor-core")).toEqual(["v2.15.2"]);
    const again = await copyJob(world, plan, job, options);
    expect([again.exitCode, again.outputs.failed]).toEqual([0, "0"]);
  });

  it("refuses a plan that was made from other inputs", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    const { exitCode, log } = await publishJob(world, plan, { inputs: { keep: "1" } });
    expect(exitCode).toBe(1);
    expect(log).toContain("it was made from other inputs");
  });

  it("fails the images whose source has moved its tag since the plan, and publishes none of them", async () => {
    await using world = await worldWithOldVersions();
    const plan = await planJob(world);
    await copyAllShares(world, plan);
    const before = await Promise.all([world.near, world.far].map(allTags));
    await world.source.seed(version("v2.15.2", { images: ["harbor-core"], scale: 0.1 }));
    const { exitCode, outputs, log } = await publishJob(world, plan);
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ copied: "0", failed: "24", pruned: "0" });
    expect(log).toContain("harbor-core:v2.15.2 now is sha256:");
    expect(await Promise.all([world.near, world.far].map(allTags))).toEqual(before);
  });

  it("waits in the job that plans, and hands out no copy job when there is nothing to copy", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2", { images: components.slice(1) }));
    const plan = await planJob(world, {
      onStart: (child) => {
        let seeded = false;
        child.stdout?.on("data", (text: Buffer) => {
          if (seeded || !text.toString().includes("Waiting for 1 of 12 images")) return;
          seeded = true;
          void world.source.seed(version("v2.15.2", { images: components.slice(0, 1) }));
        });
      },
    });
    expect(plan.log).toContain("Waiting for 1 of 12 images");
    expect(matrixOf(plan)).toHaveLength(2);
    await copyAllShares(world, plan);
    expect((await publishJob(world, plan)).exitCode).toBe(0);
    const again = await planJob(world);
    expect(again.outputs.matrix).toBe("");
    const last = await publishJob(world, again);
    expect(last.exitCode).toBe(0);
    expect(last.outputs).toMatchObject({ copied: "0", skipped: "24", failed: "0" });
  });

  it("gives no plan to other jobs in a dry run", async () => {
    await using world = await worldWithOldVersions();
    const { exitCode, outputs } = await planJob(world, {}, { "dry-run": "true" });
    expect(exitCode).toBe(0);
    expect(outputs.plan).toBeUndefined();
    expect(outputs.matrix).toBeUndefined();
  });
});
