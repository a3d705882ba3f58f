import { expect, test } from "vitest";
import { colourPaint } from "../../src/log/paint.ts";
import { act, startSandboxWorld, version } from "./world.ts";

/** The log of a run that copies two images to both destinations and prunes an old version, with this environment. */
async function logOf(env: Readonly<Record<string, string>>): Promise<string> {
  await using world = await startSandboxWorld();
  const images = ["harbor-core", "harbor-db"];
  await world.source.seed(version("v2.15.2", { images }));
  for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held, { images }));
  const { exitCode, log } = await act(world, { inputs: { images: images.join("\n") }, env });
  expect(exitCode).toBe(0);
  return log;
}

test("the log tells a run in its order: look, plan, copy, prune, and a paragraph at the end", async () => {
  const log = await logOf({});
  const lines = log.split("\n").filter((line) => line !== "" && !line.startsWith("::add-mask::"));
  const groups = lines.filter((line) => line.startsWith("::group::")).map((line) => line.slice(9));
  expect(groups).toEqual(["Look at releases, sources and destinations", "Plan", "Copy", "Prune"]);
  const told = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
  expect(told(/^✓ v2\.15\.2 has 2 images, each at a source$/)).toBe(1);
  expect(told(/^✓ harbor-(core|db):v2\.15\.2 → .* uploaded.*, after \d+\.\d s$/)).toBe(4);
  expect(told(/^★ v2\.15\.2 is complete at /)).toBe(2);
  expect(told(/^✓ v2\.14\.4 at .*: 2 tags deleted$/)).toBe(1);
  expect(lines.at(-1)).toMatch(
    /v2\.15\.2: 4 images copied.* Complete at .*: v2\.15\.2\. Deleted at .*v2\.14\.4\.$/,
  );
  expect(log).not.toContain("::debug::");
  expect(log).not.toContain("\u001b");
});

test("with debugging, each request is told with its time, and no query", async () => {
  const log = await logOf({ RUNNER_DEBUG: "1" });
  const requests = log.split("\n").filter((line) => /^::debug::(GET|HEAD|PUT|POST|PATCH|DELETE) /.test(line));
  expect(requests.length).toBeGreaterThan(50);
  for (const line of requests) expect(line).toMatch(/ \d+ ?ms$/);
  // What uploads carry in their queries: digests, and the state that a registry hands out.
  for (const line of requests) expect(line).not.toMatch(/\?(?!…|per_page=)/);
});

test("has colours unless NO_COLOR says otherwise, and none in commands", async () => {
  const log = await logOf({ NO_COLOR: "" });
  expect(log).toContain(`${colourPaint.good("✓")} harbor-core:v2.15.2 → `);
  for (const line of log.split("\n")) if (line.startsWith("::")) expect(line).not.toContain("\u001b");
});
