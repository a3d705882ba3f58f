import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { FaultAction } from "../../sandbox/faults.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { systemClock } from "../../src/clock.ts";
import { retrying } from "../../src/http/retry.ts";
import { Slots } from "../../src/http/slots.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { Descriptor } from "../../src/oci/manifest.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { Budget } from "../../src/spool/budget.ts";
import { Downloads } from "../../src/spool/download.ts";
import { GarbageCollection } from "../../src/spool/garbage-collection.ts";
import { RecentChunks } from "../../src/spool/recent-chunks.ts";
import type { SpooledBlob } from "../../src/spool/spool.ts";
import { hastyClock } from "./harness.ts";

export interface DownloadWorldOptions {
  /** Number of sources, in the order in which they are asked. Default: 1. */
  readonly sources?: number;
  /** In bytes. Default: 1 MB. */
  readonly splitLimit?: number;
  /** Longest silence in an answer, in milliseconds. Default: that of a run. */
  readonly bodyTimeout?: number;
  /** Bytes in the spool. Default: plenty. */
  readonly spoolLimit?: number;
}

/** Sources, and the downloads of a run from them. */
export interface DownloadWorld extends AsyncDisposable {
  readonly servers: readonly RegistryServer[];
  readonly downloads: Downloads;
  /** Connections with blobs from the first source. */
  readonly slots: Slots;
  /** Puts a blob at all sources, and claims it for some destinations. Default: one. */
  claim(bytes: Buffer, claims?: number): Descriptor;
  /** Claims a blob, reads it to its end, from the next source where the bytes of one are wrong, and gives it back. */
  read(bytes: Buffer): Promise<Buffer>;
  /** Files in the spool. */
  files(): Promise<readonly string[]>;
  /** Ends the run. */
  cancel(): void;
}

export const forEver = Number.POSITIVE_INFINITY;

/** Requests for blobs. */
export const blobs = { method: "GET", path: /\/blobs\// };

const repositoryName = "goharbor/core";

/** The bytes of a blob as an upload gets them. */
export async function contentOf(spooled: SpooledBlob): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of spooled.follow()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Requests for blobs that a source got: their `Range`, or "whole". */
export function rangesAt(server: RegistryServer | undefined): readonly string[] {
  return blobRequests(server).map(({ headers }) => headers.range ?? "whole");
}

export function blobRequests(server: RegistryServer | undefined): RegistryServer["requests"] {
  return server?.requests.filter(({ path }) => path.includes("/blobs/")) ?? [];
}

export async function startDownloadWorld(options: DownloadWorldOptions = {}): Promise<DownloadWorld> {
  const { sources = 1, splitLimit = 1_000_000, bodyTimeout, spoolLimit = 1e9 } = options;
  const servers = await Promise.all(Array.from({ length: sources }, () => startRegistry()));
  const folder = await mkdtemp(join(tmpdir(), "download-test-"));
  const network = createTransport(silentLog, systemClock, bodyTimeout === undefined ? {} : { bodyTimeout });
  const transport = retrying(network, { clock: hastyClock, log: silentLog });
  const common = { clock: hastyClock, log: silentLog, credentials: anonymous, transport };
  const repositories = servers.map(
    ({ host }) => new Repository(new Registry({ registry: host, side: "source", ...common }), repositoryName),
  );
  const slots = new Slots({ start: 8, ceiling: 8, growth: "measured" }, hastyClock);
  const cancel = new AbortController();
  const downloads = new Downloads({
    folder,
    budget: new Budget(spoolLimit),
    recent: new RecentChunks(1e6),
    garbage: new GarbageCollection(),
    slotsOf: () => slots,
    splitLimit,
    clock: hastyClock,
    log: silentLog,
    signal: cancel.signal,
  });
  function claim(bytes: Buffer, claims = 1): Descriptor {
    const descriptor = { digest: digestOf(bytes), size: bytes.length, mediaType: "application/octet-stream" };
    for (const server of servers) server.putBlob(repositoryName, bytes);
    for (let claimed = 0; claimed < claims; claimed += 1) downloads.claim(descriptor, repositories);
    return descriptor;
  }
  return {
    servers,
    downloads,
    slots,
    claim,
    async read(bytes) {
      const { digest } = claim(bytes);
      try {
        for (let spooled = await downloads.open(digest); ; ) {
          try {
            return await contentOf(spooled);
          } catch (error) {
            const other = await downloads.another(digest, spooled);
            if (other === undefined) throw error;
            spooled = other;
          }
        }
      } finally {
        downloads.release(digest);
      }
    },
    files: () => readdir(folder),
    cancel: () => cancel.abort(new Error("the run was cancelled")),
    async [Symbol.asyncDispose]() {
      cancel.abort(new Error("the test is over"));
      await network.close();
      await Promise.all(servers.map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Breaks requests for blobs at the first source. */
export function fault(
  world: DownloadWorld,
  effect: FaultAction,
  options: { times?: number; when?: object } = {},
): void {
  const { times = 1, when = blobs } = options;
  world.servers[0]?.fault({ when, times, effect });
}

/** Not by `toEqual`, which takes seconds for megabytes. */
export function expectSame(actual: Buffer, expected: Buffer): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.equals(expected)).toBe(true);
}
