import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nothingLeftOpen } from "./judge.ts";
import {
  artifact,
  images,
  keptBefore,
  type RunResult,
  repository,
  startWorld,
  type World,
  wanted,
} from "./world.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "disk-test-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** No tag moved anywhere, nothing was deleted, every image counts as failed. */
function expectUntouched(world: World, result: RunResult): void {
  expect(result.done).toBe(false);
  for (const destination of [world.troubled, world.healthy]) {
    expect(destination.events.filter(({ kind }) => kind === "tag" || kind === "untag")).toEqual([]);
  }
  expect(result.outputs.failed).toBe(String(2 * images.length));
}

/** The sentences about the runner, for people. */
function sentences({ lines }: RunResult): readonly string[] {
  return lines.filter((line) => line.includes("runner /") && line.includes(" failed: "));
}

describe("a temporary folder", () => {
  test.each<[string, (folder: string) => string, string]>([
    ["that is not there", (inside) => join(inside, "missing"), "ENOENT"],
    [
      "that is a file",
      (inside) => {
        writeFileSync(join(inside, "file"), "");
        return join(inside, "file");
      },
      "ENOTDIR",
    ],
  ])("%s fails every image in plain words, and the run reports all the same", async (_what, path, code) => {
    await using world = await startWorld();
    const temporary = path(folder);
    const result = await world.run({ env: { RUNNER_TEMP: temporary } });
    expectUntouched(world, result);
    const [sentence] = sentences(result);
    expect(sentence).toContain(`runner ${temporary}: making a folder for blobs on their way failed: ${code}`);
    expect(sentence).toContain("`RUNNER_TEMP`");
    expect(result.lines.at(-1)).toMatch(/failed/);
    // Nobody is asked for a blob that cannot be kept.
    expect(world.source.requests.filter(({ path: asked }) => asked.includes("/blobs/"))).toEqual([]);
  });
});

/** Lets writes fail, as on a full disk, that bring bytes of this blob. */
async function fillDiskFor(bytes: Buffer): Promise<void> {
  const file = await open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  const writev = prototype.writev;
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  vi.spyOn(prototype, "writev").mockImplementation(function (this: FileHandle, ...given: unknown[]) {
    const [chunks, position] = given as [readonly Buffer[], number];
    const written = Buffer.concat(chunks);
    const isOfBlob = written.equals(bytes.subarray(position, position + written.length));
    return isOfBlob ? Promise.reject(full) : Reflect.apply(writev, this, given);
  } as FileHandle["writev"]);
}

describe("a full disk", () => {
  const layer = artifact("core", wanted).layers[1]?.bytes ?? Buffer.alloc(0);

  test("fails the version whose blob it does not take, says what to do, and lets other versions through", async () => {
    await using world = await startWorld();
    for (const image of images) world.healthy.deleteTag(repository(image), keptBefore);
    await fillDiskFor(layer);
    const event = { inputs: { version: `${wanted},${keptBefore}` } };
    const result = await world.run({ inputs: event.inputs });
    expect(result.done).toBe(false);
    expect(sentences(result).join("\n")).toMatch(
      /runner .*spool-\w+: writing the file of a blob on its way failed: ENOSPC: .*lower `spool-limit`/,
    );
    for (const image of images) {
      expect([...world.healthy.tags(repository(image)).keys()]).not.toContain(wanted);
      expect(world.healthy.completeness(repository(image), keptBefore)).toEqual([]);
      expect([...world.troubled.tags(repository(image)).keys()]).not.toContain(wanted);
    }
    // The blob is asked for once: neither another try nor another repository helps.
    const asked = world.source.requests.filter(
      ({ method, path }) =>
        method === "GET" && path.includes(artifact("core", wanted).layers[1]?.digest ?? "?"),
    );
    expect(asked).toHaveLength(1);
    await nothingLeftOpen(world);
  });

  test("in truth, of 128 KiB, ends the run in plain words", async ({ skip }) => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], { stdio: "pipe" });
    } catch (error) {
      const reason = `a small disk cannot be mounted here: ${String(error).split("\n")[0]}`;
      console.warn(reason);
      skip(reason);
    }
    try {
      await using world = await startWorld();
      const result = await world.run({ env: { RUNNER_TEMP: folder } });
      expectUntouched(world, result);
      expect(sentences(result).join("\n")).toMatch(/ENOSPC: .*lower `spool-limit`/);
      expect(readdirSync(folder).filter((name) => name.startsWith("spool-"))).toEqual([]);
      await nothingLeftOpen(world);
    } finally {
      execFileSync("umount", [folder]);
    }
  });
});
