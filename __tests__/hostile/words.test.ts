import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { ActionResult } from "../../sandbox/action.ts";
import type { FaultAction, FaultRule } from "../../sandbox/faults.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { systemClock } from "../../src/clock.ts";
import { actionsLog } from "../../src/log/actions-log.ts";
import { printable } from "../../src/log/log.ts";
import { plainPaint } from "../../src/log/paint.ts";
import { act, type RunOptions, startSandboxWorld, version } from "../e2e/world.ts";
import { runs, textOf } from "../properties/arbitraries.ts";
import { startMirror, versions } from "./mirror.ts";

/** What a server would say to be obeyed by the runner, or shown as something else by a browser. */
const words = [
  "INJECTED",
  "::add-mask::INJECTED",
  "::set-output name=copied::INJECTED",
  "  ::error file=x::INJECTED",
  "\r##[error]INJECTED\u001b[31mred\u202eesrever\u0085",
  "<img src=x onerror=alert(1)> [click](https://evil.example) | @everyone `x` </details><script>",
].join("\r\n");

/** Has the Action write its debug lines, too. */
const debugging = { RUNNER_DEBUG: "1" };

/** The commands that a log of ours has. Any other, or one of these with a server's words as its parameters, is injected. */
const ownCommands = /^::(?:debug|warning|error|add-mask|group|endgroup)::/;

function expectClean({ log, summary, outputs }: Pick<ActionResult, "log" | "summary" | "outputs">): void {
  for (const line of log.split(/\r\n|\n|\r/)) {
    if (line.trimStart().startsWith("::")) expect(line).toMatch(ownCommands);
    expect(line).not.toMatch(/^\s*::[a-z-]+[^:]*::INJECTED/);
    // An annotation in which a server has begun a new line.
    if (line.includes("INJECTED")) expect(line).not.toMatch(/%0[AD]/);
  }
  expect(log).not.toContain("##[");
  expect(log).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(summary).not.toMatch(/<img|<script|\]\(https:\/\/evil|@everyone|INJECTED\r?\n/);
  // A step that ended before its report has set all outputs but the paths of files.
  const { report: _report, checksums: _checksums, ...others } = outputs;
  expect(Object.keys(others).sort()).toEqual(
    Object.keys(outputs).length === 0 ? [] : ["copied", "failed", "images", "pruned", "skipped", "versions"],
  );
  expect(Object.values(outputs).join("\n")).not.toContain("INJECTED");
}

function jsonError(status: number): FaultAction {
  const body = JSON.stringify({ errors: [{ code: `DENIED\n${words}`, message: words }], message: words });
  const headers = { "content-type": "application/json", warning: `299 - "::set-output name=x::INJECTED"` };
  return { status, headers, body };
}

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

describe("case 16: words of servers that the runner could obey", () => {
  test.each<
    [what: string, serverOf: (world: SandboxWorld) => SandboxWorld["github"] | object, rule: FaultRule]
  >([
    [
      "the source, in JSON",
      ({ sandbox }) => sandbox.source,
      { when: { method: "GET", path: /manifests/ }, effect: jsonError(403) },
    ],
    [
      "the source, as plain text",
      ({ sandbox }) => sandbox.source,
      { when: { method: "GET", path: /manifests/ }, effect: { status: 403, body: words } },
    ],
    [
      "the source, in the type of a manifest",
      ({ sandbox }) => sandbox.source,
      {
        when: { method: "GET", path: /manifests/ },
        effect: {
          status: 200,
          headers: { "content-type": "text/x::INJECTED" },
          body: JSON.stringify({ schemaVersion: 2, mediaType: words }),
        },
      },
    ],
    [
      "a destination, at a manifest",
      ({ sandbox }) => sandbox.tcr.registry,
      { when: { method: "PUT", path: /manifests/ }, effect: jsonError(400) },
    ],
    [
      "a destination, at an upload",
      ({ sandbox }) => sandbox.dockerHub.registry,
      { when: { method: "POST", path: /uploads/ }, effect: jsonError(403) },
    ],
    [
      "a destination, in an address to upload to",
      ({ sandbox }) => sandbox.dockerHub.registry,
      {
        when: { method: "POST", path: /uploads/ },
        effect: { status: 202, headers: { location: "x-INJECTED://::set-output name=x::INJECTED/" } },
      },
    ],
    [
      "a destination, in its tag list",
      ({ sandbox }) => sandbox.tcr.registry,
      {
        when: { path: /tags\/list/ },
        effect: {
          status: 200,
          headers: { "content-type": "application/json", link: `<x::INJECTED>; rel="next"` },
          body: JSON.stringify({ tags: [words] }),
        },
      },
    ],
    [
      "a challenge",
      ({ sandbox }) => sandbox.dockerHub.registry,
      {
        when: { path: /^\/v2\/$/ },
        effect: { status: 401, headers: { "www-authenticate": 'Bearer realm="https://::INJECTED/"' } },
      },
    ],
    [
      "a token server",
      ({ sandbox }) => sandbox.dockerHub.registry.tokenServer ?? {},
      { when: {}, effect: { status: 200, body: JSON.stringify({ token: words }) } },
    ],
    [
      "the TCR API",
      ({ sandbox }) => sandbox.tcr.api,
      {
        when: {},
        effect: {
          status: 200,
          body: JSON.stringify({
            Response: { Error: { Code: words, Message: words }, RequestId: words },
          }),
        },
      },
    ],
    ["GitHub", ({ github }) => github, { when: { path: /releases/ }, effect: jsonError(403) }],
    [
      "GitHub, in a list that is none",
      ({ github }) => github,
      {
        when: { path: /releases/ },
        effect: {
          status: 200,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ [words]: words }),
        },
      },
    ],
  ])("%s: log, summary and outputs are ours alone", async (_what, serverOf, rule) => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2", { images: ["harbor-core"] }));
    const server = serverOf(world);
    if (!("fault" in server)) throw new Error("no server");
    server.fault({ ...rule, times: Number.POSITIVE_INFINITY });
    const result = await act(world, { inputs: { wait: "0", images: "harbor-core" }, env: debugging });
    expect(result.exitCode).toBe(1);
    expectClean(result);
  });

  test("the names of releases: such a release is no version, and leaves no trace", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2", { images: ["harbor-core"] }));
    for (const tag of [words, `v9.9.9${words}`, "v9.9.9\n::add-mask::INJECTED"]) {
      const publishedAt = Date.UTC(2026, 8, 1);
      world.github.addRelease({ tag, name: words, prerelease: false, publishedAt });
    }
    const result = await act(world, { inputs: { images: "harbor-core" }, env: debugging });
    expect(result.exitCode).toBe(0);
    expectClean(result);
    expect(`${result.log}${result.summary}`).not.toContain("INJECTED");
  });

  test.each<[what: string, options: RunOptions]>([
    [
      "a release",
      {
        event: {
          name: "release",
          payload: {
            action: words,
            release: { tag_name: words, prerelease: false, draft: false, published_at: null },
            repository: { name: words, owner: { login: words } },
          },
        },
      },
    ],
    ["a dispatch", { event: { name: "workflow_dispatch", payload: { inputs: { version: words } } } }],
    [
      "a workflow run",
      {
        event: {
          name: "workflow_run",
          payload: { workflow_run: { name: words, event: words, conclusion: words, head_branch: words } },
        },
      },
    ],
    ["a push", { event: { name: "push", payload: {}, refName: words, refType: "tag" } }],
    ["an unknown event", { event: { name: words, payload: words } }],
    ["inputs", { inputs: { destinations: words, source: words, images: words, keep: words } }],
  ])("the event or the inputs (%s): told without being obeyed", async (_what, options) => {
    await using world = await startSandboxWorld();
    const result = await act(world, options);
    expect(result.exitCode).toBe(1);
    const lines = result.log.split("\n").filter((line) => line.startsWith("::error::"));
    expect(lines).toHaveLength(1);
    // Our own lists of mistakes have lines, so only what stands in them is looked at.
    expectClean({ ...result, log: result.log.replaceAll("%0A- ", " ") });
  });

  test("a failure of a source is told in the log and the summary, in words that mean nothing to either", async () => {
    await using mirror = await startMirror();
    pushTo(mirror.source, "goharbor/app", buildImage({ seed: "words" }), versions[0]);
    mirror.source.fault({
      when: { method: "GET", path: /\/manifests\// },
      times: Number.POSITIVE_INFINITY,
      effect: jsonError(403),
    });
    const { lines, summary, outputs, report } = await mirror.run();
    expect(lines.join("\n")).toContain("INJECTED : :add-mask: :INJECTED");
    expect(summary).toContain("INJECTED");
    expectClean({ log: lines.join("\n"), summary, outputs });
    expect(JSON.stringify(JSON.parse(report))).not.toMatch(/[\u0000-\u001f]|\\[rnu]|::add-mask/);
  });

  test("what a server names is no header of the next request: line ends are refused by their grammar", async () => {
    await using mirror = await startMirror({
      tamperDestination: ({ path }, { headers }) =>
        path.endsWith("/blobs/uploads/")
          ? { headers: { ...headers, location: `/v2/x?a=1%0d%0aauthorization:%20x${encodeURI("\t")}` } }
          : undefined,
    });
    pushTo(mirror.source, "goharbor/app", buildImage({ seed: "headers" }), versions[0]);
    await mirror.run();
    const seen = mirror.destinationFront.requests;
    expect(seen.some(({ path }) => path.includes("%0d%0a"))).toBe(true);
    for (const { headers } of seen) expect(headers.authorization).toBeUndefined();
  });
});

describe("the barriers in front of the runner", () => {
  test("printable text has no command, no control character and no more than its length, whatever it was", () => {
    fc.assert(
      fc.property(textOf(":", "::", "##[", "#", "[", "\n", "\r", "\u001b[31m", "\u2028", "error"), (text) => {
        const printed = printable(text, 20);
        expect(printed).not.toMatch(/::|##\[|[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        expect(printed.length).toBeLessThanOrEqual(21);
      }),
      runs,
    );
  });

  test("a line that begins as a command is none in the log, whoever forgot to make it printable", () => {
    const written: string[] = [];
    const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    try {
      actionsLog({ debug: false, paint: plainPaint, clock: systemClock }).info(
        "told\n::add-mask::INJECTED\r\n \t:::stop-commands::x\rand ##[error]here",
      );
    } finally {
      write.mockRestore();
    }
    const text = written.join("");
    expect(text).toContain("INJECTED");
    for (const line of text.split(/[\r\n]+/)) expect(line.trimStart()).not.toMatch(/^::/);
    expect(text).not.toContain("##[");
  });
});

describe("cases 17 and 18: archives and compressed layers", () => {
  const root = join(import.meta.dirname, "../..");
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: readFileSync(join(root, "src", path), "utf8") }));

  test("nothing inflates, but a plan of our own and the archive of a chart, each with a cap; no package is there for it", () => {
    expect(sources.length).toBeGreaterThan(50);
    const unpackers =
      /["'](?:node:)?zlib["']|["'](?:tar|tar-stream|tar-fs|yauzl|unzipper|@actions\/tool-cache)["']/;
    const packing = sources.filter(({ text }) => unpackers.test(text) || /DecompressionStream/.test(text));
    expect(packing.map(({ path }) => path).sort()).toEqual(["charts/archive.ts", "fan-out/document.ts"]);
    const [chart = ""] = packing.flatMap(({ path, text }) => (path === "charts/archive.ts" ? [text] : []));
    // That it holds is tried with an archive that unpacks without end, in __tests__/charts/archive.test.ts.
    expect(chart.match(/createGunzip\(\)/g)).toHaveLength(1);
    expect(chart).toContain("size > unpackedLimit");
    const unpacking = packing.flatMap(({ text }) => text.match(/unzipSync\(.*/g) ?? []);
    expect(unpacking).toHaveLength(1);
    expect(unpacking[0]).toContain("maxOutputLength");
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    expect(
      Object.keys(manifest.devDependencies).filter((name) => /tar|zip|zlib|compress/.test(name)),
    ).toEqual([]);
  });

  test("no foreign program is run, but the user's credential helpers, and sudo's for the congestion control", () => {
    const running = sources.filter(({ text }) => /["'](?:node:)?child_process["']/.test(text));
    expect(running.map(({ path }) => path)).toEqual(["oci/docker-config.ts", "tuning/machine.ts"]);
  });
});
