/**
 * `node scripts/screenshot.ts --tools <folder>`: draws a job summary as GitHub shows it, chart included, into a PNG: to look
 * at, and for the README. The summary is that of a run of the sandbox under the real names of its registries, or the
 * Markdown file given as `--summary`. Needs the built Action, Chromium, and three packages that the Action has no use for.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { publicNames, startInternet } from "../sandbox/internet.ts";
import {
  actionEnvironment,
  actionInputs,
  newestRelease,
  releaseEvent,
  runAction,
  seedHarbor,
  startSandbox,
} from "../sandbox/sandbox.ts";

/** Width of the picture in pixels: a summary of 1,000 and the margins beside it. */
const width = 1048;

/** Time for Chromium to draw the page, in milliseconds of its own clock. */
const drawingTime = 20_000;

/** Speed of the sandbox's registries in bytes a second: slow enough that the chart has something to show. */
const speeds = { dockerHub: 9_000_000, tcr: 5_000_000 };

/** Where the packages of a folder of tools have what is needed of them. */
const toolFiles = {
  marked: "node_modules/marked/bin/marked.js",
  mermaid: "node_modules/mermaid/dist/mermaid.min.js",
  style: "node_modules/github-markdown-css/github-markdown-light.css",
} as const;

interface Tools {
  readonly marked: string;
  readonly mermaid: string;
  readonly style: string;
  readonly chromium: string;
}

/** The tools, or what to do to have them. */
function findTools(folder: string | undefined): Tools | string {
  const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
    existsSync(path),
  );
  if (chromium === undefined) return "Chromium is not installed (Debian: apt-get install chromium).";
  const at = (path: string): string => resolve(folder ?? ".", path);
  const [marked, mermaid, style] = [toolFiles.marked, toolFiles.mermaid, toolFiles.style].map(at);
  const all = [marked, mermaid, style].every((path) => path !== undefined && existsSync(path));
  if (folder === undefined || marked === undefined || mermaid === undefined || style === undefined || !all) {
    return "The packages are missing. In an empty folder: npm install marked mermaid github-markdown-css; then give it as --tools <folder>.";
  }
  return { marked, mermaid, style, chromium };
}

/** The summary of a release that is mirrored in the sandbox, under the names that its registries have in the real world. */
async function sandboxSummary(): Promise<string> {
  await using sandbox = await startSandbox();
  await using internet = await startInternet(publicNames(sandbox));
  seedHarbor(sandbox, { scale: 20 });
  const slow = (requestBytesPerSecond: number) =>
    ({ when: {}, times: Number.POSITIVE_INFINITY, effect: { requestBytesPerSecond } }) as const;
  sandbox.dockerHub.registry.fault(slow(speeds.dockerHub));
  sandbox.tcr.registry.fault(slow(speeds.tcr));
  const { source: _source, ...inputs } = actionInputs(sandbox);
  const tcr = `${sandbox.tcr.instance.name}.tencentcloudcr.com`;
  const destinations = `docker.io/goharbor\n${tcr}/goharbor,keep=3`;
  const folder = mkdtempSync(join(tmpdir(), "screenshot-"));
  try {
    const { summary, log, exitCode } = await runAction(
      actionEnvironment(sandbox, {
        event: releaseEvent(sandbox, newestRelease.version),
        inputs: { ...inputs, "github-api-url": "https://api.github.com", destinations },
        folder,
        env: internet.env,
      }),
    );
    if (exitCode !== 0) throw new Error(`The run of the sandbox failed:\n${log}`);
    return summary;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What GitHub makes of a summary, as far as summaries use it: tables, details, highlighted boxes and charts. */
function pageOf(markdown: string, tools: Tools, folder: string): string {
  const source = join(folder, "summary.md");
  const html = join(folder, "summary.html");
  writeFileSync(source, markdown);
  execFileSync(process.execPath, [tools.marked, "--gfm", "-i", source, "-o", html]);
  const body = readFileSync(html, "utf8")
    .replace(
      /<blockquote>\s*<p>\[!(\w+)\]\s*/g,
      (_all, kind: string) =>
        `<blockquote class="markdown-alert markdown-alert-${kind.toLowerCase()}"><p class="markdown-alert-title">${kind}</p><p>`,
    )
    .replace(
      /<pre><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g,
      '<pre class="mermaid">$1</pre>',
    );
  return `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="${pathToFileURL(tools.style).href}">
<style>body { margin: 0; padding: 24px; width: ${width - 48}px } pre.mermaid { background: none; padding: 0 }</style>
<body class="markdown-body">${body}
<script src="${pathToFileURL(tools.mermaid).href}"></script>
<script>
mermaid.initialize({ startOnLoad: false });
mermaid.run().then(() => "drawn", (error) => "failed: " + error.message).then((outcome) => {
  document.body.dataset.outcome = outcome;
  document.body.dataset.height = Math.ceil(document.body.getBoundingClientRect().height);
});
</script>`;
}

/** Draws a page into a file. @param height pixels from the top; undefined for all of it. */
function draw(page: string, out: string, height: number | undefined, tools: Tools): void {
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    `--virtual-time-budget=${drawingTime}`,
  ];
  const url = pathToFileURL(page).href;
  const run = (...more: readonly string[]): string =>
    execFileSync(tools.chromium, [...flags, ...more, url], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  const document = run(`--window-size=${width},1000`, "--dump-dom");
  const outcome = /data-outcome="([^"]*)"/.exec(document)?.[1] ?? "not drawn";
  if (outcome !== "drawn") throw new Error(`Mermaid does not draw the chart: ${outcome}`);
  const whole = Number(/data-height="([0-9]+)"/.exec(document)?.[1]);
  run(`--window-size=${width},${Math.min(height ?? whole, whole)}`, `--screenshot=${resolve(out)}`);
}

const { values } = parseArgs({
  options: {
    tools: { type: "string" },
    summary: { type: "string" },
    out: { type: "string", default: "docs/images/summary.png" },
    height: { type: "string" },
  },
});
const tools = findTools(values.tools);
if (typeof tools === "string") {
  process.stderr.write(`${tools}\n`);
  process.exitCode = 1;
} else {
  const markdown =
    values.summary === undefined ? await sandboxSummary() : readFileSync(values.summary, "utf8");
  const folder = mkdtempSync(join(tmpdir(), "screenshot-"));
  try {
    const page = join(folder, "page.html");
    writeFileSync(page, pageOf(markdown, tools, folder));
    draw(page, values.out, values.height === undefined ? undefined : Number(values.height), tools);
    process.stdout.write(`${values.out}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
