import * as v from "valibot";
import type { HttpResponse, Transport } from "../../http/http.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { nextPage } from "../../oci/pages.ts";
import {
  apiUrl,
  readRepositories,
  sendToVendor,
  type VendorOperation,
  vendorFailure,
  vendorRefusal,
} from "../vendor-api.ts";

export interface PackagesListOptions {
  /** Base URL of GitHub's REST API. */
  readonly url: URL;
  /** Of the registry: the password is a token of GitHub's. */
  readonly credentials: Credentials;
  /** Another token that is for this API; undefined: there is none. */
  readonly token: string | undefined;
  readonly transport: Transport;
}

const packagesSchema = v.array(v.object({ name: v.string() }));

/** The most that the API gives on a page. */
const pageSize = 100;

/**
 * The container packages of a user or an organisation of GitHub, by their paths on the registry, page by page. The API gives no
 * list without a token, nor to the token of a job (https://github.com/snok/container-retention-policy), so each token that there
 * is gets its try: the registry's login first, which people choose for packages.
 * https://docs.github.com/rest/packages/packages#list-packages-for-an-organization
 * @throws OperationError (from the iteration)
 */
export async function* packagesRepositories(
  options: PackagesListOptions,
  owner: string,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const { url } = options;
  const operation = { host: url.host, operation: "listing the packages" };
  const { response, target, headers } = await firstPage(options, owner, operation, signal);
  let page: { readonly response: HttpResponse; readonly target: URL } = { response, target };
  for (;;) {
    const found = await readRepositories(page.response, packagesSchema, operation, signal);
    yield found.map(({ name }) => `${owner}/${name}`);
    const next = nextPage(page.response.header("link"), page.target);
    if (next === undefined) return;
    page = { response: await send(options.transport, next, headers, operation, signal), target: next };
  }
}

interface FirstPage {
  readonly response: HttpResponse;
  readonly target: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The first page, with the first token that gets one. The name of an owner does not say whether it is an organisation or a user.
 * @throws OperationError where none does: that of the last.
 */
async function firstPage(
  options: PackagesListOptions,
  owner: string,
  operation: VendorOperation,
  signal: AbortSignal,
): Promise<FirstPage> {
  const { url, transport } = options;
  let refused = vendorFailure(operation, { problem: "there is no token for it" });
  for (const token of await tokensOf(options, signal)) {
    for (const kind of ["orgs", "users"]) {
      const target = apiUrl(url, `/${kind}/${owner}/packages?package_type=container&per_page=${pageSize}`);
      const headers = {
        accept: "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        authorization: `Bearer ${token}`,
      };
      const response = await send(transport, target, headers, operation, signal);
      if (response.status === 200) return { response, target, headers };
      refused = await vendorRefusal(response, operation, signal, undefined);
      if (refused.temporary) throw refused;
      if (response.status !== 404) break;
    }
  }
  throw refused;
}

/** The tokens, each once. */
async function tokensOf(
  { credentials, token }: PackagesListOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const own = (await credentials(signal))?.password;
  return [...new Set([own, token])].flatMap((each) => (each === undefined || each === "" ? [] : [each]));
}

function send(
  transport: Transport,
  url: URL,
  headers: Readonly<Record<string, string>>,
  operation: VendorOperation,
  signal: AbortSignal,
): Promise<HttpResponse> {
  return sendToVendor(transport, { method: "GET", url, headers, signal }, operation);
}
