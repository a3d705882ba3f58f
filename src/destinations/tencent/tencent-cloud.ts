import type { Clock } from "../../clock.ts";
import type { IdTokens } from "../../github/id-token.ts";
import type { Transport } from "../../http/http.ts";
import type { Log } from "../../log/log.ts";
import type { Namespace } from "../../oci/reference.ts";
import { keyFor, type PlaceLogin } from "../place-logins.ts";
import { createTencentApi, type TencentApi } from "./tencent-api.ts";
import {
  fixedKey,
  roleKeys,
  type TencentCloudKey,
  type TencentKeys,
  type TencentRole,
} from "./tencent-keys.ts";

/** The API of TCR at a URL, with the key for a place; undefined where the user gave neither key nor role for it. */
export type TencentCloud = (url: URL, place: Namespace) => TencentApi | undefined;

export interface TencentCloudOptions {
  /** Keys for single places, which come before the one for all others. */
  readonly logins: readonly PlaceLogin[];
  readonly tencentCloudKey: TencentCloudKey | undefined;
  /** A role that is assumed with GitHub's id token, in place of a key. */
  readonly tencentRole: TencentRole | undefined;
  readonly idTokens: IdTokens;
  /** Repeats broken connections and temporary statuses by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** The clients of a run, one for each URL and key. Destinations of one account share its rate limit. */
export function createTencentCloud(options: TencentCloudOptions): TencentCloud {
  const { transport, clock } = options;
  const clients = new Map<string, TencentApi>();
  return (url, place) => {
    const own = keyFor(options.logins, place);
    const name = `${url.href} ${own?.secretId ?? ""}`;
    const known = clients.get(name);
    const fixed = own === undefined ? undefined : fixedKey(own);
    const keys = known === undefined ? (fixed ?? keysFor(url, options)) : undefined;
    if (keys === undefined) return known;
    const client = createTencentApi({ transport, clock, url, keys });
    clients.set(name, client);
    return client;
  };
}

function keysFor(url: URL, options: TencentCloudOptions): TencentKeys | undefined {
  const { tencentCloudKey: key, tencentRole: role, ...rest } = options;
  if (role !== undefined) return roleKeys({ ...rest, role, url: securityTokenUrl(url) });
  return key === undefined ? undefined : fixedKey(key);
}

/**
 * The Security Token Service beside a TCR API: `sts.intl.tencentcloudapi.com` beside `tcr.intl.tencentcloudapi.com`. A
 * stand-in under any other name answers for both.
 * https://www.tencentcloud.com/document/product/1150/49452
 */
export function securityTokenUrl(api: URL): URL {
  const url = new URL(api);
  url.hostname = url.hostname.replace(/^tcr(?=\.([a-z0-9-]+\.)?tencentcloudapi\.com$)/, "sts");
  return url;
}
