/**
 * The public internet as far as the Action sees it: a proxy on loopback that takes `CONNECT` for the names of real services,
 * ends TLS with a certificate of its own, and hands the requests to the stand-ins. So workflows and commands run word for
 * word as people copy them, with the hosts, the HTTPS and the default API addresses of the real world, and no byte leaves
 * this machine: a name that is not listed is refused.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext, TLSSocket } from "node:tls";
import { selfSigned } from "./certificate.ts";
import type { RegistryServer } from "./registry.ts";
import type { Sandbox } from "./sandbox.ts";
import type { SandboxServer } from "./server.ts";

/** Where a name of the internet leads. */
export interface PublicName {
  readonly host: string;
  /** Only this path there, exactly; other paths have an entry of their own. Default: every path that no other entry has. */
  readonly path?: string;
  /** Text that the header `authorization` has, where a host serves several accounts. Default: whatever it has. */
  readonly account?: string;
  readonly server: Pick<SandboxServer, "origin">;
}

export interface Internet extends AsyncDisposable {
  /** Variables that put a process on this internet: any that honours `HTTPS_PROXY` and, for Node, its certificate. */
  readonly env: Readonly<Record<string, string>>;
  /** Hosts that were asked for and refused, in order. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

/** The names by which the real services behind a sandbox are known. */
export function publicNames({ github, source, dockerHub, tcr }: Sandbox): readonly PublicName[] {
  return [
    { host: "api.github.com", server: github },
    ...registryNames("ghcr.io", source, { content: "pkg-containers.githubusercontent.com" }),
    { host: "auth.docker.io", server: dockerHub.registry.tokenServer ?? dockerHub.registry },
    ...registryNames("registry-1.docker.io", dockerHub.registry, {
      content: "production.cloudflare.docker.com",
    }),
    { host: "hub.docker.com", server: dockerHub.api },
    { host: "identity.docker.com", server: dockerHub.identity },
    ...registryNames(`${tcr.instance.name}.tencentcloudcr.com`, tcr.registry),
    { host: "tcr.tencentcloudapi.com", server: tcr.api },
    { host: "sts.tencentcloudapi.com", server: tcr.api },
  ];
}

/** A registry with its token server at the same name, and its blobs at another. */
export function registryNames(
  host: string,
  registry: RegistryServer,
  { content }: { readonly content?: string } = {},
): readonly PublicName[] {
  const { tokenServer, contentServer } = registry;
  return [
    ...(tokenServer === undefined ? [] : [{ host, path: "/token", server: tokenServer }]),
    ...(contentServer === undefined || content === undefined
      ? []
      : [{ host: content, server: contentServer }]),
    { host, server: registry },
  ];
}

/** Starts the proxy. Its certificate lies in a folder of its own until the end. */
export async function startInternet(names: readonly PublicName[]): Promise<Internet> {
  const { certificate, key } = selfSigned(...new Set(names.map(({ host }) => host)));
  const folder = await mkdtemp(join(tmpdir(), "internet-"));
  const certificatePath = join(folder, "certificate.pem");
  await writeFile(certificatePath, certificate);
  const refused: string[] = [];
  const sockets = new Set<Socket>();
  const inside = createServer({ requestTimeout: 0 }, (incoming, answer) => forward(names, incoming, answer));
  const secureContext = createSecureContext({ cert: certificate, key });
  const proxy = createServer((_incoming, answer) => answer.writeHead(501).end());
  proxy.on("connect", (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    const host = (incoming.url ?? "").replace(/:443$/, "");
    sockets.add(socket);
    // A client that goes away in the middle is no failure of the proxy.
    socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    if (!names.some((name) => name.host === host)) {
      refused.push(host);
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on("error", () => secure.destroy());
    inside.emit("connection", secure);
  });
  const origin = await listen(proxy);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.all([closed(proxy), rm(folder, { recursive: true, force: true })]);
  };
  const env = { HTTPS_PROXY: origin, NODE_EXTRA_CA_CERTS: certificatePath };
  return { env, refused, close, [Symbol.asyncDispose]: close };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Headers in which servers name themselves or each other. */
const naming = ["location", "www-authenticate", "link"];

function forward(names: readonly PublicName[], incoming: IncomingMessage, answer: ServerResponse): void {
  const host = incoming.headers.host ?? "";
  const path = (incoming.url ?? "").replace(/\?.*$/, "");
  const authorization = incoming.headers.authorization ?? "";
  const ofHost = names.filter((name) => name.host === host && authorization.includes(name.account ?? ""));
  const found = ofHost.find((name) => name.path === path) ?? ofHost.find((name) => name.path === undefined);
  if (found === undefined) {
    answer.writeHead(421).end();
    return;
  }
  const upstream = request(found.server.origin, {
    method: incoming.method,
    path: incoming.url,
    headers: incoming.headers,
  });
  upstream.on("error", () => answer.destroy());
  upstream.on("response", (received) => {
    const headers = { ...received.headers };
    for (const name of naming) {
      const value = headers[name];
      if (value !== undefined) headers[name] = publicText(names, host, String(value));
    }
    answer.writeHead(received.statusCode ?? 502, headers);
    received.on("error", () => answer.destroy());
    received.pipe(answer);
  });
  incoming.pipe(upstream);
  answer.on("close", () => upstream.destroy());
}

/** A header's text with the addresses of this machine replaced by the public ones. */
function publicText(names: readonly PublicName[], host: string, text: string): string {
  // Of a server with several names, it is the one that the client has used.
  const ownFirst = [...names].sort((one, other) => Number(other.host === host) - Number(one.host === host));
  const named = ownFirst.reduce(
    (result, name) => result.replaceAll(name.server.origin, `https://${name.host}`),
    text,
  );
  return named.replaceAll(`http://${host}`, `https://${host}`);
}
