import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";
import type { Certificate } from "../../sandbox/certificate.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { login } from "./clients.ts";

/** A request that reached a hostile server. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface HostileServer {
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  readonly requests: readonly SeenRequest[];
  /** Every connection, also one over which no request came. */
  readonly connections: () => number;
}

export interface HostileOptions {
  /** Default: 127.0.0.1. All of 127.0.0.0/8 is this machine, on Linux. */
  readonly address?: string;
  /** Speaks TLS as this host, which the client must look up as `address`. */
  readonly tls?: Certificate & { readonly host: string };
}

export type Respond = (incoming: IncomingMessage, response: ServerResponse) => void;

const open: Server[] = [];

afterEach(async () => {
  await Promise.all(
    open.splice(0).map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    ),
  );
});

/** Starts a server that does what no sandbox server would: bodies without end, false heads. Closed after the test. */
export async function hostileServer(respond: Respond, options: HostileOptions = {}): Promise<HostileServer> {
  const { address = "127.0.0.1", tls } = options;
  const requests: SeenRequest[] = [];
  let connections = 0;
  const listener: RequestListener = (incoming, response) => {
    requests.push({ method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers });
    // A body that nobody reads would keep the connection from its next request.
    incoming.resume();
    respond(incoming, response);
  };
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ key: tls.key, cert: tls.certificate }, listener);
  server.on("connection", () => {
    connections += 1;
  });
  open.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = `${tls?.host ?? address}:${port}`;
  return {
    origin: `${tls === undefined ? "http" : "https"}://${host}`,
    host,
    port,
    requests,
    connections: () => connections,
  };
}

/** Sends a body without end; stops when the client goes away. */
export function sendForEver(response: ServerResponse, piece: Buffer = Buffer.alloc(64 * 1024, "x")): void {
  const write = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", write).on("error", () => response.destroy());
  write();
}

/** What a host got that was meant for another: logins, of all kinds. */
export function loginsSeen(server: {
  readonly requests: readonly Pick<SeenRequest, "headers">[];
}): readonly unknown[] {
  return server.requests.flatMap(({ headers }) =>
    [headers.authorization, headers.cookie].filter((value) => value !== undefined),
  );
}

/** Answers everything with a challenge that asks for a login at its own token server. */
export function harvester(): Promise<HostileServer> {
  return hostileServer((incoming, response) => {
    if (incoming.url?.startsWith("/token")) response.end(JSON.stringify({ token: "taken" }));
    else challenge(response, `Bearer realm="http://${incoming.headers.host}/token",service="evil"`);
  });
}

/** Asks for a login in the words of this `WWW-Authenticate` header. */
export function challenge(response: Parameters<Respond>[1], header: string): void {
  response.writeHead(401, { "www-authenticate": header }).end();
}

/** A registry in front of which the login of these tests is needed. */
export function lockedRegistry(kind: "basic" | "bearer"): Promise<RegistryServer> {
  const users = [fullAccess(login.username, login.password)];
  return startRegistry({ authentication: { kind, users } });
}
