import { describe, expect, it } from "vitest";
import type { ActionEvent, ActionResult } from "../../sandbox/action.ts";
import { componentsOf, harborImage } from "../../sandbox/harbor.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { act, type Place, scale, tagsOf, version, type World } from "./world.ts";

/** Components of the newest release. */
const components = componentsOf("v2.15.2");
const everyImage = components.map((image) => [`goharbor/${image}`, "v2.15.2"] as const);

function dispatch(inputs: Readonly<Record<string, string>> = {}): ActionEvent {
  return { name: "workflow_dispatch", payload: { inputs } };
}

async function problemsOf(
  place: Place,
  images: readonly (readonly [string, string])[],
): Promise<readonly string[]> {
  const found = await Promise.all(images.map(([repository, tag]) => place.problems(repository, tag)));
  return found.flat();
}

/** The main cases, the same whatever stands behind the three registries. */
export function describeMainCases(name: string, start: () => Promise<World>): void {
  describe(name, () => {
    it("mirrors a published release to both destinations, prunes at the one that keeps three, and rests", async () => {
      await using world = await start();
      for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
      await world.source.seed(version("v2.15.2", { multiArchitecture: ["nginx-photon", "harbor-exporter"] }));
      await world.near.seed((target) =>
        pushTo(target, "goharbor/harbor-core", buildImage({ seed: "dev" }), "dev"),
      );
      const first = await act(world);
      expect(first.log).not.toContain("::error");
      expect(first.exitCode).toBe(0);
      expect(first.outputs).toMatchObject({
        versions: JSON.stringify(["v2.15.2"]),
        copied: "24",
        skipped: "0",
        pruned: "12",
        failed: "0",
      });
      const images = JSON.parse(first.outputs.images ?? "[]") as { reference: string }[];
      expect(images).toHaveLength(24);
      expect(images.map(({ reference }) => reference)).toContain(`${world.far.name}/valkey-photon:v2.15.2`);
      for (const place of [world.near, world.far]) expect(await problemsOf(place, everyImage)).toEqual([]);
      const [source, near, far] = await Promise.all(
        [world.source, world.near, world.far].map((place) => place.state()),
      );
      for (const image of components) {
        const digest = source?.[`goharbor/${image}`]?.["v2.15.2"];
        expect(near?.[`goharbor/${image}`]?.["v2.15.2"]).toBe(digest);
        expect(far?.[`goharbor/${image}`]?.["v2.15.2"]).toBe(digest);
      }
      expect(tagsOf(far ?? {}, "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
      expect(tagsOf(far ?? {}, "redis-photon")).toEqual(["v2.15.0", "v2.15.1"]);
      expect(tagsOf(near ?? {}, "harbor-core")).toEqual(["dev", "v2.15.2"]);
      const again = await act(world);
      expect(again.exitCode).toBe(0);
      expect(again.outputs).toMatchObject({ copied: "0", skipped: "24", pruned: "0", failed: "0" });
      expect(await world.far.state()).toEqual(far);
    });

    it("completes one destination when the other is down, and fails the run", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      await world.far.stop();
      const { exitCode, outputs, log } = await act(world);
      expect(exitCode).toBe(1);
      expect(outputs).toMatchObject({ copied: "12", failed: "12" });
      expect(log).toContain(`destination ${world.far.name.split("/")[0]}`);
      expect(await problemsOf(world.near, everyImage)).toEqual([]);
    });

    it("completes one destination when the login at the other is wrong, and says what to check", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      const { exitCode, outputs, log } = await act(world, world.wrongLogin);
      expect(exitCode).toBe(1);
      expect(outputs).toMatchObject({ copied: "12", failed: "12" });
      expect(log).toMatch(/Check (the user name and the token|that the login)/);
      expect(await problemsOf(world.far, everyImage)).toEqual([]);
      expect(tagsOf(await world.near.state(), "harbor-core")).toEqual([]);
    });

    it("mirrors nothing of a version that lacks an image, prunes nothing, and names the image", async () => {
      await using world = await start();
      for (const held of ["v2.15.1", "v2.15.0", "v2.14.4", "v2.14.3"]) await world.far.seed(version(held));
      const before = await world.far.state();
      const images = components.filter((image) => image !== "harbor-db");
      await world.source.seed(version("v2.15.2", { images }));
      const { exitCode, outputs, log } = await act(world, { inputs: { wait: "0" } });
      expect(exitCode).toBe(1);
      expect(outputs).toMatchObject({ copied: "0", failed: "24", pruned: "0" });
      expect(log).toMatch(/is at no source \(.*not found\): harbor-db:v2\.15\.2/);
      expect(await world.far.state()).toEqual(before);
      expect(await world.near.state()).toEqual({});
    });

    it("waits for an image that is pushed after the release was published", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2", { images: components.slice(1) }));
      const { exitCode, outputs, log } = await act(world, {
        onStart: (child) => {
          let seeded = false;
          child.stdout?.on("data", (text: Buffer) => {
            if (seeded || !text.toString().includes("Waiting for 1 of 12 images")) return;
            seeded = true;
            void world.source.seed(version("v2.15.2", { images: components.slice(0, 1) }));
          });
        },
      });
      expect(log).toContain("Waiting for 1 of 12 images");
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ copied: "24", failed: "0" });
    });

    it("replaces a tag that holds another digest, with a warning", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      await world.far.seed((target) =>
        pushTo(target, "goharbor/harbor-core", buildImage({ seed: "other" }), "v2.15.2"),
      );
      const { exitCode, log } = await act(world);
      expect(exitCode).toBe(0);
      expect(log).toMatch(/::warning.*harbor-core/);
      expect(await problemsOf(world.far, everyImage)).toEqual([]);
      expect((await world.far.state())["goharbor/harbor-core"]?.["v2.15.2"]).toBe(
        harborImage("harbor-core", "v2.15.2", { scale }).digest,
      );
    });

    it("holds the whole version back where overwrite is false and a tag holds another digest", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      await world.far.seed((target) =>
        pushTo(target, "goharbor/harbor-core", buildImage({ seed: "other" }), "v2.15.2"),
      );
      const before = await world.far.state();
      const { exitCode, outputs } = await act(world, { inputs: { overwrite: "false" } });
      expect(exitCode).toBe(1);
      expect(outputs).toMatchObject({ copied: "12", failed: "12" });
      expect(await world.far.state()).toEqual(before);
      expect(await problemsOf(world.near, everyImage)).toEqual([]);
    });

    it("never deletes a digest that a kept tag holds (P5)", async () => {
      await using world = await start();
      const shared = buildImage({ seed: "shared" });
      for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) {
        const images = componentsOf(held).filter((image) => image !== "harbor-log");
        await world.far.seed(version(held, { images }));
        await world.far.seed((target) => pushTo(target, "goharbor/harbor-log", shared, held));
      }
      await world.source.seed(version("v2.15.2"));
      const { exitCode, outputs, summary } = await act(world);
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ pruned: "11" });
      const state = await world.far.state();
      expect(tagsOf(state, "harbor-log")).toEqual(["v2.14.4", "v2.15.0", "v2.15.1", "v2.15.2"]);
      expect(tagsOf(state, "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
      expect(await problemsOf(world.far, [["goharbor/harbor-log", "v2.15.1"]])).toEqual([]);
      expect(summary).toContain("which stays");
    });

    it("does not mirror a late patch of an old line where it would not be kept, and evicts nothing", async () => {
      await using world = await start();
      for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
      const before = await world.far.state();
      await world.source.seed(version("v2.13.5"));
      const { exitCode, outputs, log } = await act(world, { tag: "v2.13.5" });
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ copied: "12", skipped: "12", pruned: "0" });
      expect(log).toContain("it would not be kept");
      expect(await world.far.state()).toEqual(before);
      expect(tagsOf(await world.near.state(), "harbor-core")).toEqual(["v2.13.5"]);
    });

    it("writes nothing in a dry run, and prints the plan that the real run then has (P9)", async () => {
      await using world = await start();
      for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
      await world.source.seed(version("v2.15.2"));
      const before = await Promise.all([world.near.state(), world.far.state()]);
      const dry = await act(world, { inputs: { "dry-run": "true" } });
      expect(dry.exitCode).toBe(0);
      expect(dry.outputs).toMatchObject({ copied: "0", pruned: "0", failed: "0" });
      expect(await Promise.all([world.near.state(), world.far.state()])).toEqual(before);
      const real = await act(world);
      expect(groupIn(real.log, "Plan")).toEqual(groupIn(dry.log, "Plan (dry run: nothing is written)"));
      expect(groupIn(real.log, "Plan").length).toBeGreaterThan(2);
      // The near destination was empty: the bound is what was moved, if each blob had to go there once. The far one held
      // layers already.
      const { destinations } = (dry.report as DryReport).estimate;
      const [near = 0, far = 0] = [world.near, world.far].map(
        ({ name }) => destinations.find(({ destination }) => destination === name)?.mostBytes,
      );
      expect(uploadedTo(world.far, real)).toBeGreaterThan(0);
      if (world.mounts === false) {
        expect(uploadedTo(world.near, real)).toBeGreaterThan(near);
      } else {
        expect(uploadedTo(world.near, real)).toBe(near);
        expect(uploadedTo(world.far, real)).toBeLessThanOrEqual(far);
      }
      expect(dry.log).toContain("To carry out this plan, a run needs:");
    });

    it("backfills a range by hand, and prunes nothing of it that is kept", async () => {
      await using world = await start();
      for (const tag of ["v2.15.0", "v2.15.1", "v2.15.2"]) await world.source.seed(version(tag));
      const event = dispatch();
      const { exitCode, outputs } = await act(world, { event, inputs: { version: ">=2.15.0 <2.16.0" } });
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ copied: "72", pruned: "0", failed: "0" });
      expect(JSON.parse(outputs.versions ?? "[]")).toEqual(["v2.15.2", "v2.15.1", "v2.15.0"]);
      for (const place of [world.near, world.far]) {
        expect(tagsOf(await place.state(), "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
      }
    });

    it("brings an image of a fixed tag with any version that is asked for, and lists it once", async () => {
      await using world = await start();
      const sources = ["v2.14.4", "v2.15.0"].map((tag) => ["goharbor/server", tag] as const);
      await world.source.seed((target) => {
        for (const [name, tag] of [...sources, ["goharbor/tool", "7.1"] as const])
          pushTo(target, name, buildImage({ seed: `${name} ${tag}` }), tag);
      });
      const event = dispatch({ version: "v2.14.4, v2.15.0" });
      const inputs = { destinations: world.near.line, images: "server\ntool:7.1", wait: "0" };
      const { exitCode, outputs } = await act(world, { event, inputs });
      expect(exitCode).toBe(0);
      const state = await world.near.state();
      expect([tagsOf(state, "server"), tagsOf(state, "tool")]).toEqual([["v2.14.4", "v2.15.0"], ["7.1"]]);
      const images: readonly { image: string; tag: string }[] = JSON.parse(outputs.images ?? "");
      expect(images.map(({ image, tag }) => `${image}:${tag}`).sort()).toEqual([
        "server:v2.14.4",
        "server:v2.15.0",
        "tool:7.1",
      ]);
    });

    it("mirrors another repository's own images under other names", async () => {
      await using world = await start();
      const app = buildImage({ seed: "app", format: "oci" });
      await world.source.seed((target) => {
        pushTo(target, "goharbor/app", app, "2.15.2-alpine");
        pushTo(target, "goharbor/tool", buildImage({ seed: "tool" }), "v2.15.2");
      });
      const { exitCode, outputs } = await act(world, {
        event: dispatch({ version: "v2.15.2" }),
        inputs: { images: "app:{{version}}-alpine => team-app:{{tag}}\ntool" },
      });
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ copied: "4" });
      expect(await world.far.state()).toEqual({
        "goharbor/team-app": { "v2.15.2": app.digest },
        "goharbor/tool": { "v2.15.2": expect.stringContaining("sha256:") },
      });
    });
  });
}

interface DryReport {
  readonly estimate: {
    readonly destinations: readonly { readonly destination: string; readonly mostBytes: number }[];
  };
}

interface RealReport {
  readonly steps: readonly { readonly destination: string; readonly bytes?: { readonly uploaded: number } }[];
}

/** Bytes that a run says to have uploaded to a place. */
function uploadedTo({ name }: Place, { report }: ActionResult): number {
  const { steps } = report as RealReport;
  return steps.reduce(
    (sum, { destination, bytes }) => sum + (destination === name ? (bytes?.uploaded ?? 0) : 0),
    0,
  );
}

/** The lines of a group in a log of the runner. */
function groupIn(log: string, title: string): readonly string[] {
  const lines = log.split("\n");
  const start = lines.indexOf(`::group::${title}`);
  return lines.slice(start + 1, lines.indexOf("::endgroup::", start));
}
