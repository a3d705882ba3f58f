import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { systemClock } from "../../src/clock.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport } from "../../src/http/transport.ts";
import type { DestinationToRead } from "../../src/inventory/destinations.ts";
import type { Source, SourceOptions } from "../../src/inventory/sources.ts";
import { type Log, silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import type { Component } from "../../src/plan/component.ts";
import { fakeClock } from "../support/fake-clock.ts";

export const never = new AbortController().signal;

/** A source whose repositories can do more than a look needs. */
interface SourceOfSandbox extends Source {
  readonly repository: (name: string) => Repository;
}

/** Registries of the sandbox, and the Action's own clients for them; everything ends with the test. */
export interface World extends AsyncDisposable {
  start(options?: RegistryOptions): Promise<RegistryServer>;
  source(server: RegistryServer, path?: string): SourceOfSandbox;
  destination(server: RegistryServer, options?: Partial<DestinationToRead>): DestinationToRead;
}

export function openWorld(): World {
  const network = createTransport(silentLog, systemClock);
  // Pauses between tries pass at once, on a clock that no test looks at.
  const clock = fakeClock();
  const context = { transport: retrying(network, { clock, log: silentLog }), clock, log: silentLog };
  const servers: RegistryServer[] = [];
  const opened = (server: RegistryServer, side: "source" | "destination") => {
    const client = new Registry({ registry: server.host, side, credentials: anonymous, ...context });
    return { client, repository: (name: string) => new Repository(client, name) };
  };
  return {
    async start(options) {
      const server = await startRegistry(options);
      servers.push(server);
      return server;
    },
    source: (server, path = "goharbor") => ({
      registry: server.host,
      path,
      ...opened(server, "source"),
    }),
    destination: (server, options = {}) => ({
      name: `${server.host}/goharbor`,
      registry: server.host,
      path: "goharbor",
      retention: { keep: 3, keepBy: "semver" },
      attestations: true,
      deletion: "by-tag",
      deleteUntagged: () => Promise.resolve([]),
      ...opened(server, "destination"),
      ...options,
    }),
    async [Symbol.asyncDispose]() {
      await network.close();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** An image that goes under its own name and tag. */
export function component(image: string, tag: string): Component {
  return { from: image, fromTag: tag, to: image, toTag: tag };
}

/** Puts an image with some content below `goharbor` and returns its digest; equal words make equal images. */
export function place(
  server: RegistryServer,
  image: string,
  tag: string,
  content = `${image}:${tag}`,
): string {
  return pushTo(server, `goharbor/${image}`, buildImage({ seed: content }), tag);
}

/** Method and path of what a registry was asked, but for the question whether it wants a login. */
export function asked(server: RegistryServer): readonly string[] {
  return server.requests
    .filter(({ path }) => path !== "/v2/")
    .map(({ method, path }) => `${method} ${path.replace(/^\/v2\//, "")}`);
}

/** Options of a search: these sources, all platforms, no attachments. */
export function searching(...sources: readonly Source[]): SourceOptions {
  return { sources, platforms: "all", attachments: undefined, log: silentLog };
}

/** A log that keeps what it is told, by level. */
export function listeningLog(): Log & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  return { ...silentLog, lines, info: (line) => lines.push(line), debug: (line) => lines.push(line) };
}
