/**
 * `npm run bench:size`: a thousand repositories with twenty tags each, mirrored by one pattern. Prints, for a dry run, a first
 * run and a run with nothing to do: seconds, the largest resident memory, and the requests to each side by kind.
 */
import type { RegistryServer } from "../sandbox/registry.ts";
import { startThousandRepositories } from "./thousand-repositories.ts";

await using world = await startThousandRepositories();
const { source, destination } = world;
for (const [name, dryRun] of [
  ["dry run", true],
  ["first run", false],
  ["nothing to do", false],
] as const) {
  const before = [source.requests.length, destination.requests.length] as const;
  const started = Date.now();
  const { exitCode, peakMebibytes } = await world.run(dryRun);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `${name}: status ${exitCode}, ${seconds} s, ${peakMebibytes.toFixed(0)} MiB at most\n`,
  );
  process.stdout.write(`  source: ${kindsOf(source, before[0])}\n`);
  process.stdout.write(`  destination: ${kindsOf(destination, before[1])}\n`);
}

function kindsOf(registry: RegistryServer, from: number): string {
  const kinds = Map.groupBy(
    registry.requests.slice(from),
    ({ method, path }) =>
      `${method} ${/_catalog|tags\/list|referrers|manifests|blobs\/uploads|blobs|\/v2\/$/.exec(path)?.[0]}`,
  );
  return [...kinds].map(([kind, { length }]) => `${length} ${kind}`).join(", ");
}
