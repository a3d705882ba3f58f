import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hubAccount } from "../../sandbox/docker-hub.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import { reportSchema, schemaProblems } from "../support/json-schema.ts";
import { startExampleWorld, tagsByNamespace } from "./examples.ts";
import { mirror } from "./terminal.ts";
import { scale } from "./world.ts";

const wanted = ["--version", "v2.15.2", "--destinations", "registry.example.com/harbor,keep=all"];
const toBoth = [...wanted, "--destinations", "docker.io/goharbor,keep=1"];

describe("npm run mirror", { timeout: 120_000 }, () => {
  test("shows the plan and writes nothing", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output } = await mirror(world, toBoth);
    expect(output).toContain("Add --apply to carry it out.");
    expect(output).toContain("v2.15.2");
    expect(status).toBe(0);
    expect(world.registry.events).toEqual([]);
    expect(world.sandbox.dockerHub.registry.events).toEqual([]);
  });

  test("with --apply copies and prunes, with the logins of docker login alone", async () => {
    await using world = await startExampleWorld("goharbor");
    seedRelease(world.sandbox.dockerHub.registry, "v2.15.1", { scale });
    const { status, output } = await mirror(world, [...toBoth, "--apply"]);
    expect(status).toBe(0);
    expect(output).not.toContain("--apply");
    expect(output).not.toMatch(/^::/m);
    expect(output).not.toContain(hubAccount.secret);
    expect(tagsByNamespace(world.registry)).toEqual({ harbor: ["v2.15.2"] });
    expect(tagsByNamespace(world.sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(world.internet.refused).toEqual([]);
    const [, folder = ""] = /Summary and report: (\S+)/.exec(output) ?? [];
    expect(readFileSync(join(folder, "summary.md"), "utf8")).toContain("v2.15.2");
  });

  test("shows its help to who gives nothing", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output } = await mirror(world, []);
    expect([status, output]).toEqual([0, expect.stringContaining("--destinations")]);
  });

  test("with --check tries out logins and rights, and writes nothing", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output } = await mirror(world, ["--check", ...toBoth]);
    expect([status, output]).toEqual([0, expect.stringContaining("docker.io/goharbor, delete: ok")]);
    expect(output).toContain("registry.example.com/harbor, sign in: ok");
    expect(output).not.toContain("--apply");
    for (const registry of [world.registry, world.sandbox.dockerHub.registry]) {
      expect(registry.events).toEqual([]);
      expect(registry.uploadsOpen()).toBe(0);
    }
    expect(world.internet.refused).toEqual([]);
  });

  test("is not led astray by what a runner has left in the environment", async () => {
    await using world = await startExampleWorld("goharbor");
    const event = join(world.folder, "event.json");
    writeFileSync(event, "not an event");
    const env = { GITHUB_EVENT_NAME: "release", GITHUB_EVENT_PATH: event, INPUT_VERSION: "v2.14.4" };
    const { status, output } = await mirror(world, wanted, { env });
    expect([status, output]).toEqual([0, expect.stringContaining("v2.15.2")]);
    expect(output).not.toContain("v2.14.4");
  });

  test("tells a mistake, in the words of the Action, from a failure", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output } = await mirror(world, ["--destinations", "registry.example.com/harbor"]);
    expect([status, output]).toEqual([2, expect.stringContaining("No version to mirror")]);
    expect(output).not.toContain("::");
    for (const args of [
      ["--destination", "registry.example.com/harbor"],
      ["--version", "v9.9.9", "--destinations", "registry.example.com/harbor"],
      [...wanted, "--keep", "three"],
    ])
      expect((await mirror(world, args)).status).toBe(2);
    const down = { when: {}, times: Number.POSITIVE_INFINITY, effect: { status: 403 } };
    world.registry.fault(down);
    expect((await mirror(world, [...wanted, "--apply"])).status).toBe(1);
  });

  test("with --json writes the report alone to standard output, and with --quiet nothing else", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output, stdout } = await mirror(world, [...wanted, "--json", "--apply"]);
    expect([status, output]).toEqual([0, expect.stringContaining("▸ Plan")]);
    const report = JSON.parse(stdout);
    expect(schemaProblems(report, reportSchema)).toEqual([]);
    expect(report).toMatchObject({ succeeded: true, versions: ["v2.15.2"] });
    const again = await mirror(world, [...wanted, "--json", "--quiet"]);
    expect(again.output).toBe(again.stdout);
    expect(JSON.parse(again.stdout)).toMatchObject({ dryRun: true });
    const quiet = await mirror(world, [...wanted, "-q"]);
    expect([quiet.status, quiet.output]).toEqual([0, ""]);
    const check = await mirror(world, ["--check", ...wanted, "--json", "-q"]);
    expect(JSON.parse(check.stdout)).toMatchObject({ check: true, succeeded: true });
    const mistaken = await mirror(world, [...wanted, "--json", "--quiet", "--keep", "x"]);
    expect([mistaken.status, mistaken.stdout]).toEqual([2, ""]);
    expect(mistaken.output).toContain("keep: ");
  });

  test("waits for no image that is not there, unless it is asked to", async () => {
    await using world = await startExampleWorld("goharbor");
    const args = [
      "--version",
      "v2.15.2",
      "--images",
      "harbor-core\nnone-such",
      ...wanted.slice(2),
      "--apply",
    ];
    const { status, output } = await mirror(world, args);
    expect([status, output]).toEqual([1, expect.stringContaining("none-such")]);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 1],
  ] as const)("ends in good order when it is interrupted by %s, with status %i", async (signal, expected) => {
    await using world = await startExampleWorld("goharbor");
    world.registry.fault({ when: {}, times: Number.POSITIVE_INFINITY, effect: { delayMs: 200 } });
    let told = false;
    const { status, output } = await mirror(world, [...wanted, "--apply"], {
      onOutput: (text, child) => {
        if (told || !text.includes("Mirroring")) return;
        told = true;
        child.kill(signal);
      },
    });
    expect(status).toBe(expected);
    expect(output).toContain("cancelled");
    expect(tagsByNamespace(world.registry)).toEqual({});
    expect(world.registry.uploadsOpen()).toBe(0);
  });

  test("interrupted while tags are set, sets the others of that version, and says what is true", async () => {
    await using world = await startExampleWorld("goharbor");
    // One tag at once, the others later, so that the interruption comes between them.
    const late = { method: "PUT", path: /\/(?!prepare)[\w-]+\/manifests\/v2\.15\.2$/ };
    world.registry.fault({ when: late, times: Number.POSITIVE_INFINITY, effect: { delayMs: 1_000 } });
    let told = false;
    const { status, output } = await mirror(world, [...wanted, "--apply"], {
      onOutput: (text, child) => {
        if (told || !text.includes("✓ ")) return;
        told = true;
        const look = setInterval(() => {
          if (!Object.values(world.registry.state()).some((tags) => "v2.15.2" in tags)) return;
          clearInterval(look);
          child.kill("SIGINT");
        }, 20);
      },
    });
    expect(Object.values(world.registry.state()).map((tags) => Object.keys(tags))).toEqual(
      Array.from({ length: 12 }, () => ["v2.15.2"]),
    );
    expect([status, output]).toEqual([130, expect.stringContaining("is complete")]);
  });

  test("interrupted, tells it once, and how each version stands", async () => {
    await using world = await startExampleWorld("goharbor");
    const slow = { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// };
    world.registry.fault({
      when: slow,
      times: Number.POSITIVE_INFINITY,
      effect: { requestBytesPerSecond: 4_000 },
    });
    let told = false;
    const args = ["--version", "v2.15.2,v2.14.4", ...wanted.slice(2), "--destinations", "docker.io/goharbor"];
    const { status, output } = await mirror(world, [...args, "--apply"], {
      onOutput: (text, child) => {
        if (told || !text.includes("v2.14.4 is complete at docker.io")) return;
        told = true;
        child.kill("SIGINT");
      },
    });
    expect(status).toBe(130);
    const red = output.split("\n").filter((line) => line.trim().startsWith("✗"));
    expect(red.filter((line) => line.includes("cancelled"))).toHaveLength(1);
    // That, and a line for each version that is not complete.
    expect(red.length).toBeLessThanOrEqual(3);
    expect(output).toContain("At registry.example.com/harbor, no tag of v2.15.2, v2.14.4 has moved.");
    expect(output).toMatch(/At docker\.io\/goharbor, [^.]* complete\./);
    expect(output).toContain("The next run copies what is missing, and only that.");
    expect(tagsByNamespace(world.registry)).toEqual({});
  });

  test("speaks to a person on a terminal: colours, groups, no commands for a runner", async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, output } = await mirror(world, [...wanted, "--apply"], { terminal: true });
    expect(status).toBe(0);
    expect(output).toContain("\u001b[1m▸ Plan");
    expect(output).not.toMatch(/^::/m);
    expect(tagsByNamespace(world.registry)).toEqual({ harbor: ["v2.15.2"] });
    expect(output).toContain("\u001b[32m✓\u001b[39m harbor-core:v2.15.2 → registry.example.com/harbor: ");
    const plain = await mirror(world, wanted, { terminal: true, env: { NO_COLOR: "1" } });
    expect(plain.output).toContain("▸ Plan (dry run");
    expect(plain.output).not.toContain("\u001b[");
  });

  test("draws progress anew in place on a terminal, and not where no codes are taken", async () => {
    await using world = await startExampleWorld("goharbor");
    // Longer than the second between two looks at progress, so that there is at least one of them.
    const slow = { when: { method: "PUT", path: /manifests/ }, effect: { delayMs: 2_500 } };
    world.registry.fault(slow);
    const { output } = await mirror(world, [...wanted, "--apply"], {
      terminal: true,
      env: { NO_COLOR: "1" },
    });
    expect(output).toMatch(/ {2}after \d\.\d s: .* of .* {2}registry\.exa[^\n]*\n/);
    expect(output).toContain("\u001b[1A\u001b[J");
    world.registry.fault(slow);
    const dumb = await mirror(world, [...wanted, "--apply"], { terminal: true, env: { TERM: "dumb" } });
    expect(dumb.output).not.toContain("\u001b");
  });
});
