import type { Clock } from "../clock.ts";
import { type Lease, type Leased, leased } from "../http/lease.ts";
import { grantedActions } from "./granted-actions.ts";
import { printScope, type Scope } from "./scope.ts";

/**
 * Most characters of scopes in one request for a token, as they stand in its URL: with the rest it stays below 2,048, which every
 * server and proxy takes. The 30 names of Harbor's size that fit make a token of 4 kB, half of what a header may have.
 */
const scopesLimit = 1800;

/** Tokens that serve many repositories each. */
export interface SharedTokens {
  /** Foresees requests with these scopes, so that a token is asked for all of them at once. Sends nothing. */
  foresee(scopes: readonly Scope[]): void;
  /**
   * The header of the token that serves all of these scopes; undefined where none does, so that one has to be asked for them
   * alone.
   * @throws OperationError when there is no login, or the token server cannot be asked.
   */
  header(scopes: readonly Scope[], signal: AbortSignal | undefined): Promise<string | undefined>;
  /** Whether a header is that of a token that serves many, and does not say whether it serves each of them. */
  isDoubtful(header: string | undefined): boolean;
  /** Gives up a token that was refused: each of its repositories is asked for alone from then on. */
  forget(header: string | undefined): void;
}

interface Group {
  /** What is served, by repository: at first what is asked for, then what is granted of it. */
  readonly served: Map<Scope["repository"], readonly string[]>;
  readonly token: Leased<string | undefined>;
  header: string | undefined;
}

export interface SharedTokensOptions {
  /** Logs in with these scopes; undefined where that is refused, or nothing is wanted. */
  readonly logIn: (
    scopes: readonly Scope[],
    signal: AbortSignal | undefined,
  ) => Promise<Lease<string | undefined>>;
  /** Whether a token that does not say what it grants grants all that was asked for. */
  readonly believesUnreadable: boolean;
  readonly clock: Clock;
}

/**
 * Asks for tokens of many scopes at once, as https://distribution.github.io/distribution/spec/auth/token/ has it. Not every
 * token server does that: some refuse, some grant the first scope only, and some grant nothing where one repository is not
 * there. So a token serves what it says that it grants. All else is asked for alone.
 */
export function sharedTokens({ logIn, believesUnreadable, clock }: SharedTokensOptions): SharedTokens {
  const groups: Group[] = [];

  function open(scopes: readonly Scope[]): Group {
    const served = new Map(scopes.map(({ repository, actions }) => [repository, actions]));
    const token = leased(clock, async (signal) => {
      const asked = [...served].map(([repository, actions]) => ({ repository, actions }));
      const lease = await logIn(asked, signal);
      group.header = lease.value;
      for (const scope of asked) if (!isGranted(lease.value, scope)) served.delete(scope.repository);
      return lease;
    });
    const group: Group = { served, token, header: undefined };
    return group;
  }

  function isGranted(header: string | undefined, scope: Scope): boolean {
    const granted = grantedActions(header, scope);
    if (granted === undefined) return believesUnreadable && header?.startsWith("Bearer ") === true;
    return scope.actions.every((action) => granted.includes(action));
  }

  const serves = ({ served }: Group, scopes: readonly Scope[]): boolean =>
    scopes.every(({ repository, actions }) => {
      const known = served.get(repository);
      return known !== undefined && actions.every((action) => known.includes(action));
    });

  return {
    foresee: (scopes) => {
      const fresh = scopes.filter(({ repository }) => !groups.some(({ served }) => served.has(repository)));
      // A token for one repository alone is asked for when it is needed.
      groups.push(
        ...portions(fresh)
          .filter((portion) => portion.length > 1)
          .map(open),
      );
    },
    header: async (scopes, signal) => {
      const group = groups.find((one) => serves(one, scopes));
      if (group === undefined) return undefined;
      const header = await group.token.get(signal);
      return serves(group, scopes) ? header : undefined;
    },
    isDoubtful: (header) =>
      header !== undefined &&
      groups.some((group) => group.header === header) &&
      grantedActions(header, { repository: "" }) === undefined,
    forget: (header) => {
      for (const group of groups) if (group.header === header) group.served.clear();
    },
  };
}

/** Scopes in portions that fit a URL. */
function portions(scopes: readonly Scope[]): readonly (readonly Scope[])[] {
  const filled: Scope[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const scope of scopes) {
    const own = "&scope=".length + encodeURIComponent(printScope(scope)).length;
    length += own;
    if (length > scopesLimit) {
      filled.push([]);
      length = own;
    }
    filled.at(-1)?.push(scope);
  }
  return filled;
}
