import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface RegistryProcess extends AsyncDisposable {
  readonly port: number;
  /** Folder that holds what the registry stores. */
  readonly storage: string;
}

export interface RegistryOptions {
  /** Where its configuration goes. */
  readonly folder: string;
  readonly storage: string;
  readonly readOnly?: boolean;
}

/**
 * Starts a registry of the distribution project (Debian package `docker-registry`) on a free port.
 * https://distribution.github.io/distribution/about/configuration/
 * @throws Error when the program is missing or does not answer within ten seconds.
 */
export async function startRegistry(options: RegistryOptions): Promise<RegistryProcess> {
  const { folder, storage, readOnly = false } = options;
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const configuration = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      // As in the configuration that Debian installs.
      cache: { blobdescriptor: "inmemory" },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: readOnly } },
    },
    // Upload locations without a host lead back through the proxy.
    http: { addr: `127.0.0.1:${port}`, relativeurls: true },
  };
  const path = join(folder, `registry-${port}.yml`);
  // JSON is a part of YAML.
  await writeFile(path, JSON.stringify(configuration));
  // Even at its lowest level it logs every answer of 404, thousands of them.
  await using log = await open(`${path}.log`, "w");
  const child = spawn("docker-registry", ["serve", path], { stdio: ["ignore", log.fd, log.fd] });
  const ended = once(child, "exit");
  await Promise.race([
    untilItAnswers(port),
    ended.then(([code]) => {
      throw new Error(`docker-registry ended with status ${code}, see ${path}.log`);
    }),
  ]);
  return {
    port,
    storage,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

async function untilItAnswers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    await delay(50);
  }
  throw new Error(`docker-registry does not answer on port ${port}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no free port");
  return address.port;
}
