import { describe, expect, it } from "vitest";
import { startRegistry } from "../../sandbox/registry.ts";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

it("cancelled while it prunes for many routes, a run tells what it has deleted, and tries no more", async () => {
  await using world = await startSandboxWorld();
  await using destination = await startRegistry();
  for (const tag of ["v2.15.2", "v2.15.1"]) {
    await world.source.seed(version(tag));
    version(tag)(destination);
  }
  const routes = ["core", "db", "log"].map((name) => `{name: ${name}, images: harbor-${name}}`);
  destination.fault({ when: { method: "DELETE", path: /db\/manifests\/v2/ }, effect: { hang: true } });
  const { exitCode, outputs, log } = await act(world, {
    inputs: {
      ...world.inputs,
      destinations: `${destination.host}/goharbor,keep=1`,
      routes: `[${routes.join()}]`,
    },
    onStart: (child) => {
      let told = "";
      child.stdout?.on("data", (piece) => {
        told += piece;
        if (/core v2\.15\.1 at .* deleted/.test(told)) child.kill("SIGINT");
      });
    },
  });
  expect(exitCode).toBe(1);
  expect(destination.tags("goharbor/harbor-core").has("v2.15.1")).toBe(false);
  expect(destination.tags("goharbor/harbor-log").has("v2.15.1")).toBe(true);
  expect(outputs).toMatchObject({ versions: '["v2.15.2"]', skipped: "3", pruned: "1" });
  expect(log).toMatch(/log v2\.15\.1 at .*: 1 tag not deleted: the run was cancelled/);
});

describe.each(["SIGINT", "SIGTERM"] as const)("a job that is cancelled (%s)", (signal) => {
  it("stops, says what is done, moves no tag of what is not complete, and tidies up its uploads", async () => {
    await using world = await startSandboxWorld();
    for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
    await world.source.seed(version("v2.15.2", { scale: 0.5 }));
    const { registry } = world.sandbox.tcr;
    const before = registry.state();
    // TCR takes so little a second that the run would last for minutes; Docker Hub is done at once.
    registry.fault({
      when: { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// },
      times: Number.POSITIVE_INFINITY,
      effect: { requestBytesPerSecond: 20_000 },
    });
    const hub = world.sandbox.dockerHub.registry;
    const { exitCode, outputs, summary, log } = await act(world, {
      onStart: (child) => {
        // Tags are read back before anything is called published, and the log tells that moment.
        let told = "";
        child.stdout?.on("data", (piece) => {
          told += piece;
          if (/v2\.15\.2 is complete at /.test(told)) child.kill(signal);
        });
      },
    });
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ copied: "12", failed: "12", pruned: "0" });
    expect(summary).toContain("v2.15.2");
    expect(log).toContain("the run was cancelled");
    expect(tagsOf(hub.state(), "harbor-core")).toEqual(["v2.15.2"]);
    // A repository may have got blobs meanwhile; no tag of any has changed.
    expect(registry.state()).toMatchObject(before);
    expect(Object.values(registry.state()).flatMap((tags) => Object.keys(tags))).not.toContain("v2.15.2");
    expect(registry.uploadsOpen()).toBe(0);
  });
});
