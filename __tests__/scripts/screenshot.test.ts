import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/documents.ts";

test("a machine without the tools is told what to install, and nothing is drawn", () => {
  const folder = mkdtempSync(join(tmpdir(), "screenshot-test-"));
  try {
    const out = join(folder, "summary.png");
    const script = join(root, "scripts/screenshot.ts");
    const { status, stderr } = spawnSync(process.execPath, [script, "--tools", folder, "--out", out], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^(Chromium is not installed|The packages are missing).*install/);
    expect(existsSync(out)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
