import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { systemClock } from "../../src/clock.ts";
import { DestinationCopy, type DestinationCopyOptions } from "../../src/copy/destination-copy.ts";
import { DestinationProgress } from "../../src/copy/progress.ts";
import { uploadBlob } from "../../src/copy/upload.ts";
import { retrying } from "../../src/http/retry.ts";
import { Slots } from "../../src/http/slots.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous, type Credentials } from "../../src/oci/credentials.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { Registry } from "../../src/oci/registry.ts";
import type { Repository } from "../../src/oci/repository.ts";
import { RecentChunks } from "../../src/spool/recent-chunks.ts";
import { SpooledBlob } from "../../src/spool/spool.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { hastyClock } from "./harness.ts";

export interface UploadWorldOptions {
  readonly registry?: RegistryOptions;
  /** The name by which the registry's quirks are known. Default: its own. */
  readonly knownAs?: string;
  readonly stallLimit?: number;
  readonly credentials?: Credentials;
}

/** One destination, and blobs to upload to it. */
export interface UploadWorld extends AsyncDisposable {
  readonly server: RegistryServer;
  readonly destination: DestinationCopy;
  readonly repository: Repository;
  readonly progress: DestinationProgress;
  /** A blob in the spool that is still growing. */
  spool(bytes: Uint8Array): Promise<SpooledBlob>;
  /** Uploads bytes that are all in the spool already. */
  upload(bytes: Uint8Array): Promise<void>;
  /** Whether the registry holds exactly these bytes under their digest. */
  holds(bytes: Uint8Array): boolean;
  /** Requests that carried bytes of blobs, in order. */
  transfers(): RegistryServer["requests"];
}

/** Uploads go into this repository. */
export const repositoryName = "mirror/core";

export async function startUploadWorld(options: UploadWorldOptions = {}): Promise<UploadWorld> {
  const server = await startRegistry(options.registry ?? {});
  const folder = await mkdtemp(join(tmpdir(), "upload-test-"));
  const network = createTransport(silentLog, systemClock);
  const spools: SpooledBlob[] = [];
  const progress = new DestinationProgress("the destination");
  const destination = new DestinationCopy({ ...copyOptions(server, options), progress, client: clientOf() });
  const repository = destination.repository(repositoryName);

  function clientOf(): Registry {
    return new Registry({
      registry: server.host,
      vendor: vendorOf(options.knownAs ?? server.host),
      side: "destination",
      credentials: options.credentials ?? anonymous,
      transport: retrying(network, { clock: hastyClock, log: silentLog }),
      clock: hastyClock,
      log: silentLog,
    });
  }

  async function spool(bytes: Uint8Array): Promise<SpooledBlob> {
    const descriptor = { digest: digestOf(bytes), size: bytes.length, mediaType: "application/octet-stream" };
    const spooled = await SpooledBlob.create(folder, descriptor, new RecentChunks(1e6));
    spools.push(spooled);
    return spooled;
  }

  return {
    server,
    destination,
    repository,
    progress,
    spool,
    async upload(bytes) {
      const spooled = await spool(bytes);
      await spooled.write(0, bytes);
      await spooled.complete();
      await uploadBlob(repository, spooled, undefined, destination);
    },
    holds: (bytes) => server.blob(repositoryName, digestOf(bytes))?.equals(bytes) ?? false,
    transfers: () => server.requests.filter(({ method }) => method === "PUT" || method === "PATCH"),
    async [Symbol.asyncDispose]() {
      await network.close();
      await server.close();
      await Promise.all(spools.map((spooled) => spooled.remove()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function copyOptions(
  server: RegistryServer,
  { knownAs = server.host, stallLimit }: UploadWorldOptions,
): Omit<DestinationCopyOptions, "progress" | "client"> {
  return {
    name: `${server.host}/mirror`,
    registry: knownAs,
    path: "mirror",
    uploads: new Slots({ start: 4, ceiling: 16, growth: "measured" }, hastyClock),
    openings: new Slots({ start: 6, ceiling: 6, growth: "measured" }, hastyClock),
    smallUploads: new Slots({ start: 16, ceiling: 16 }, hastyClock),
    clock: hastyClock,
    log: silentLog,
    signal: new AbortController().signal,
    ...(stallLimit === undefined ? {} : { stallLimit }),
  };
}

/** Bytes of blobs that the registry took. */
export function bytesIn(world: UploadWorld): number {
  return world.transfers().reduce((sum, request) => sum + request.bytesIn, 0);
}

/** `METHOD Content-Range` of the requests with bytes. */
export function ranges(world: UploadWorld): readonly string[] {
  return world.transfers().map(({ method, headers }) => `${method} ${headers["content-range"] ?? "whole"}`);
}

export function count(world: UploadWorld, method: string): number {
  return world.server.requests.filter((request) => request.method === method).length;
}

/** Uploads that are given up are cancelled in passing. */
export function nothingLeftOpen(world: UploadWorld): Promise<void> {
  return vi.waitFor(() => expect(world.server.uploadsOpen()).toBe(0));
}
