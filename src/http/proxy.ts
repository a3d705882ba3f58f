import { InputError } from "../errors.ts";

/** The proxies of a run, as undici's `EnvHttpProxyAgent` takes them; an empty text for none. */
export interface Proxies {
  /** For requests over plain HTTP, and for others where `httpsProxy` is empty. */
  readonly httpProxy: string;
  readonly httpsProxy: string;
  /** Hosts that are spoken to directly. */
  readonly noProxy: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the proxy variables; the lower-case form wins, as in curl. A value that cannot be used is reported here, before a
 * client is made of it: the client's own error would quote the value, and so the password in it.
 * @param mask hides a secret from now on; called before anything is said.
 * @throws InputError that names each variable that cannot be used, and no part of its value.
 */
export function readProxies(environment: Environment, mask: (secret: string) => void): Proxies {
  const [httpProxy, httpsProxy] = ["http_proxy", "https_proxy"].map((lower) => {
    const name = [lower, lower.toUpperCase()].find((candidate) => environment[candidate] !== undefined);
    return { name: name ?? lower, value: environment[name ?? lower]?.trim() ?? "" };
  });
  const all = [httpProxy, httpsProxy].flatMap((variable) => variable ?? []);
  // A client is given the URL, which has the password in another spelling where the text has blanks, breaks or no scheme.
  for (const { value } of all)
    for (const text of new Set([value, proxyUrl(value) ?? ""]))
      for (const secret of secretsIn(text)) mask(secret);
  const unusable = all.filter(({ value }) => value !== "" && proxyUrl(value) === undefined);
  if (unusable.length > 0) {
    throw new InputError(
      `${unusable.map(({ name }) => name).join(" and ")} of the environment ${unusable.length === 1 ? "is" : "are"} not the ` +
        "address of an HTTP proxy, such as http://user:password@proxy.example.com:3128. In a user name or password, write each " +
        "of the characters %, /, ?, # and @ as % and two digits: # as %23.",
    );
  }
  return {
    httpProxy: proxyUrl(httpProxy?.value ?? "") ?? "",
    httpsProxy: proxyUrl(httpsProxy?.value ?? "") ?? "",
    noProxy: environment.no_proxy ?? environment.NO_PROXY ?? "",
  };
}

const scheme = /^[a-z][a-z0-9+.-]*:\/\//i;

/** The URL of a proxy; undefined where the text is none. Without a scheme it is plain HTTP, as curl and Go take it. */
function proxyUrl(text: string): string | undefined {
  const whole = scheme.test(text) ? text : `http://${text}`;
  if (!URL.canParse(whole)) return undefined;
  const { protocol, pathname, search, hash, username, password, href } = new URL(whole);
  // A `/`, `?` or `#` in a password ends the host too early. What comes after it is then read as one of these parts.
  if (!["http:", "https:"].includes(protocol) || pathname !== "/" || search !== "" || hash !== "")
    return undefined;
  return [username, password].every(isDecodable) ? href : undefined;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The password in a proxy's address, as it is written and as it is meant, and both parts as they travel in a header. A user
 * name without a password is the secret itself: a token.
 */
function secretsIn(text: string): readonly string[] {
  const login = text.replace(scheme, "").match(/^(.*)@/s)?.[1];
  if (login === undefined) return [];
  const user = login.replace(/:.*$/s, "");
  const password = login.slice(user.length + 1);
  const secret = password === "" ? user : password;
  if (secret === "") return [];
  const meant = isDecodable(password) ? decodeURIComponent(password) : password;
  const userMeant = isDecodable(user) ? decodeURIComponent(user) : user;
  const secretMeant = password === "" ? userMeant : meant;
  return [secret, secretMeant, Buffer.from(`${userMeant}:${meant}`).toString("base64")];
}
