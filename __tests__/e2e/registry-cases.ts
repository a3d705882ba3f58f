import { describe, expect, it } from "vitest";
import { componentsOf } from "../../sandbox/harbor.ts";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { act, tagsOf, version, type World } from "./world.ts";

const byHand = { name: "workflow_dispatch", payload: { inputs: { version: "v2.15.2" } } };

/** The rest of the story that every registry of others has to stand, beside the main cases. */
export function describeRegistryCases(name: string, start: () => Promise<World>): void {
  describe(name, () => {
    it("completes what a killed run has left", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      const killed = await act(world, {
        onStart: (child) => {
          child.stdout?.on("data", (text: Buffer) => {
            if (text.toString().includes("::group::Copy")) child.kill("SIGKILL");
          });
        },
      });
      expect(killed.exitCode).not.toBe(0);
      const { exitCode, outputs } = await act(world);
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ failed: "0" });
      for (const image of componentsOf("v2.15.2")) {
        for (const place of [world.near, world.far])
          expect(await place.problems(`goharbor/${image}`, "v2.15.2")).toEqual([]);
      }
    });

    it("brings signatures and referrers along, and finds them in place the next time", async () => {
      await using world = await start();
      const app = buildImage({ seed: "app", format: "oci" });
      const sbom = buildImage({ seed: "sbom", format: "oci", subject: app, artifactType: "text/spdx+json" });
      const signature = buildImage({ seed: "signature", format: "oci" });
      const fallback = app.digest.replace(":", "-");
      await world.source.seed((target) => {
        pushTo(target, "goharbor/app", app, "v2.15.2");
        pushTo(target, "goharbor/app", sbom);
        pushTo(target, "goharbor/app", buildIndex([sbom]), fallback);
        pushTo(target, "goharbor/app", signature, `${fallback}.sig`);
      });
      const inputs = { images: "app" };
      const first = await act(world, { event: byHand, inputs });
      expect(first.exitCode).toBe(0);
      for (const place of [world.near, world.far]) {
        expect((await place.state())["goharbor/app"]).toMatchObject({
          "v2.15.2": app.digest,
          [`${fallback}.sig`]: signature.digest,
        });
        expect(await place.problems("goharbor/app", sbom.digest)).toEqual([]);
      }
      const states = await Promise.all([world.near.state(), world.far.state()]);
      const again = await act(world, { event: byHand, inputs });
      expect(again.exitCode).toBe(0);
      expect(again.outputs).toMatchObject({ copied: "0", skipped: "2" });
      expect(await Promise.all([world.near.state(), world.far.state()])).toEqual(states);
    });

    it("copies the platforms that are wanted, by a new index", async () => {
      await using world = await start();
      const platforms = ["linux/amd64", "linux/arm64"];
      const children = platforms.map((platform) => buildImage({ seed: platform, format: "oci", platform }));
      const index = buildIndex(children);
      await world.source.seed((target) => pushTo(target, "goharbor/app", index, "v2.15.2"));
      const { exitCode } = await act(world, {
        event: byHand,
        inputs: { images: "app", platforms: "linux/arm64" },
      });
      expect(exitCode).toBe(0);
      for (const place of [world.near, world.far]) {
        const { "v2.15.2": digest = "" } = (await place.state())["goharbor/app"] ?? {};
        expect(digest).toMatch(/^sha256:/);
        expect(digest).not.toBe(index.digest);
        expect(await place.problems("goharbor/app", "v2.15.2")).toEqual([]);
        expect(await place.problems("goharbor/app", children[1]?.digest ?? "")).toEqual([]);
        expect(await place.problems("goharbor/app", children[0]?.digest ?? "")).not.toEqual([]);
      }
    });

    it("deletes what an overwritten tag leaves where its own line has keep=N, and nothing that another tag has", async () => {
      for (const isNeeded of [false, true]) {
        await using world = await start();
        const old = buildImage({ seed: "old" });
        const fresh = buildImage({ seed: "fresh" });
        await world.source.seed((target) => pushTo(target, "goharbor/app", fresh, "v2.15.2"));
        await world.far.seed((target) => {
          pushTo(target, "goharbor/app", old, "v2.15.2");
          if (isNeeded) pushTo(target, "goharbor/app", old, "lts");
        });
        const inputs = { images: "app", destinations: `${world.far.line},keep=3` };
        const { exitCode, outputs } = await act(world, { event: byHand, inputs });
        expect(exitCode).toBe(0);
        expect(outputs).toMatchObject({ copied: "1", pruned: isNeeded ? "0" : "1", failed: "0" });
        expect(await world.far.problems("goharbor/app", "v2.15.2")).toEqual([]);
        expect((await world.far.problems("goharbor/app", old.digest)).length === 0).toBe(isNeeded);
      }
    });

    it("finds nothing wrong in a check, and leaves nothing behind", async () => {
      await using world = await start();
      await world.source.seed(version("v2.15.2"));
      for (const held of ["v2.15.1", "v2.15.0"]) await world.far.seed(version(held));
      const before = await Promise.all([world.near.state(), world.far.state()]);
      const { exitCode, log } = await act(world, { inputs: { check: "true" } });
      expect(log).not.toContain("::error");
      expect(exitCode).toBe(0);
      expect(await Promise.all([world.near.state(), world.far.state()])).toEqual(before);
      expect(tagsOf(before[1], "harbor-core")).toEqual(["v2.15.0", "v2.15.1"]);
    });
  });
}
