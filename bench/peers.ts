/**
 * The other tools, each driven at its best. A tool that copies one image to one destination is started for every pair;
 * each destination has its own queue, so that the slow one does not hold the other back. The numbers of processes and
 * of requests are those that gave the shortest time on the profile `near-far`, variant `cold`, among the ones named.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandQueue } from "./processes.ts";
import type { Job, Tool } from "./tools.ts";
import { namespace } from "./workload.ts";

interface Peer extends Omit<Tool, "ours" | "version"> {
  readonly program: string;
  readonly versionArguments: readonly string[];
}

/** Processes at a time and destination, of the tools that copy one image to one destination. Tried: 4, 8 and 12. */
const processes = 4;

/** Requests at a time and host. Tried: 8 and 16 for both; regclient's default is 3. */
const requestsPerHost = { regctl: 8, regsync: 16 };

/** Entries of regsync at a time. Tried: 12 and 24, which is all of one release. */
const regsyncEntries = 24;

const skopeo: Peer = {
  name: "skopeo",
  program: "skopeo",
  versionArguments: ["--version"],
  queues: (job) =>
    perPair(job, processes, (from, to) => [
      "skopeo",
      // No policy file on a fresh machine; signatures play no part here.
      "--insecure-policy",
      "copy",
      "--all",
      "--preserve-digests",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      "--retry-times=5",
      `docker://${from}`,
      `docker://${to}`,
    ]),
};

const crane: Peer = {
  name: "crane",
  program: "crane",
  versionArguments: ["version"],
  // `--jobs` also bounds the layers of one image; its default is the number of processors.
  queues: (job) =>
    perPair(job, processes, (from, to) => ["crane", "copy", "--insecure", "--jobs=8", from, to]),
};

const regctl: Peer = {
  name: "regctl",
  program: "regctl",
  versionArguments: ["version"],
  queues(job) {
    const hosts = Object.fromEntries(
      Object.values(job.hosts).map((host) => [
        host,
        { tls: "disabled", reqConcurrent: requestsPerHost.regctl },
      ]),
    );
    const path = join(job.folder, "regctl.json");
    writeFileSync(path, JSON.stringify({ hosts }));
    return perPair(job, processes, (from, to) => ["regctl", "image", "copy", from, to], {
      REGCTL_CONFIG: path,
    });
  },
};

const regsync: Peer = {
  name: "regsync",
  program: "regsync",
  versionArguments: ["version"],
  queues(job) {
    const { hosts, images, versions, folder } = job;
    const configuration = {
      version: 1,
      creds: Object.values(hosts).map((registry) => ({
        registry,
        tls: "disabled",
        reqConcurrent: requestsPerHost.regsync,
      })),
      defaults: { parallel: regsyncEntries },
      sync: [hosts.near, hosts.far].flatMap((host) =>
        images.map((image) => ({
          source: `${hosts.source}/${namespace}/${image}`,
          target: `${host}/${namespace}/${image}`,
          type: "repository",
          tags: { allow: versions },
        })),
      ),
    };
    const path = join(folder, "regsync.yml");
    // JSON is a part of YAML.
    writeFileSync(path, JSON.stringify(configuration));
    return [{ parallel: 1, commands: [{ file: "regsync", arguments: ["once", "-c", path] }] }];
  },
};

const ocync: Peer = {
  name: "ocync",
  program: "ocync",
  versionArguments: ["--version"],
  queues({ hosts, images, versions, folder }) {
    // Its own defaults: the number of requests adapts itself.
    const configuration = {
      global: { cache_dir: join(folder, "cache") },
      registries: Object.fromEntries(
        Object.entries(hosts).map(([place, host]) => [
          place,
          // With `anonymous` it asks for a token over HTTPS, whatever the URL says. The registry heeds no token.
          { url: `http://${host}`, auth_type: "static_token", token: "none" },
        ]),
      ),
      defaults: { source: "source", targets: ["near", "far"], tags: { glob: versions } },
      mappings: images.map((image) => ({ from: `${namespace}/${image}`, to: `${namespace}/${image}` })),
    };
    const path = join(folder, "ocync.yaml");
    writeFileSync(path, JSON.stringify(configuration));
    return [{ parallel: 1, commands: [{ file: "ocync", arguments: ["sync", "-c", path] }] }];
  },
};

export const peers: readonly Peer[] = [skopeo, crane, regctl, regsync, ocync];

/** One command for each image, version and destination; a queue for each destination. */
function perPair(
  { hosts, images, versions }: Job,
  parallel: number,
  command: (from: string, to: string) => readonly string[],
  environment: Readonly<Record<string, string>> = {},
): readonly CommandQueue[] {
  return [hosts.near, hosts.far].map((host) => ({
    parallel,
    commands: images.flatMap((image) =>
      versions.map((version) => {
        const name = `${namespace}/${image}:${version}`;
        const [file = "", ...rest] = command(`${hosts.source}/${name}`, `${host}/${name}`);
        return { file, arguments: rest, environment };
      }),
    ),
  }));
}
