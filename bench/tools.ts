import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { actionEnvironment } from "../sandbox/action.ts";
import type { GitHub } from "../sandbox/github.ts";
import { searchPath } from "./folders.ts";
import { peers } from "./peers.ts";
import type { CommandQueue } from "./processes.ts";
import type { Place } from "./profiles.ts";
import { namespace } from "./workload.ts";

/** What a tool is told: the same for all. */
export interface Job {
  /** `127.0.0.1:PORT` of the proxy before each registry. */
  readonly hosts: Readonly<Record<Place, string>>;
  /** Largest first, so that a tool which takes one after the other does not end with the longest. */
  readonly images: readonly string[];
  readonly versions: readonly string[];
  /** An empty folder for whatever the tool writes. */
  readonly folder: string;
  /** Stand-in of GitHub, of which only our tool asks anything. */
  readonly github: Pick<GitHub, "origin" | "repository" | "release">;
}

/** A way to do the whole job: every image of every version from the source to both destinations. */
export interface Tool {
  readonly name: string;
  /** Whether it is ours; all others are peers. */
  readonly ours: boolean;
  /** Its version; undefined when it is not installed. */
  version(): string | undefined;
  /** What is to be run. May write into the job's folder. */
  queues(job: Job): readonly CommandQueue[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const entry = `${root}dist/index.js`;

/** The built Action, as a runner starts it. */
function ourTool(name: string, referrers: boolean): Tool {
  return {
    name,
    ours: true,
    version: () => {
      const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
      return existsSync(entry) ? `${version}, Node.js ${process.version}` : undefined;
    },
    queues({ hosts, images, versions, folder, github }) {
      const environment = actionEnvironment(
        { github: github as GitHub },
        {
          event: { name: "workflow_dispatch", payload: { inputs: {} } },
          folder,
          inputs: {
            source: `${hosts.source}/${namespace}`,
            destinations: [hosts.near, hosts.far].map((host) => `${host}/${namespace},keep=all`).join("\n"),
            version: versions.join("\n"),
            images: images.join("\n"),
            referrers: String(referrers),
            // All images are there from the start.
            wait: "0",
          },
        },
      );
      return [{ parallel: 1, commands: [{ file: process.execPath, arguments: [entry], environment }] }];
    },
  };
}

/** All tools, ours first. */
export const tools: readonly Tool[] = [
  ourTool("ours", false),
  ourTool("ours-referrers", true),
  ...peers.map(({ program, versionArguments, ...peer }) => ({
    ...peer,
    ours: false,
    version: () => versionOf(program, versionArguments),
  })),
];

/** The first number of a version that a program prints; undefined when it cannot be started. */
function versionOf(program: string, versionArguments: readonly string[]): string | undefined {
  const { error, stdout } = spawnSync(program, versionArguments, {
    encoding: "utf8",
    env: { ...process.env, PATH: searchPath },
  });
  return error === undefined ? (/[0-9]+\.[0-9]+[^\s"]*/.exec(stdout)?.[0] ?? "unknown") : undefined;
}
