import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Artifact, buildImage, type LayerOptions, pushTo } from "../../sandbox/images.ts";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { systemClock } from "../../src/clock.ts";
import { type CopyContext, type CopyResult, copy } from "../../src/copy/copy.ts";
import type { CopyOutcome } from "../../src/copy/outcome.ts";
import { publishConfirmed } from "../../src/copy/publish-confirmed.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport, type NetworkTransport } from "../../src/http/transport.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import type { CopyStep } from "../../src/plan/plan.ts";
import type { Attachment, Overwrite, SourceImage } from "../../src/plan/snapshot.ts";

/** One source and some destinations, with the engine between them. */
export interface World extends AsyncDisposable {
  readonly source: RegistryServer;
  readonly destinations: readonly RegistryServer[];
  /** Puts an image at the source and returns what a snapshot says about it. */
  place(name: string, artifact: Artifact, attachments?: readonly Attachment[]): SourceImage;
  /** Copy steps of an image to all destinations, or to some. */
  stepsFor(
    image: SourceImage,
    options?: { version?: string; to?: readonly RegistryServer[] },
  ): readonly CopyStep[];
  run(steps: readonly CopyStep[], options?: RunOptions): Promise<CopyResult>;
  /** Publishes what was copied without tags. */
  publish(steps: readonly CopyStep[]): Promise<readonly CopyOutcome[]>;
  /** Files that the engine left behind. */
  leftovers(): Promise<readonly string[]>;
  /** Bytes in the spool at the moment. */
  spooledBytes(): Promise<number>;
}

export type RunOptions = Partial<
  Pick<CopyContext, "spoolLimit" | "moveTags" | "whyNotPublish" | "signal" | "log" | "clock">
> & {
  /** What is done with a tag that another sets after the plan was made. */
  readonly overwrite?: Overwrite;
  /** What makes each destination ready. Default: nothing has to be done. */
  readonly prepare?: () => Promise<void>;
  /** Destinations on each registry. Default: `mirror` alone. */
  readonly namespaces?: readonly string[];
};

const quick = { attempts: 4, connectAttempts: 4, firstDelay: 5, longestDelay: 20, longestRetryAfter: 2_000 };

/** A clock whose pauses are a hundredth of what they should be: retries without waiting, in the right order. */
export const hastyClock = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal),
};

export async function startWorld(options: {
  source?: RegistryOptions;
  destinations?: readonly RegistryOptions[];
}): Promise<World> {
  const source = await startRegistry(options.source ?? {});
  const destinations = await Promise.all(
    (options.destinations ?? [{}, {}]).map((each) => startRegistry(each)),
  );
  const folder = await mkdtemp(join(tmpdir(), "copy-test-"));
  const transports: NetworkTransport[] = [];

  function clientFor(server: RegistryServer, side: "source" | "destination"): Registry {
    const network = createTransport(silentLog, systemClock);
    transports.push(network);
    const clock = hastyClock;
    const transport = retrying(network, { clock, log: silentLog, policy: quick });
    return new Registry({
      registry: server.host,
      side,
      credentials: anonymous,
      transport,
      clock,
      log: silentLog,
    });
  }

  const sourceClient = clientFor(source, "source");
  const repositories = new Map<string, Repository>();
  const repositoryAt = (repository: string): Repository => {
    const known = repositories.get(repository) ?? new Repository(sourceClient, repository);
    repositories.set(repository, known);
    return known;
  };
  return {
    source,
    destinations,
    place(name, artifact, attachments = []) {
      const digest = parseDigest(pushTo(source, `goharbor/${name}`, artifact, "v1.0.0"));
      if (digest === undefined) throw new Error("no digest");
      return {
        source: { registry: source.host, path: "goharbor" },
        repository: `goharbor/${name}`,
        tag: "v1.0.0",
        digest,
        mediaType: artifact.mediaType,
        rewritten: undefined,
        attachments,
      };
    },
    stepsFor(image, { version = "v1.0.0", to = destinations } = {}) {
      return to.map((server) => ({
        kind: "copy",
        destination: `${server.host}/mirror`,
        version,
        image: image.repository.replace("goharbor/", ""),
        tag: version,
        reason: "it is not there yet",
        source: image,
        replaces: undefined,
      }));
    },
    run(
      steps,
      { prepare = () => Promise.resolve(), namespaces = ["mirror"], overwrite = true, ...runOptions } = {},
    ) {
      return copy(overwrite === true ? steps : steps.map((step) => ({ ...step, overwrite })), {
        destinations: destinations.flatMap((server) =>
          namespaces.map((path) => ({
            name: `${server.host}/${path}`,
            registry: server.host,
            path,
            client: clientFor(server, "destination"),
            prepare,
          })),
        ),
        sourceRepositories: ({ repository }) => [repositoryAt(repository)],
        attachments: new AttachmentFinder(silentLog),
        temporaryFolder: folder,
        spoolLimit: 1e9,
        moveTags: true,
        whyNotPublish: () => Promise.resolve(undefined),
        downloadConnections: undefined,
        uploadConnections: undefined,
        clock: hastyClock,
        log: silentLog,
        signal: new AbortController().signal,
        ...runOptions,
      });
    },
    publish(steps) {
      return publishConfirmed(steps, {
        destinations: destinations.map((server) => ({
          name: `${server.host}/mirror`,
          registry: server.host,
          path: "mirror",
          client: clientFor(server, "destination"),
        })),
        sourceRepositories: ({ repository }) => [repositoryAt(repository)],
        attachments: new AttachmentFinder(silentLog),
        whyNotPublish: () => Promise.resolve(undefined),
        clock: hastyClock,
        log: silentLog,
        signal: new AbortController().signal,
      });
    },
    leftovers: () => readdir(folder),
    spooledBytes: () => bytesIn(folder),
    async [Symbol.asyncDispose]() {
      await Promise.all(transports.map((transport) => transport.close()));
      await Promise.all([source, ...destinations].map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes of all files in a folder; one that goes away meanwhile counts for nothing. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      (entry) => (entry.isFile() ? entry.size : 0),
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** An image with a layer that all images of its family share, and layers of its own. */
export function imageWithBase(seed: string, own: readonly number[] = [60_000, 2_000]): Artifact {
  const base: LayerOptions = { size: 100_000, seed: "base" };
  return buildImage({ seed, layers: [base, ...own.map((size) => ({ size }))] });
}

/** Requests of one kind that a registry got. */
export function requestsTo(server: RegistryServer, method: string, path: RegExp): number {
  return server.requests.filter((request) => request.method === method && path.test(request.path)).length;
}

/** Bytes of blobs that clients sent to a registry. */
export function blobBytesInto(server: RegistryServer): number {
  return server.requests
    .filter(
      ({ method, path }) => (method === "PUT" || method === "PATCH") && path.includes("/blobs/uploads/"),
    )
    .reduce((sum, { bytesIn }) => sum + bytesIn, 0);
}

/** Bytes of blobs that a registry gave out. */
export function blobBytesOutOf(server: RegistryServer): number {
  return server.requests
    .filter(({ method, path }) => method === "GET" && /\/blobs\/sha256:/.test(path))
    .reduce((sum, { bytesOut }) => sum + bytesOut, 0);
}
