/**
 * The gateway of the Tencent Cloud API in front of TCR (https://www.tencentcloud.com/document/product/1051/41100). Kept:
 * POST to `/` alone; TC3-HMAC-SHA256 checked, but for the actions that are not signed; temporary keys that run out; a clock
 * that is off by more than 300 s is refused; `X-TC-Action`, `X-TC-Version` of that action and `X-TC-Region` needed; errors, too, come with HTTP 200; unknown and missing parameters
 * are refused.
 */
import { randomUUID, timingSafeEqual } from "node:crypto";
import { type Answer, json, readBody, type SandboxRequest } from "./server.ts";
import { dateOf, parseAuthorization, signatureOf } from "./tcr-signature.ts";

export interface TencentCloudKey {
  readonly secretId: string;
  readonly secretKey: string;
  /** With temporary keys: has to come in `X-TC-Token`. */
  readonly sessionToken?: string;
  /** When a temporary key runs out, in milliseconds since the epoch. */
  readonly expiresAt?: number;
}

/** An error of the API: `FailedOperation.ErrorTcrResourceConflict` and the like. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export type ParameterType = "string" | "number" | "boolean" | "strings" | "filters";

export interface ApiAction {
  /** Whether it is called with `Authorization: SKIP` in place of a signature. Default: false. */
  readonly unsigned?: boolean;
  /** Parameters with their types; a name with `?` may be left out. */
  readonly parameters: Readonly<Record<string, ParameterType>>;
  readonly run: (parameters: Parameters, region: string) => Record<string, unknown>;
}

/** The parameters of a call, already checked. */
export interface Parameters {
  text(name: string): string;
  optionalText(name: string): string | undefined;
  number(name: string, otherwise: number): number;
  flag(name: string): boolean;
  texts(name: string): readonly string[];
  filters(name: string): readonly { readonly Name: string; readonly Values: readonly string[] }[];
}

export interface Gateway {
  /** Looked up on every call, so keys may come later. */
  readonly keys: readonly TencentCloudKey[];
  /** Actions by the version of their product's API. */
  readonly products: ReadonlyMap<string, ReadonlyMap<string, ApiAction>>;
  /** Calls per second that are allowed; Tencent's limits are 10 to 100, by action. */
  readonly callsPerSecond: number;
  readonly now: () => number;
}

export const tcrVersion = "2019-09-24";

/** How far the client's clock may be off, in seconds. */
const clockTolerance = 300;

/** Answers calls, one after the other in the order of their arrival. */
export function gateway(api: Gateway): (request: SandboxRequest) => Promise<Answer> {
  let recent: number[] = [];
  return async (request) => {
    const requestId = randomUUID();
    const body = await readBody(request, 10 * 1024 * 1024);
    try {
      if (request.method !== "POST" || request.path !== "/")
        throw new ApiError("UnsupportedProtocol", "POST / only");
      const action = actionOf(api, request);
      if (action?.unsigned !== true) checkSignature(api, request, body);
      else if (request.headers.authorization !== "SKIP" || request.headers["x-tc-token"] !== undefined)
        throw new ApiError("AuthFailure.InvalidAuthorization", "the action is not signed: SKIP");
      if (!api.products.has(header(request, "x-tc-version"))) {
        throw new ApiError("InvalidParameter", "X-TC-Version is not one of these products");
      }
      recent = [...recent.filter((at) => at > api.now() - 1000), api.now()];
      if (recent.length > api.callsPerSecond) {
        throw new ApiError(
          "RequestLimitExceeded",
          `Your current request times equals to ${recent.length} in a second`,
        );
      }
      return json(200, { Response: { ...call(action, request, body), RequestId: requestId } });
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      const error = { Code: thrown.code, Message: thrown.message };
      return json(200, { Response: { Error: error, RequestId: requestId } });
    }
  };
}

function actionOf({ products }: Gateway, request: SandboxRequest): ApiAction | undefined {
  return products.get(header(request, "x-tc-version"))?.get(header(request, "x-tc-action"));
}

function call(action: ApiAction | undefined, request: SandboxRequest, body: Buffer): Record<string, unknown> {
  const region = header(request, "x-tc-region");
  if (region === "") throw new ApiError("MissingParameter", "X-TC-Region is missing");
  if (action === undefined) throw new ApiError("InvalidAction", "no action of this name and version");
  return action.run(checkedParameters(action, body), region);
}

function checkSignature({ keys, now }: Gateway, request: SandboxRequest, body: Buffer): void {
  const authorization = parseAuthorization(request.headers.authorization ?? "");
  if (authorization === undefined)
    throw new ApiError("AuthFailure.InvalidAuthorization", "no valid Authorization");
  const timestamp = header(request, "x-tc-timestamp");
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now() / 1000 - Number(timestamp)) > clockTolerance) {
    throw new ApiError("AuthFailure.SignatureExpire", "the signature has expired: check the clock");
  }
  const { secretId, date, service, signedHeaders, signature } = authorization;
  const key = keys.find((one) => one.secretId === secretId);
  if (key === undefined) throw new ApiError("AuthFailure.SecretIdNotFound", "the SecretId is not found");
  const covered = ["content-type", "host"].every((name) => signedHeaders.includes(name));
  const sorted = signedHeaders.every((name, index) => index === 0 || name > (signedHeaders[index - 1] ?? ""));
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, header(request, name)]));
  const { secretKey } = key;
  const { method } = request;
  const right = signatureOf({
    method,
    query: "",
    headers,
    signedHeaders,
    body,
    secretKey,
    timestamp,
    service,
  });
  const equal = timingSafeEqual(Buffer.from(right), Buffer.from(signature));
  if (!covered || !sorted || service !== "tcr" || date !== dateOf(timestamp) || !equal) {
    throw new ApiError("AuthFailure.SignatureFailure", "the provided credentials could not be validated");
  }
  const isLive = (key.expiresAt ?? Number.POSITIVE_INFINITY) > now();
  if (header(request, "x-tc-token") !== (key.sessionToken ?? "") || !isLive) {
    throw new ApiError("AuthFailure.TokenFailure", "the session token is missing or wrong");
  }
}

function header(request: SandboxRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === "string" ? value : "";
}

function checkedParameters(action: ApiAction, body: Buffer): Parameters {
  const given = parseBody(body);
  const types = new Map(
    Object.entries(action.parameters).map(([name, type]) => [name.replace("?", ""), type]),
  );
  for (const [name, value] of Object.entries(given)) {
    const type = types.get(name);
    if (type === undefined) throw new ApiError("UnknownParameter", `the parameter ${name} is not known`);
    if (!isOf(type, value))
      throw new ApiError("InvalidParameter", `the parameter ${name} is not of type ${type}`);
  }
  for (const name of Object.keys(action.parameters)) {
    if (!name.endsWith("?") && given[name] === undefined)
      throw new ApiError("MissingParameter", `${name} is missing`);
  }
  return {
    text: (name) => String(given[name]),
    optionalText: (name) => given[name] as string | undefined,
    number: (name, otherwise) => (given[name] as number | undefined) ?? otherwise,
    flag: (name) => given[name] === true,
    texts: (name) => (given[name] as string[] | undefined) ?? [],
    filters: (name) => (given[name] as { Name: string; Values: string[] }[] | undefined) ?? [],
  };
}

function parseBody(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    throw new ApiError("InvalidParameter", "the body is no JSON");
  }
  throw new ApiError("InvalidParameter", "the body is no JSON object");
}

function isOf(type: ParameterType, value: unknown): boolean {
  const isTexts = (list: unknown) => Array.isArray(list) && list.every((item) => typeof item === "string");
  if (type === "strings") return isTexts(value);
  if (type !== "filters") return typeof value === type;
  return (
    Array.isArray(value) &&
    value.every((filter) => typeof filter?.Name === "string" && isTexts(filter?.Values))
  );
}
