import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionEnvironment, runAction } from "../sandbox/action.ts";
import { startGitHub } from "../sandbox/github.ts";
import { buildImage, pushTo } from "../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../sandbox/registry.ts";

/** How many repositories there are, each with twenty tags of one image. */
export const repositories = 1000;

const tagsEach = 20;

/** Tells the largest resident memory of the process, in KiB, at the end of its log. */
const peakAtExit =
  "data:text/javascript,process.on(%22exit%22,()=>console.error(%22PEAK%22,process.resourceUsage().maxRSS))";

/** A thousand repositories at one registry, and another one to mirror them to. */
export interface ThousandRepositories extends AsyncDisposable {
  readonly source: RegistryServer;
  readonly destination: RegistryServer;
  /** Mirrors the newest three versions of all by one pattern. */
  run(dryRun: boolean): Promise<{ readonly exitCode: number | undefined; readonly peakMebibytes: number }>;
}

/** Starts the registries and fills the source. */
export async function startThousandRepositories(): Promise<ThousandRepositories> {
  const github = await startGitHub({ repository: "goharbor/harbor", releases: [], files: () => undefined });
  const [source, destination] = await Promise.all([startRegistry(), startRegistry()]);
  for (let index = 0; index < repositories; index += 1) {
    const image = buildImage({ seed: `app-${index}` });
    for (let minor = 0; minor < tagsEach; minor += 1)
      pushTo(source, `team/app-${index}`, image, `v1.${minor}.0`);
  }
  return {
    source,
    destination,
    run: async (dryRun) => {
      const folder = mkdtempSync(join(tmpdir(), "size-"));
      try {
        const inputs = {
          "versions-from": "tags",
          source: `${source.host}/team`,
          images: "*",
          destinations: `${destination.host}/mirror,keep=3`,
          "dry-run": String(dryRun),
        };
        const env = { NODE_OPTIONS: `--import=${peakAtExit}` };
        const event = { name: "schedule", payload: {} };
        const { exitCode, log } = await runAction(
          actionEnvironment({ github }, { event, folder, inputs, env }),
        );
        return { exitCode, peakMebibytes: Number(/PEAK ([0-9]+)/.exec(log)?.[1]) / 1024 };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([github, source, destination].map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
