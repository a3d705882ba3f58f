import { lookup } from "node:dns";
import { type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import { addressIn, isLocalAddress, needsPublicAddress } from "./addresses.ts";
import { answerOf } from "./answer.ts";
import { type AddressRules, createConnectors, LocalAddressError } from "./connector.ts";
import { discard, type HttpRequest, type HttpResponse, hasBodyToRepeat, type Transport } from "./http.ts";
import { type AnswerKind, defaultPaces, type Pace, paced } from "./pace.ts";
import type { Proxies } from "./proxy.ts";

/** Time allowed for a connection to come up, in milliseconds: three SYN packets in a row can be lost. */
const connectTimeout = 10_000;

/**
 * Longest silence before the answer's headers, in milliseconds. While a body is being sent, undici starts the time anew
 * with each part that the other side takes. A registry checks the digest of a whole layer before it answers the last PUT.
 */
const defaultHeadersTimeout = 120_000;

/** Longest silence inside an answer's body, in milliseconds: a stall that lasts longer is a broken connection. */
const defaultBodyTimeout = 30_000;

/** How long an idle connection is kept for the next request, in milliseconds; registries close theirs after 60 s or more. */
const keepAliveTimeout = 20_000;

/** Most redirects in a row. Registries need one, to their blob storage. */
const redirectLimit = 5;

/** Sent with every request: Docker Hub may answer 403 to a client without a name. */
export const userAgent = "harbor-release-mirror";

export interface TransportOptions {
  /** Default: undici reads the variables of the environment itself. */
  readonly proxies?: Proxies;
  // For tests only:
  /** Longest silence inside an answer's body, in milliseconds. Default: 30 s. */
  readonly bodyTimeout?: number;
  /** Longest silence before an answer's headers, in milliseconds. Default: 120 s. */
  readonly headersTimeout?: number;
  /** How fast an answer's body has to come. Default: `defaultPaces`. */
  readonly paces?: Readonly<Record<AnswerKind, Pace>>;
  /** Default: the system's lookup, and the registries of special addresses. */
  readonly addresses?: AddressRules;
}

export interface NetworkTransport extends Transport {
  /** The one dispatcher of the run, for Octokit: one proxy rule, one place for time-outs. */
  readonly dispatcher: Dispatcher;
  /** Requests sent so far, by host. */
  readonly requests: ReadonlyMap<string, number>;
  /**
   * Opens new connections for every request from now on: those that are open keep what the system had when they were made.
   * Requests under way go on.
   */
  renewConnections(): void;
  close(): Promise<void>;
}

/**
 * HTTP/1.1 over undici, through the proxy that the environment names. HTTP/2 is off on purpose: many uploads would share one
 * connection and so one window, which limits the rate over a long link.
 */
export function createTransport(log: Log, clock: Clock, options: TransportOptions = {}): NetworkTransport {
  const { bodyTimeout = defaultBodyTimeout, headersTimeout = defaultHeadersTimeout } = options;
  const { paces = defaultPaces, proxies } = options;
  const { addresses = { lookup, isLocal: isLocalAddress } } = options;
  const connectors = createConnectors(addresses, connectTimeout);
  // Behind a proxy undici makes the connections itself, and the proxy looks names up. Then only addresses in place of names
  // are checked.
  const agents = (connect: typeof connectors.anywhere) => {
    const shared = { ...proxies, allowH2: false, connect, headersTimeout, bodyTimeout };
    return {
      shared: withPaces(new EnvHttpProxyAgent({ ...shared, pipelining: 1, keepAliveTimeout })),
      // Without pipelining, undici closes each connection after its request.
      own: withPaces(new EnvHttpProxyAgent({ ...shared, pipelining: 0 })),
    };
  };
  const withPaces = (agent: EnvHttpProxyAgent) => ({
    agent,
    document: agent.compose(paced(paces.document, clock)),
    blob: agent.compose(paced(paces.blob, clock)),
  });
  const openAgents = () => ({
    anywhere: agents(connectors.anywhere),
    // The agents share no connections: one that the user's own request has opened must not serve a server's wish.
    publicOnly: agents(connectors.publicOnly),
  });
  const first = openAgents();
  const opened = [first];
  let current = first;
  const requests = new Map<string, number>();

  function isLocalLiteral(url: URL): boolean {
    const address = addressIn(url);
    return address !== undefined && addresses.isLocal(address);
  }

  async function sendOnce(request: HttpRequest): Promise<HttpResponse> {
    const started = clock.now();
    const foreign = foreignSource(request);
    const isChecked =
      foreign !== undefined &&
      needsPublicAddress(request.url, connectors.isLocal(foreign.origin) || isLocalLiteral(foreign));
    // Checked here and not in the connector: an address needs no lookup, and a proxy connects by itself.
    if (isChecked && isLocalLiteral(request.url))
      throw new LocalAddressError(request.url.hostname, request.url.hostname);
    requests.set(request.url.host, (requests.get(request.url.host) ?? 0) + 1);
    const connections = (isChecked ? current.publicOnly : current.anywhere)[request.connection ?? "shared"];
    const told = (end: string): void =>
      log.debug(`${request.method} ${redacted(request.url)} ${end} ${clock.now() - started} ms`);
    const dispatched: Dispatcher.DispatchOptions = {
      origin: request.url.origin,
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method,
      headers: { "user-agent": userAgent, ...request.headers },
      // undici takes any async iterable and sends it chunk by chunk; its types only know Node's own streams.
      body: (request.body ?? null) as Buffer | string | null,
      // By default undici closes the connection after each HEAD, as some servers send a body all the same. A mirror asks
      // mostly by HEAD, and a new connection costs three round trips. If a body comes, the next request fails and is sent
      // again. https://github.com/nodejs/undici/issues/258
      ...(request.method === "HEAD" && request.connection !== "own" ? { reset: false } : {}),
    };
    const answer = await answerOf(
      connections[request.answer ?? "document"],
      dispatched,
      request.signal,
    ).catch((error: unknown) => {
      told("failed after");
      throw error;
    });
    told(`${answer.status}`);
    return {
      status: answer.status,
      url: request.url,
      header: (name) => all(answer.headers[name])[0],
      headers: (name) => all(answer.headers[name]),
      body: answer.body,
    };
  }

  async function send(request: HttpRequest): Promise<HttpResponse> {
    let next = request;
    for (let hops = 0; ; hops += 1) {
      const response = await sendOnce(next);
      if (!isRedirect(response.status)) return response;
      await discard(response);
      if (hops >= redirectLimit) throw new Error(`more than ${redirectLimit} redirects`);
      next = redirected(next, response);
    }
  }

  function renewConnections(): void {
    current = openAgents();
    opened.push(current);
  }

  async function close(): Promise<void> {
    const all = opened
      .flatMap(({ anywhere, publicOnly }) => [anywhere, publicOnly])
      .flatMap(({ shared, own }) => [shared, own]);
    await Promise.all(all.map(({ agent }) => agent.destroy()));
  }

  return { send, dispatcher: first.anywhere.shared.document, requests, renewConnections, close };
}

/** The server that named the request's URL, if the URL leads away from it. */
function foreignSource({ url, namedBy }: HttpRequest): URL | undefined {
  return namedBy === undefined || namedBy.origin === url.origin ? undefined : namedBy;
}

function all(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The headers that go along to another origin: what is wanted, and nothing of who asks. */
const headersForOthers: ReadonlySet<string> = new Set(["accept", "accept-encoding", "range"]);

/**
 * The request that follows a redirect, by the rule of `Transport`. Once the origin changes, the login stays behind (P7),
 * whichever header has it: blob storage signs its own URLs and even refuses a second authentication.
 */
function redirected(request: HttpRequest, response: HttpResponse): HttpRequest {
  const location = response.header("location");
  if (location === undefined || !URL.canParse(location, request.url.href))
    throw new Error("a redirect without a usable Location");
  const url = new URL(location, request.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new Error(`a redirect to ${url.protocol}`);
  if (request.url.protocol === "https:" && url.protocol !== "https:")
    throw new Error(`a redirect from https to http, ${redacted(url)}`);
  if (url.username !== "" || url.password !== "") throw new Error("a redirect to a URL with a login in it");
  const isHere = url.origin === request.url.origin;
  if (request.method !== "GET" && request.method !== "HEAD") {
    // 301 to 303 let a client turn the method into GET; only 307 and 308 keep it: RFC 9110, section 15.4.
    const keepsMethod = response.status === 307 || response.status === 308;
    if (!isHere || !keepsMethod || !hasBodyToRepeat(request))
      throw new Error(`a ${request.method} was redirected to ${redacted(url)}, which is not followed`);
  }
  if (isHere) return { ...request, url };
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => headersForOthers.has(name));
  return { ...request, url, headers: Object.fromEntries(headers), namedBy: request.url };
}

/** A URL for the debug log: queries carry signatures and upload state. */
function redacted(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}
