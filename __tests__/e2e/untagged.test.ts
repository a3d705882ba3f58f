import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, type RunOptions, startSandboxWorld } from "./world.ts";

/** What an overwritten tag leaves without a tag, at a registry that only speaks the registry API. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const old = buildImage({ seed: "old" });
const fresh = buildImage({ seed: "fresh" });
const signature = buildImage({ seed: "signature" });
const signatureTag = `${old.digest.replace(":", "-")}.sig`;

/** A version at the source, whose tag holds something else at the destination. */
async function startWorld(tag: string) {
  const world = await startSandboxWorld();
  const [source, destination] = await Promise.all([startRegistry(), startRegistry()]);
  open.push(world, source, destination);
  pushTo(source, "team/app", fresh, tag);
  pushTo(destination, "mirror/app", old, tag);
  const options = (attributes: string, inputs: Readonly<Record<string, string>> = {}): RunOptions => ({
    event: { name: "workflow_dispatch", payload: { inputs: { version: tag } } },
    inputs: {
      images: "app",
      source: `${source.host}/team`,
      destinations: `${destination.host}/mirror${attributes}`,
      "dockerhub-username": "",
      "dockerhub-token": "",
      "tcr-secret-id": "",
      "tcr-secret-key": "",
      ...inputs,
    },
  });
  const run = (...given: Parameters<typeof options>) => act(world, options(...given));
  const holds = () => destination.manifest("mirror/app", old.digest) !== undefined;
  return { world, source, destination, options, run, holds };
}

const tagsOf = (registry: RegistryServer) => [...registry.tags("mirror/app").keys()].sort();
/** Without the one that only finds out whether the login may: it names what is not there. */
const deletions = (registry: RegistryServer) =>
  registry.requests.filter(({ method, status }) => method === "DELETE" && status !== 404);

describe("what an overwritten tag leaves untagged", () => {
  it("is deleted after the publishing where the destination's own line has keep=N, with its signature tag", async () => {
    const { destination, run, holds } = await startWorld("v2.15.2");
    pushTo(destination, "mirror/app", signature, signatureTag);
    const dry = await run(",keep=3", { "dry-run": "true" });
    expect(dry.exitCode).toBe(0);
    expect(dry.log).toMatch(new RegExp(`prune .*app@${old.digest}`));
    expect([holds(), deletions(destination)]).toEqual([true, []]);
    const { exitCode, outputs } = await run(",keep=3");
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "2", failed: "0" });
    expect(holds()).toBe(false);
    expect(tagsOf(destination)).toEqual(["v2.15.2"]);
    expect(destination.tags("mirror/app").get("v2.15.2")).toBe(fresh.digest);
    expect(destination.completeness("mirror/app", "v2.15.2")).toEqual([]);
    const deleted = deletions(destination);
    expect(deleted.map(({ path }) => path.includes(old.digest))).toEqual([true, false]);
    const put = destination.requests.findIndex(
      ({ method, path }) => method === "PUT" && path.endsWith("/manifests/v2.15.2"),
    );
    expect(put).toBeLessThan(
      destination.requests.findIndex(
        ({ path, status }) => path === deleted[0]?.path && status === deleted[0].status,
      ),
    );
  });

  it("is deleted by the last of several jobs", async () => {
    const { world, destination, options, holds } = await startWorld("v2.15.2");
    const plan = await planJob(world, options(",keep=3"));
    for (const job of matrixOf(plan)) await copyJob(world, plan, job, options(",keep=3"));
    expect([holds(), deletions(destination)]).toEqual([true, []]);
    const { exitCode, outputs } = await publishJob(world, plan, options(",keep=3"));
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "1", failed: "0" });
    expect(holds()).toBe(false);
    expect(destination.completeness("mirror/app", "v2.15.2")).toEqual([]);
  });

  it("is told and stays where the input keep alone says it", async () => {
    const { destination, run, holds } = await startWorld("v2.15.2");
    const { exitCode, outputs, summary } = await run("", { keep: "3" });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "0" });
    expect(summary).toContain(old.digest);
    expect([holds(), deletions(destination)]).toEqual([true, []]);
  });

  it("stays where another tag has it", async () => {
    const { destination, run, holds } = await startWorld("v2.15.2");
    pushTo(destination, "mirror/app", old, "lts");
    const { exitCode, outputs, log } = await run(",keep=3");
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "0" });
    expect(log).toContain("its tag is overwritten, but app:lts, which stays, has it too");
    expect([holds(), deletions(destination)]).toEqual([true, []]);
  });

  it("stays where another tag comes to have it while the run copies", async () => {
    const { destination, run, holds } = await startWorld("v2.15.2");
    destination.fault({
      when: { method: "PUT", path: /mirror\/app\/manifests\// },
      effect: { run: () => void pushTo(destination, "mirror/app", old, "lts") },
    });
    const { exitCode, outputs, log } = await run(",keep=3");
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "1", pruned: "0" });
    expect(log).toContain("its manifest is needed by lts, which stays");
    expect([holds(), deletions(destination)]).toEqual([true, []]);
  });

  it("counts with prune-limit", async () => {
    const { source, destination, run, holds } = await startWorld("latest");
    pushTo(source, "team/app", fresh, "edge");
    pushTo(destination, "mirror/app", buildImage({ seed: "other" }), "edge");
    const { exitCode, log } = await run(",keep=3", {
      repository: "",
      "versions-from": "tags",
      version: "latest\nedge",
      "prune-limit": "1",
    });
    expect(exitCode).toBe(0);
    expect(log).toContain("2 versions would be deleted or overwritten here in one run");
    expect([holds(), deletions(destination)]).toEqual([true, []]);
  });

  it("goes where versions are tags and a floating tag has moved, and no source has to have it", async () => {
    for (const attributes of [",keep=3", ""]) {
      const { source, destination, run, holds } = await startWorld("latest");
      const { exitCode, outputs } = await run(attributes, {
        repository: "",
        "versions-from": "tags",
        version: "latest",
      });
      expect(exitCode).toBe(0);
      const goes = attributes !== "";
      expect(outputs).toMatchObject({ copied: "1", pruned: goes ? "1" : "0", failed: "0" });
      expect(holds()).toBe(!goes);
      expect(destination.tags("mirror/app").get("latest")).toBe(fresh.digest);
      const listings = source.requests.filter(({ path }) => path.includes("tags/list"));
      expect(listings).toHaveLength(1);
    }
  });

  it("stays where no source lists its tags", async () => {
    const { source, destination, run, holds } = await startWorld("latest");
    source.fault({ when: { path: /tags\/list/ }, times: Infinity, effect: { status: 403 } });
    const inputs = { repository: "", "versions-from": "tags", version: "latest" };
    const { exitCode, outputs, log } = await run(",keep=3", inputs);
    expect(exitCode).toBe(0);
    expect(log).toContain("Nothing is pruned, because the versions at the sources are not known");
    expect(outputs).toMatchObject({ copied: "1", pruned: "0", failed: "0" });
    expect([holds(), deletions(destination)]).toEqual([true, []]);
  });
});
