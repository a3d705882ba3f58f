import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LinkModel } from "./profiles.ts";
import type { MethodCounts } from "./request-counter.ts";

export interface LinkProxySettings {
  readonly registryPort: number;
  readonly model: LinkModel;
}

/** What one link has carried since its start. */
export interface LinkReport {
  /** By HTTP method; a request counts when its head is on the link. */
  readonly methods: MethodCounts;
  /** Bytes from the tool to the registry, heads of requests included. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly connections: number;
  /** Connections that were reset because their time had come. */
  readonly cuts: number;
  /** When the first byte of the tool came, on the machine's monotonic clock in milliseconds; undefined: none yet. */
  readonly firstRequestAt: number | undefined;
}

export interface LinkProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`, for the tool. */
  readonly host: string;
  report(): Promise<LinkReport>;
}

/** Starts a proxy process before a registry on this machine. */
export async function startLinkProxy(settings: LinkProxySettings): Promise<LinkProxy> {
  const child = fork(fileURLToPath(new URL("link-proxy.ts", import.meta.url)), [JSON.stringify(settings)]);
  const ended = once(child, "exit");
  const failed = ended.then(([code]) => {
    throw new Error(`the link proxy ended with status ${code}`);
  });
  // An end that nobody waits for is the one that was asked for.
  failed.catch(() => undefined);
  // The process is our own, so its words are taken as they are.
  const answer = async <T>(): Promise<T> => {
    const [message] = await Promise.race([once(child, "message"), failed]);
    return message as T;
  };
  const { port } = await answer<{ port: number }>();
  return {
    host: `127.0.0.1:${port}`,
    async report() {
      const answered = answer<LinkReport>();
      child.send("report");
      return await answered;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}
