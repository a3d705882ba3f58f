import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { actionEnvironment, parseOutputs, releaseEvent } from "../../sandbox/action.ts";
import { root } from "../support/documents.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { describeMainCases } from "./cases.ts";
import { runLocally } from "./local-action.ts";
import { office, startTcrWorld } from "./tcr-world.ts";
import { startSandboxWorld } from "./world.ts";

if (isInstalled("local-action")) {
  describeMainCases("the sources of the Action, with GitHub's local-action", async () => {
    return { ...(await startSandboxWorld()), run: runLocally };
  });
  describeBuilt();
} else {
  skipWithout("local-action", ".ci/run installs it");
}

/** The program calls `run` of a file; what is built starts when it is imported, and has no such function. */
function describeBuilt(): void {
  describe("the built Action, with GitHub's local-action", () => {
    test("mirrors to a closed TCR instance, and its post step closes the instance again", async () => {
      await using world = await startTcrWorld();
      const folder = await mkdtemp(join(tmpdir(), "local-action-"));
      try {
        const environment = actionEnvironment(world.sandbox, {
          event: releaseEvent(world.sandbox, "v2.15.2"),
          folder,
          inputs: world.inputs,
          env: { RUNNER_ENVIRONMENT: "github-hosted" },
        });
        const entryFor = async (path: string): Promise<string> => {
          const entry = join(folder, `run-${path.replaceAll("/", "-")}`);
          await writeFile(entry, `export const run = () => import(${JSON.stringify(join(root, path))});\n`);
          return entry;
        };
        await writeFile(join(folder, "package.json"), '{ "type": "module" }');

        const main = await runLocally(environment, { entry: await entryFor("dist/index.js") });
        expect([main.exitCode, main.exitCode === 0 ? "" : main.log]).toEqual([0, ""]);
        expect(main.outputs).toMatchObject({ versions: '["v2.15.2"]', copied: "24", failed: "0" });
        expect(main.summary).toContain("v2.15.2");
        expect(world.isMirrored("tcr") && world.isMirrored("dockerHub")).toBe(true);
        expect(world.allowlist()).toHaveLength(2);

        const saved = parseOutputs(await readFile(join(folder, "state"), "utf8"));
        const state = Object.entries(saved).map(([name, value]) => [`STATE_${name}`, value]);
        const post = await runLocally(
          { ...environment, ...Object.fromEntries(state) },
          { entry: await entryFor("post.js") },
        );
        expect([post.exitCode, post.exitCode === 0 ? "" : post.log]).toEqual([0, ""]);
        expect(world.allowlist()).toEqual([office]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
}
