import { canonicalRegistry, isLoopback, parseNamespace, printNamespace } from "../oci/reference.ts";
import { didYouMean } from "../wording.ts";
import { isSecretAttribute } from "./given-logins.ts";
import { nearest, quoted } from "./suggestions.ts";
import type { Mistake } from "./values.ts";

const noLoginHere =
  "is no attribute: a login stands in the input logins, never on a line, which everybody can read";

/**
 * The attributes after the name of a place, each `name=value`.
 * @param items what is between the commas after the place.
 * @param names those that this kind of line can have.
 */
export function parseAttributes(
  items: readonly string[],
  names: readonly string[],
  mistake: Mistake,
): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const item of items) {
    const [before = "", ...rest] = item.split("=");
    const [name, value] = [before.trim(), rest.join("=").trim()];
    const place = parseNamespace(item);
    if (place !== undefined) mistake(`${printNamespace(place)} goes on a line of its own`);
    else if (value === "")
      mistake(
        `${quoted(item)} is not an attribute of the form name=value${didYouMean(meantAttribute(item, names))}`,
      );
    else if (!names.includes(name)) {
      if (isSecretAttribute(name)) mistake(`${quoted(name)} ${noLoginHere}`);
      else {
        const meant = didYouMean(nearest(name, names));
        mistake(`${quoted(name)} is no attribute here; there are ${names.join(", ")}${meant}`);
      }
    } else if (attributes.has(name)) mistake(`${name} is given more than once`);
    else attributes.set(name, value);
  }
  return attributes;
}

/** An attribute with a colon or a blank for the equals sign. A plain word is no secret in one of these. */
function meantAttribute(item: string, names: readonly string[]): string | undefined {
  const [, name = "", value] = /^([\w-]+)(?:\s*:\s*|\s+)([\w.-]+)$/.exec(item) ?? [];
  return names.includes(name) ? `${name}=${value}` : undefined;
}

/**
 * The origin of the token server that may have a registry's login (`token-server=`): a host, or its URL without anything
 * else. Plain HTTP only on loopback, as for registries. What is wrong is not repeated: it may hold a password.
 * @returns undefined after a mistake.
 */
export function parseTokenServer(text: string, mistake: Mistake): URL | undefined {
  const scheme = isLoopback(text) ? "http" : "https";
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${scheme}://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || canonicalRegistry(url.host) === undefined) {
    mistake("token-server is not the name of a host, such as token-server=auth.example.com");
    return undefined;
  }
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.host));
  const meant = didYouMean(`token-server=${url.host}`);
  if (!isSafe) mistake(`token-server would get the login over ${url.protocol}//, not https://${meant}`);
  else if (url.href !== `${url.origin}/`)
    mistake(`token-server is a host, without a user, a path or a query${meant}`);
  else return url;
  return undefined;
}
