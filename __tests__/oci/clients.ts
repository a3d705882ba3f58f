import { afterAll } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { Registry, type RegistryOptions } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { fakeClock } from "../support/fake-clock.ts";

const network = createTransport(silentLog, systemClock);
afterAll(() => network.close());

/** The name that every test uses for its repository. */
export const repositoryName = "goharbor/harbor-core";

export type ClientOptions = Partial<Omit<RegistryOptions, "registry">>;

/** A client of a registry in this process, over real HTTP. Retries do not wait: its clock jumps. */
export function clientOf(server: { readonly host: string }, options: ClientOptions = {}): Registry {
  const { clock = fakeClock(), log = silentLog } = options;
  return new Registry({
    registry: server.host,
    side: "destination",
    credentials: anonymous,
    transport: retrying(network, { clock, log }),
    ...options,
    clock,
    log,
  });
}

export function repositoryAt(server: { readonly host: string }, options: ClientOptions = {}): Repository {
  return new Repository(clientOf(server, options), repositoryName);
}
