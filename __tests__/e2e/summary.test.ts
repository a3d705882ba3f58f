/** The job summary of the built Action: what its first screen says is true of the registries, and it can be left out. */
import { describe, expect, it } from "vitest";
import { releaseEvent } from "../../sandbox/action.ts";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

it("a run that fails at one destination says what is true at both, and that is so", async () => {
  await using world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  await world.far.seed(version("v2.15.1"));
  world.sandbox.tcr.registry.fault({
    when: { method: "POST", path: /harbor-db\/blobs\/uploads/ },
    times: Number.POSITIVE_INFINITY,
    effect: { status: 403, body: '{"errors":[{"code":"DENIED","message":"not here"}]}' },
  });
  const { exitCode, summary } = await act(world);
  expect(exitCode).toBe(1);
  const [box = ""] = summary.split("\n\n").filter((block) => block.startsWith("> [!CAUTION]"));
  expect(box).toContain(`> - At \`${world.near.name}\`, \`v2.15.2\` is complete.\n`);
  expect(box).toContain(`> - At \`${world.far.name}\`, no tag of \`v2.15.2\` has moved.\n`);
  expect(box).toContain("> - Nothing was deleted.\n");
  expect(box).toContain("<br>**What to do:** ");
  const atFar = Object.values(await world.far.state()).flatMap((tags) => Object.keys(tags));
  expect(new Set(atFar)).toEqual(new Set(["v2.15.1"]));
  expect(tagsOf(await world.near.state(), "harbor-db")).toEqual(["v2.15.2"]);
});

it("with summary: false there is none; log, outputs and report come all the same", async () => {
  await using world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  const { exitCode, summary, outputs, log, report } = await act(world, { inputs: { summary: "false" } });
  expect(exitCode).toBe(0);
  expect(summary).toBe("");
  expect(outputs).toMatchObject({ versions: '["v2.15.2"]', copied: "24" });
  expect(log).toContain("24 images copied");
  expect(report).toMatchObject({ succeeded: true });
});

it("with summary: false a check of the configuration writes none either", async () => {
  await using world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  const { summary, report } = await act(world, { inputs: { check: "true", summary: "false" } });
  expect(summary).toBe("");
  expect(report).toMatchObject({ check: true });
});

describe("a run that stops before it has a plan says why in the summary", () => {
  it("with all mistakes in the inputs, each a line, and no secret", async () => {
    await using world = await startSandboxWorld();
    const inputs = { keep: "none", wait: "soon `or` <b>later</b>" };
    const { exitCode, summary } = await act(world, { inputs });
    expect(exitCode).toBe(1);
    expect(summary).toContain("❌ Before it had a plan: no image or tag was touched.");
    expect(summary).toContain(
      "> [!CAUTION]\n> **Why**\n>\n> The inputs need mending&#58;<br>\n> - keep&#58; ",
    );
    expect(summary).toMatch(/^> - wait&#58; .*<code>or<\/code> &#60;b&#62;later/m);
    expect(await world.near.state()).toEqual({});
  });

  it("and writes none where none is wanted", async () => {
    await using world = await startSandboxWorld();
    const { exitCode, summary } = await act(world, { inputs: { keep: "none", summary: "FALSE" } });
    expect([exitCode, summary]).toEqual([1, ""]);
  });

  it("or that there is nothing to do", async () => {
    await using world = await startSandboxWorld();
    const event = releaseEvent(world, "v2.15.0-rc1");
    const { exitCode, summary, log } = await act(world, { event });
    expect(exitCode).toBe(0);
    const [, reason = ""] = /^Nothing to do: (.*)$/m.exec(log) ?? [];
    expect(reason).not.toBe("");
    expect(summary).toMatch(/^## ⚓ Nothing to do\n\n✅ \S/);
  });
});
