import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkClock, checkSpool } from "../../src/check/runner.ts";
import { routedTransport } from "../support/scripted-transport.ts";

const { signal } = new AbortController();
const url = new URL("https://api.github.com");
const now = Date.UTC(2026, 5, 9, 12);
const gigabyte = 1e9;

describe("the clock", () => {
  test.each([
    ["the same time", { date: "Tue, 09 Jun 2026 12:00:00 GMT" }, "ok"],
    ["5 minutes behind", { date: "Tue, 09 Jun 2026 12:05:00 GMT" }, "ok"],
    ["more behind", { date: "Tue, 09 Jun 2026 12:05:01 GMT" }, "missing"],
    ["more ahead", { date: "Tue, 09 Jun 2026 11:54:59 GMT" }, "missing"],
    ["no time", {}, "unknown"],
    ["no date", { date: "yesterday" }, "unknown"],
    ["an answer from a cache", { date: "Tue, 09 Jun 2026 10:00:00 GMT", age: "7200" }, "unknown"],
  ])("%s", async (_case, headers: Record<string, string>, outcome) => {
    const transport = routedTransport(() => ({ status: 404, headers }));
    expect(await checkClock(transport, url, { now: () => now }, signal)).toMatchObject({ outcome });
    expect(transport.sent.map((request) => request.headers?.authorization)).toEqual([undefined]);
  });
});

describe("the spool folder", () => {
  test.each([
    [8 * gigabyte, "ok"],
    [8 * gigabyte - 1, "missing"],
  ])("with %d bytes free", async (free, outcome) => {
    const folder = await mkdtemp(join(tmpdir(), "check-"));
    expect(await checkSpool(folder, 8 * gigabyte, () => Promise.resolve(free))).toMatchObject({ outcome });
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("that is none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "check-"));
    await writeFile(join(folder, "file"), "");
    await expect(checkSpool(join(folder, "file"), gigabyte)).rejects.toThrow(/RUNNER_TEMP/);
    await rm(folder, { recursive: true });
  });

  test("goes away also when the disk fails", async () => {
    const folder = await mkdtemp(join(tmpdir(), "check-"));
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    await expect(checkSpool(folder, gigabyte, () => Promise.reject(full))).rejects.toThrow(/spool-limit/);
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
