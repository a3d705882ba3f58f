import { OperationError } from "../errors.ts";
import { discard, type HttpResponse } from "../http/http.ts";
import { mannersOf } from "../vendors/vendors.ts";
import type { Descriptor } from "./manifest.ts";
import { type Registry, type RegistryRequest, smallTransfer } from "./registry.ts";
import type { Scope } from "./scope.ts";

/** How a part of a blob is sent. */
export interface PartOptions {
  readonly signal?: AbortSignal | undefined;
  /** On a connection of its own, for links that cut connections after a while. */
  readonly ownConnection?: boolean;
}

/**
 * One upload that a registry has opened. Its address changes with every answer and is used exactly as it came.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
 */
export class BlobUpload {
  readonly #registry: Registry;
  readonly #scopes: readonly [Scope];
  #location: URL;

  /** @throws OperationError when the answer gives no address on the registry itself. */
  constructor(registry: Registry, repository: string, opened: HttpResponse, operation: string) {
    this.#registry = registry;
    this.#scopes = [{ repository, actions: ["pull", "push"] }];
    this.#location = this.#locationOf(opened, operation);
  }

  /**
   * Sends a part of the blob that is not its last one, by PATCH.
   * @param from position of the part in the blob.
   * @returns the bytes that the registry now has.
   * @throws OperationError
   */
  async append(
    body: AsyncIterable<Uint8Array>,
    from: number,
    length: number,
    options: PartOptions = {},
  ): Promise<number> {
    const request = this.#request("PATCH", this.#location, "uploading a part of a blob", options, {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(length),
        // Without the unit in front, as the specification has it.
        "content-range": `${from}-${from + length - 1}`,
      },
      body,
    });
    const response = await this.#expect(request, 202, 201, 204);
    await discard(response);
    this.#location = this.#locationOf(response, request.operation);
    return receivedOf(response) ?? from + length;
  }

  /**
   * Sends the blob, or the rest of it, by PUT; the registry then checks the digest of the whole. This method never sends it
   * again: after a break, the registry may have a part of the bytes.
   * @param from position at which the body starts.
   * @throws OperationError
   */
  async finish(
    blob: Pick<Descriptor, "digest" | "size">,
    body: AsyncIterable<Uint8Array>,
    from = 0,
    options: PartOptions = {},
  ): Promise<void> {
    const target = new URL(this.#location);
    // Appended, not set: the registry's own query must stay as it came.
    target.search = `${target.search}${target.search === "" ? "?" : "&"}digest=${encodeURIComponent(blob.digest)}`;
    const request = this.#request("PUT", target, "uploading the blob", options, {
      subject: blob.digest,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(blob.size - from),
        // No range for the whole blob. None can be written either when only the digest is missing.
        ...(from === 0 || from === blob.size ? {} : { "content-range": `${from}-${blob.size - 1}` }),
      },
      body,
    });
    await discard(await this.#expect(request, 201, 204));
  }

  /**
   * Asks how many bytes the registry has, after a break.
   * @returns undefined where the registry does not go on with this upload.
   * @throws OperationError when it cannot be asked.
   */
  async received(signal?: AbortSignal): Promise<number | undefined> {
    const request = this.#request("GET", this.#location, "asking how far an upload is", { signal }, {});
    const response = await this.#registry.send(request);
    await discard(response);
    if (response.status !== 204 && response.status !== 202 && response.status !== 200) return undefined;
    if (response.header("location") !== undefined)
      this.#location = this.#locationOf(response, request.operation);
    return receivedOf(response);
  }

  /**
   * Cancels the upload, so that the registry need not keep what it has. Not all registries can; that is no failure.
   * @returns whether the registry says that it is gone.
   */
  async cancel(signal?: AbortSignal): Promise<boolean> {
    const [{ repository }] = this.#scopes;
    const request: RegistryRequest = {
      ...this.#request("DELETE", this.#location, "cancelling an upload", { signal }, {}),
      // The actions that deleting needs, as in distribution. A token server that does not grant them refuses, and the upload
      // stays.
      scopes: [{ repository, actions: mannersOf(this.#registry.vendor).deleting }],
    };
    const response = await this.#registry.send(request).catch(() => undefined);
    if (response === undefined) return false;
    await discard(response);
    return response.status < 300 || response.status === 404;
  }

  /**
   * 404 at an address that the registry gave itself: the upload is gone, and another upload may work. Some proxies drop the
   * code that the specification has for this, BLOB_UPLOAD_UNKNOWN.
   * @throws OperationError
   */
  async #expect(request: RegistryRequest, ...statuses: readonly number[]): Promise<HttpResponse> {
    const response = await this.#registry.send(request);
    if (statuses.includes(response.status)) return response;
    const refusal = await this.#registry.refused(response, request);
    if (response.status !== 404) throw refusal;
    const advice =
      "The registry lost an upload that it had opened. If it consists of several instances, they have to share their " +
      "storage and, for the distribution project, `http.secret`.";
    throw new OperationError({ ...refusal.details, temporary: true, advice }, { cause: refusal });
  }

  #request(
    method: RegistryRequest["method"],
    target: URL,
    operation: string,
    { signal, ownConnection = false }: PartOptions,
    rest: Pick<RegistryRequest, "subject" | "headers" | "body">,
  ): RegistryRequest {
    const connection = ownConnection ? "own" : "shared";
    const priority = Number(rest.headers?.["content-length"] ?? 0);
    const transfer = priority > smallTransfer;
    return {
      method,
      target,
      operation,
      scopes: this.#scopes,
      signal,
      connection,
      transfer,
      priority,
      ...rest,
    };
  }

  /** The upload carries the login of this registry, so it stays on this registry. */
  #locationOf(response: HttpResponse, operation: string): URL {
    const request = { scopes: this.#scopes, operation };
    const text = response.header("location") ?? "";
    if (text === "" || !URL.canParse(text, response.url.href)) {
      throw this.#registry.failure(request, { problem: "the registry gave no usable address to upload to" });
    }
    const location = new URL(text, response.url);
    const isHere = location.origin === this.#registry.origin.origin;
    if (isHere && location.username === "" && location.password === "") return location;
    throw this.#registry.failure(request, {
      problem: `the registry wants the upload to go to ${location.protocol}//${location.host}, which is not itself`,
      advice:
        "Nothing was sent there. The registry's external address may be set wrongly; tell its operator.",
    });
  }
}

/**
 * The bytes of an upload that a registry has, from `Range: 0-<last>`. In distribution `0-0` means nothing as well as one
 * byte; it is taken for nothing. Undefined without a readable range.
 */
function receivedOf(response: HttpResponse): number | undefined {
  const last = /^(?:bytes[ =])?0-([0-9]{1,15})$/.exec(response.header("range")?.trim() ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}
