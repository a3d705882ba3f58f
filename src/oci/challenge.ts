/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case. A `Map`, because the names come from a server. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longest header that is looked at, in characters; real ones have some hundred. */
const headerLimit = 8 * 1024;

/** One step of the header: a parameter `name=value`, or a bare word, which starts a new challenge. */
const step = /\s*,?\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;

/** The challenges of a `WWW-Authenticate` header, as far as they can be read: a malformed rest is ignored. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = header.slice(0, headerLimit);
  step.lastIndex = 0;
  for (let match = step.exec(text); match !== null; match = step.exec(text)) {
    const [, name = "", quoted, bare] = match;
    const value = quoted === undefined ? bare : quoted.replace(/\\(.)/g, "$1");
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}

/** What a request is allowed: actions on a repository, as in a `scope` of a token. */
interface Allowed {
  /** Undefined: the list of all repositories. */
  readonly repository: string | undefined;
  readonly actions: readonly string[];
}

/**
 * The scopes of a refused request, with the actions that the challenge names beside them, for the request's own repository
 * only. Some registries have actions of their own (Azure's `metadata_read`). `*`, `push` and `delete` are never asked for at
 * a server's word: at some registries, asking for `push` makes the repository.
 */
export function addChallenged<T extends Allowed>(
  scopes: readonly [T, ...T[]],
  headers: readonly string[],
): readonly [T, ...T[]] {
  const [first, ...rest] = scopes;
  if (first.repository === undefined) return scopes;
  const named = headers
    .flatMap(parseChallenges)
    .flatMap(({ parameters }) => (parameters.get("scope") ?? "").split(" "))
    .filter((scope) => scope.startsWith(`repository:${first.repository}:`))
    .flatMap((scope) => scope.slice(`repository:${first.repository}:`.length).split(","))
    .filter((action) => /^[a-z_]{1,32}$/.test(action) && action !== "push" && action !== "delete")
    .filter((action) => !first.actions.includes(action));
  return named.length === 0
    ? scopes
    : [{ ...first, actions: [...first.actions, ...new Set(named)] }, ...rest];
}
