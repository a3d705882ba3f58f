import { printable } from "../log/log.ts";
import type { Vendor } from "../vendors/vendor.ts";
import { vendors } from "../vendors/vendors.ts";

/** Token servers under another name than their registry, of registries that have no row in the table. */
const knownTokenServers: readonly (readonly [registry: RegExp, tokenServer: RegExp])[] = [
  // https://www.scaleway.com/en/docs/container-registry/
  [/^rg\.[a-z]{2}-[a-z]{3}\.scw\.cloud$/, /^api\.scaleway\.com$/],
  // https://docs.linuxserver.io/general/container-branding/ (a front of GitHub's registry)
  [/^lscr\.io$/, /^ghcr\.io$/],
];

/**
 * Names directly below which different people have theirs: the commercial and other second levels of countries, and of
 * clouds that give each customer a host. The common ones of https://publicsuffix.org/list/, and registries of tenants.
 */
const sharedParents: readonly RegExp[] = [
  /^(ac|co|com|edu|gob|go|gov|ne|net|or|org)\.[a-z]{2}$/,
  /(^|\.)(amazonaws\.com(\.cn)?|aliyuncs\.com|myqcloud\.com|myhuaweicloud\.com|ncr\.ntruss\.com|ionos\.com)$/,
  /(^|\.)(container-registry\.ovh\.(net|us)|cloudapp\.azure\.com|cloudapp\.net|azurewebsites\.net|azurecontainerapps\.io)$/,
  /(^|\.)(run\.app|web\.app|vercel\.app|netlify\.app|railway\.app|fly\.dev|pages\.dev|workers\.dev|onrender\.com|herokuapp\.com)$/,
  /(^|\.)(github\.io|gitlab\.io|ngrok\.io|ngrok\.app|ngrok-free\.app|ts\.net|nip\.io|sslip\.io|duckdns\.org)$/,
];

/**
 * The token server that a challenge names, if it may be trusted with a login: never in the clear, never on a foreign host but
 * the one that the user names.
 * @param realm as the challenge has it; a relative one is meant relative to the registry.
 * @param registry URL that answered with the challenge.
 * @param vendor what the user says that the registry is, or its host name.
 * @param named origin that the user trusts with the registry's login.
 * @returns the address, or in words why it is not trusted.
 */
export function trustedRealm(
  realm: string,
  registry: URL,
  vendor: Vendor,
  named?: URL | undefined,
): URL | string {
  if (realm === "" || !URL.canParse(realm, registry.href)) return "its token server has no usable address";
  const url = new URL(realm, registry);
  if (url.username !== "" || url.password !== "") return "its token server's address has a login in it";
  if (url.origin === named?.origin) return url;
  if (url.protocol !== registry.protocol && url.protocol !== "https:")
    return "its token server is not on https";
  if (isRelatedHost(registry.hostname, url.hostname, vendor)) return url;
  return `it names a token server on another host, ${printable(url.host)}`;
}

/**
 * The token server that a challenge names, if it may be asked without a login: on any host, but not in the clear.
 * @param realm as the challenge has it.
 * @param registry URL that answered with the challenge.
 */
export function openRealm(realm: string, registry: URL): URL | undefined {
  if (realm === "" || !URL.canParse(realm, registry.href)) return undefined;
  const url = new URL(realm, registry);
  const isPlain = url.protocol !== "https:" || url.username !== "" || url.password !== "";
  return isPlain ? undefined : url;
}

/**
 * Whether a token server belongs to a registry: the same host, one below the other, or both directly below the same name of
 * at least two labels (registry-1.docker.io and auth.docker.io); or one that is known to. Below the name of a vendor that
 * gives each customer a host, or of a country, neighbours are strangers: anybody can have `evil.azurecr.io` or `evil.com.cn`.
 */
function isRelatedHost(registry: string, tokenServer: string, vendor: Vendor): boolean {
  if (registry === tokenServer) return true;
  if (knownTokenServers.some(([ours, theirs]) => ours.test(registry) && theirs.test(tokenServer)))
    return true;
  const rows = vendors.filter(({ host }) => host?.test(registry));
  if ([vendor, ...rows].some((row) => row.tokenServer?.test(tokenServer))) return true;
  if (/^[0-9.]+$/.test(registry) || registry.includes(":")) return false;
  if (registry.endsWith(`.${tokenServer}`) && tokenServer.includes(".")) return true;
  if (tokenServer.endsWith(`.${registry}`)) return true;
  if (rows.length > 0) return false;
  const parent = registry.slice(registry.indexOf(".") + 1);
  if (sharedParents.some((shared) => shared.test(parent))) return false;
  return parent.includes(".") && tokenServer.endsWith(`.${parent}`);
}
