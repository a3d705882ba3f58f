import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { act, startSandboxWorld, version } from "./world.ts";

test("BBR is tried once, before the first copy, and by nothing that copies nothing", async () => {
  await using world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  const folder = await mkdtemp(join(tmpdir(), "sudo-"));
  try {
    // Notes what it is asked for, and refuses: the machine of the tests is not theirs to change.
    const calls = join(folder, "calls");
    await writeFile(calls, "");
    const refusal = `#!/bin/sh\necho "$@" >> '${calls}'\necho 'sudo: a password is required' >&2\nexit 1\n`;
    await writeFile(join(folder, "sudo"), refusal, { mode: 0o755 });
    const env = {
      RUNNER_ENVIRONMENT: "github-hosted",
      PATH: [folder, process.env.PATH].join(delimiter),
    };
    // On the machine of the tests it is there already, refused, or not tried, as in a container.
    const told = async (inputs: Readonly<Record<string, string>>) => {
      const { exitCode, log } = await act(world, { env, inputs });
      expect([exitCode, exitCode === 0 ? "" : log]).toEqual([0, ""]);
      return log.split("\n").filter((line) => /^Uploads (use BBR|go on with)/.test(line)).length;
    };
    expect(await told({ "dry-run": "true" })).toBe(0);
    expect(await told({ mode: "plan" })).toBe(0);
    expect(await readFile(calls, "utf8")).toBe("");
    const lines = process.platform === "linux" ? 1 : 0;
    expect(await told({})).toBe(lines);
    const asked = await readFile(calls, "utf8");
    expect(await told({})).toBe(0);
    expect(await readFile(calls, "utf8")).toBe(asked);
    expect(asked).not.toMatch(/^(?!-n (modprobe tcp_bbr|sysctl -q -w net\.))./m);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
