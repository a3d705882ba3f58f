import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import { connectionAdvice } from "../http/connection-advice.ts";
import { BodyError, discard, type HttpResponse, readBytes, type Transport } from "../http/http.ts";
import { type Leased, leased } from "../http/lease.ts";
import { isBrokenConnection, isTemporaryStatus, sendAgain } from "../http/retry.ts";
import { type Log, printable } from "../log/log.ts";
import { basicHeader, type Credentials } from "../oci/credentials.ts";
import { type Digest, digestOf, hasDigest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { isLoopback } from "../oci/reference.ts";
import { readArchive } from "./archive.ts";
import { makeArtifact } from "./artifact.ts";
import { type ChartIndex, type ChartVersion, readIndex } from "./index.ts";

/**
 * A repository of Helm charts: `index.yaml` and archives on a web server.
 * https://helm.sh/docs/topics/chart_repository/
 */

export interface ChartRepositoryOptions {
  /** Its address, `https://helm.goharbor.io`, without a slash at the end. */
  readonly address: string;
  /** Go to the address's own host, and to no other. */
  readonly credentials: Credentials;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** Largest index, in bytes: that of TrueCharts had 51 MB (https://github.com/fluxcd/flux2/issues/4635). */
const indexLimit = 64 * 1024 * 1024;
/** Largest archive, in bytes. Harbor's has 50 KB; Flux takes 10 MiB at the most. */
const archiveLimit = 32 * 1024 * 1024;
/** Largest provenance, in bytes: `Chart.yaml`, a digest and a signature. */
const provenanceLimit = 1024 * 1024;
/** Most bytes of archives that are kept between the plan and the copy. What is more is read again. */
const keptLimit = 64 * 1024 * 1024;
/** How long an index is good for, in milliseconds: as long as any look. */
const indexLife = 60_000;

/** A chart that has been read: all but its archive. */
interface ReadChart {
  readonly name: string;
  readonly url: URL;
  readonly manifest: Manifest;
  readonly archive: Digest;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

/** What a request is for. */
interface Purpose {
  readonly operation: string;
  readonly repository?: string;
  readonly subject?: string;
}

interface Answer {
  readonly response: HttpResponse;
  readonly bytes: Buffer;
}

export class ChartRepository {
  readonly #options: ChartRepositoryOptions;
  readonly #base: URL;
  readonly #index: Leased<ChartIndex>;
  /** By what the index says of the chart: one that was changed is another. */
  readonly #charts = new Map<string, Promise<ReadChart>>();
  readonly #read = new Map<Digest, ReadChart>();
  /** The oldest first. */
  readonly #archives = new Map<Digest, Buffer>();
  /** The last index, and by what name its server knows it again. */
  #last: { readonly index: ChartIndex; readonly etag: string | undefined } | undefined;
  readonly #warnings = new Set<string>();

  constructor(options: ChartRepositoryOptions) {
    this.#options = options;
    this.#base = new URL(`${options.address}/`);
    this.#index = leased(options.clock, async (signal) => {
      const value = await this.#readIndex(signal);
      return { value, until: options.clock.now() + indexLife };
    });
  }

  /**
   * The names of all charts.
   * @throws OperationError
   */
  async names(signal: AbortSignal | undefined): Promise<readonly string[]> {
    return (await this.#index.get(signal)).names;
  }

  /**
   * The tags of all versions of a chart; none where there is no such chart.
   * @throws OperationError
   */
  async tags(name: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
    return [...(await this.#versions(name, signal)).keys()];
  }

  /**
   * The manifest of a chart: by its tag, for which its archive is read; or by its digest, where that was done before.
   * @returns undefined where there is no such version.
   * @throws OperationError
   */
  async manifest(
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<Manifest | undefined> {
    const known = this.#read.get(reference as Digest);
    if (known !== undefined) return known.name === name ? known.manifest : undefined;
    const listed = (await this.#versions(name, signal)).get(reference);
    if (listed === undefined) return undefined;
    const [version] = listed;
    const purpose = { operation: "reading the chart", repository: name, subject: reference };
    if (version === undefined || new Set(listed.map(({ digest }) => digest)).size > 1)
      throw this.#failure(purpose, {
        problem: "index.yaml lists several charts of this version, with other digests",
        advice: "Its owner has to leave one of them.",
      });
    const key = JSON.stringify([name, version]);
    const reading = this.#charts.get(key) ?? this.#readChart(version, purpose, signal);
    this.#charts.set(key, reading);
    // What failed may be better the next time.
    reading.catch(() => this.#charts.delete(key));
    return (await reading).manifest;
  }

  /**
   * A blob of a chart whose manifest has been read; undefined for any other.
   * @throws OperationError
   */
  async blob(name: string, digest: Digest, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const charts = [...this.#read.values()].filter((chart) => chart.name === name);
    const small = charts.flatMap(({ blobs }) => blobs.get(digest) ?? [])[0];
    if (small !== undefined) return small;
    const chart = charts.find(({ archive }) => archive === digest);
    if (chart === undefined) return undefined;
    const purpose = { operation: "reading the chart", repository: name, subject: digest };
    return this.#archives.get(digest) ?? this.#readArchive(chart.url, digest, purpose, signal);
  }

  async #versions(
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, readonly ChartVersion[]>> {
    const index = await this.#index.get(signal);
    return this.#judged({ operation: "reading index.yaml", repository: name }, () => index.versions(name));
  }

  /** One that has not changed is not sent again: some have 50 MB, and who waits for a version looks every minute. */
  async #readIndex(signal: AbortSignal | undefined): Promise<ChartIndex> {
    const purpose = { operation: "reading index.yaml" };
    const etag = this.#last?.etag;
    const headers = etag === undefined ? {} : { "if-none-match": etag };
    const url = new URL("index.yaml", this.#base);
    const { response, bytes } = await this.#get(url, indexLimit, purpose, signal, headers);
    if (response.status === 304 && this.#last !== undefined) return this.#last.index;
    const advice = "Check the address in `source`: index.yaml is right below it.";
    if (response.status !== 200) throw this.#refused(response, purpose, advice);
    const index = await this.#judged(purpose, () =>
      readIndex(bytes.toString("utf8"), (message) => this.#warn(message)),
    );
    this.#last = { index, etag: response.header("etag") };
    return index;
  }

  #warn(message: string): void {
    if (this.#warnings.has(message)) return;
    this.#warnings.add(message);
    this.#options.log.warning(`${this.#options.address}/index.yaml: ${message}`);
  }

  async #readChart(
    version: ChartVersion,
    purpose: Purpose & { readonly repository: string },
    signal: AbortSignal | undefined,
  ): Promise<ReadChart> {
    const name = purpose.repository;
    const url = this.#archiveUrl(version, purpose);
    const bytes = await this.#readArchive(url, version.digest, purpose, signal);
    const archive = await this.#judged(purpose, () => readArchive(bytes));
    const { metadata } = archive;
    if (metadata.name !== name || metadata.version !== version.version)
      throw this.#failure(purpose, {
        problem: `its archive is the chart ${printable(metadata.name)} ${printable(metadata.version)}`,
        advice: "Its owner has to mend index.yaml.",
      });
    const provenance = await this.#readProvenance(new URL(`${url.href}.prov`), purpose, signal);
    const { manifest, blobs } = makeArtifact(archive, provenance);
    const chart = { name, url, manifest, archive: archive.digest, blobs };
    this.#read.set(manifest.digest, chart);
    return chart;
  }

  /** @throws OperationError also for a place from which no archive is read. */
  #archiveUrl({ urls }: ChartVersion, purpose: Purpose): URL {
    const [text] = urls;
    const refuse = (problem: string, advice: string) => this.#failure(purpose, { problem, advice });
    const owner = "Its owner has to mend index.yaml.";
    if (text === undefined) throw refuse("index.yaml names no address of its archive", owner);
    const shown = printable(text.replace(/[?#].*$/s, ""), 200);
    if (text.startsWith("oci://"))
      throw refuse(
        `index.yaml says that it is in a registry, ${shown}`,
        "Set `source` to that registry and namespace.",
      );
    const url = URL.canParse(text, this.#base.href) ? new URL(text, this.#base) : undefined;
    const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.host));
    if (url === undefined || !isSafe || url.username !== "" || url.password !== "")
      throw refuse(
        `index.yaml says that its archive is at ${shown}, which is not read: it has to be https://`,
        owner,
      );
    return url;
  }

  /** @param digest undefined: the index does not tell it. */
  async #readArchive(
    url: URL,
    digest: Digest | undefined,
    purpose: Purpose,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    const { response, bytes } = await this.#get(url, archiveLimit, purpose, signal);
    if (response.status !== 200) throw this.#refused(response, purpose);
    if (digest !== undefined && !hasDigest(bytes, digest))
      throw this.#failure(purpose, {
        problem: `its archive has the digest ${digestOf(bytes)}, and not ${digest}, as index.yaml says`,
        advice: "Nothing of it is used. Its owner has to mend index.yaml or the archive.",
      });
    this.#keep(digest ?? digestOf(bytes), bytes);
    return bytes;
  }

  #keep(digest: Digest, bytes: Buffer): void {
    this.#archives.set(digest, bytes);
    let size = [...this.#archives.values()].reduce((sum, { length }) => sum + length, 0);
    for (const [oldest, { length }] of this.#archives) {
      if (size <= keptLimit) return;
      this.#archives.delete(oldest);
      size -= length;
    }
  }

  /** Undefined where there is none: S3 says so with 403, some servers with a page for people. */
  async #readProvenance(
    url: URL,
    purpose: Purpose,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | undefined> {
    const { response, bytes } = await this.#get(url, provenanceLimit, purpose, signal);
    if ([400, 401, 403, 404, 410].includes(response.status)) return undefined;
    if (response.status !== 200) throw this.#refused(response, purpose);
    return bytes.includes("-----BEGIN PGP SIGNED MESSAGE-----") ? bytes : undefined;
  }

  async #get(
    url: URL,
    limit: number,
    purpose: Purpose,
    signal: AbortSignal | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { transport, credentials, log } = this.#options;
    const isOwn = url.origin === this.#base.origin;
    const login = isOwn ? await credentials(signal) : undefined;
    // A token that is exchanged for another means nothing to a web server.
    const isUsable = login !== undefined && login.identityToken === undefined;
    const authorization = isUsable ? basicHeader(login) : undefined;
    if (authorization !== undefined) log.mask(authorization.slice("Basic ".length));
    const send = async (): Promise<Answer> => {
      const response = await transport.send({
        method: "GET",
        url,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        namedBy: this.#base,
        answer: "blob",
        once: true,
        signal,
      });
      if (response.status === 200) return { response, bytes: await readBytes(response, limit) };
      await discard(response);
      return { response, bytes: Buffer.alloc(0) };
    };
    try {
      return await sendAgain(
        {
          name: `GET ${url.host}${url.pathname}`,
          signal,
          send,
          status: ({ response }) => response.status,
          retryAfter: ({ response }) => response.header("retry-after"),
          discard: () => Promise.resolve(),
        },
        this.#options,
      );
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw this.#failure(purpose, {
        problem: `${url.host}: ${messageOf(error)}`,
        advice: connectionAdvice(error),
        temporary: isBrokenConnection(error),
        cause: error,
      });
    }
  }

  /** Does what throws a BodyError for what the server sent. */
  async #judged<T>(purpose: Purpose, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      throw this.#failure(purpose, { problem: error.message, cause: error });
    }
  }

  #refused({ status, url }: HttpResponse, purpose: Purpose, advice?: string): OperationError {
    const login = `Give it the login of ${this.#base.host}, in \`logins\` or in the Docker configuration.`;
    return this.#failure(purpose, {
      status,
      problem: `${url.host} does not give it`,
      advice: status === 401 || status === 403 ? login : advice,
      temporary: isTemporaryStatus(status),
    });
  }

  #failure(
    purpose: Purpose,
    details: {
      problem: string;
      status?: number;
      advice?: string | undefined;
      temporary?: boolean;
      cause?: unknown;
    },
  ): OperationError {
    const { cause, problem, ...rest } = details;
    const host = this.#options.address;
    return new OperationError(
      { side: "source", host, ...purpose, ...rest, problem: printable(problem) },
      { cause },
    );
  }
}
