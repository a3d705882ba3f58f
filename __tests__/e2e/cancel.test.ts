import { describe, expect, it } from "vitest";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

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
