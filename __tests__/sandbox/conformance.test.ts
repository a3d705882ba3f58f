import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startRegistry } from "../../sandbox/registry.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";

const suite = "github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111";

describe("the registry of the sandbox, in the conformance suite of the distribution specification", () => {
  if (!isInstalled("conformance")) {
    skipWithout("conformance", `go install ${suite}`);
    return;
  }

  it("passes but for what the head comment of the registry names", async () => {
    const registry = await startRegistry({ exactQuery: false });
    const folder = await mkdtemp(join(tmpdir(), "conformance-"));
    try {
      await runSuite({ OCI_REGISTRY: registry.host, OCI_TLS: "disabled", OCI_RESULTS_DIR: folder });
      const report = await readFile(join(folder, "junit.xml"), "utf8");
      expect(Number(/ tests="(\d+)"/.exec(report)?.[1])).toBeGreaterThan(600);
      expect(failuresIn(report)).toEqual(["sha256 blobs/empty/blob-post-put"]);
    } finally {
      await registry.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** Runs the suite to its end; its exit status tells no more than its report. */
function runSuite(settings: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, OCI_VERSION: "1.1", ...settings };
    spawn("conformance", [], { env, stdio: "ignore" })
      .once("error", reject)
      .once("close", () => resolve());
  });
}

/** The names of the tests that failed themselves; groups have no status of their own in this report. */
function failuresIn(report: string): readonly string[] {
  const failed = report.matchAll(/<testcase name="OCI Conformance Test\/([^"]*)"[^>]* status="failure">/g);
  return [...failed].map(([, name]) => name ?? "");
}
