/**
 * `npm run bench:size`: a thousand repositories with twenty tags each, mirrored by one pattern. Prints, for a dry run, a first
 * run and a run with nothing to do: seconds, the largest resident memory, and the requests to each side by kind.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionEnvironment, runAction } from "../sandbox/action.ts";
import { startGitHub } from "../sandbox/github.ts";
import { buildImage, pushTo } from "../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../sandbox/registry.ts";

const repositories = 1000;
const tagsEach = 20;

await using github = await startGitHub({
  repository: "goharbor/harbor",
  releases: [],
  files: () => undefined,
});
await using source = await startRegistry();
await using destination = await startRegistry();
for (let index = 0; index < repositories; index += 1) {
  const image = buildImage({ seed: `app-${index}` });
  for (let minor = 0; minor < tagsEach; minor += 1)
    pushTo(source, `team/app-${index}`, image, `v1.${minor}.0`);
}
for (const [name, dryRun] of [
  ["dry run", "true"],
  ["first run", "false"],
  ["nothing to do", "false"],
] as const) {
  const before = [source.requests.length, destination.requests.length] as const;
  const started = Date.now();
  const { exitCode, peak } = await run(dryRun);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${name}: status ${exitCode}, ${seconds} s, ${peak} MiB at most\n`);
  process.stdout.write(`  source: ${kindsOf(source, before[0])}\n`);
  process.stdout.write(`  destination: ${kindsOf(destination, before[1])}\n`);
}

async function run(
  dryRun: string,
): Promise<{ readonly exitCode: number | undefined; readonly peak: string }> {
  const folder = mkdtempSync(join(tmpdir(), "bench-size-"));
  try {
    const peakAtExit =
      "data:text/javascript,process.on(%22exit%22,()=>console.error(%22PEAK%22,process.resourceUsage().maxRSS))";
    const environment = actionEnvironment(
      { github },
      {
        event: { name: "schedule", payload: {} },
        folder,
        inputs: {
          "versions-from": "tags",
          source: `${source.host}/team`,
          images: "*",
          destinations: `${destination.host}/mirror,keep=3`,
          "dry-run": dryRun,
        },
        env: { NODE_OPTIONS: `--import=${peakAtExit}` },
      },
    );
    const { exitCode, log } = await runAction(environment);
    const kibibytes = Number(/PEAK ([0-9]+)/.exec(log)?.[1]);
    return { exitCode, peak: (kibibytes / 1024).toFixed(0) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function kindsOf(registry: RegistryServer, from: number): string {
  const kinds = Map.groupBy(
    registry.requests.slice(from),
    ({ method, path }) =>
      `${method} ${/_catalog|tags\/list|referrers|manifests|blobs\/uploads|blobs|\/v2\/$/.exec(path)?.[0]}`,
  );
  return [...kinds].map(([kind, { length }]) => `${length} ${kind}`).join(", ");
}
