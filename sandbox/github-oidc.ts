/**
 * The service of a GitHub runner that gives a job its id tokens. Kept
 * (https://github.com/actions/toolkit/blob/main/packages/core/src/oidc-utils.ts):
 * - `GET` of the given URL, which has a query of its own already, with `audience` added, and the job's request token as
 *   Bearer; without an audience, it is the URL of the repository's owner;
 * - the answer is `{"value": <JWT>}`; the JWT is signed with RS256 and lives for five minutes;
 * - any other request token is refused with 401.
 * Services that take id tokens ask `check` for what their own look at the signature would tell them.
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from "node:crypto";
import { extend, json, type SandboxServer, startServer } from "./server.ts";

export interface GitHubOidcOptions {
  /** `owner/name` of the repository that the workflow runs in. Default: `goharbor/harbor`. */
  readonly repository?: string;
  /** Life of an id token, in seconds. Default: 300. */
  readonly tokenSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface IdTokenClaims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly repository: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

export interface GitHubOidc extends SandboxServer {
  /** Variables of a job with `permissions: id-token: write`. */
  readonly variables: Readonly<Record<string, string>>;
  /** Every id token that was given out, in order. */
  readonly issued: readonly string[];
  /** The claims of an id token; undefined when it was not signed here, is for somebody else, or has run out. */
  check(idToken: string, audience: string): IdTokenClaims | undefined;
}

export const idTokenIssuer = "https://token.actions.githubusercontent.com";

let keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject } | undefined;

/** Starts the service for one job. */
export async function startGitHubOidc(options: GitHubOidcOptions = {}): Promise<GitHubOidc> {
  const { repository = "goharbor/harbor", tokenSeconds = 300, now = Date.now } = options;
  // One pair for all services of a process: making one takes longer than a small test.
  keys ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { privateKey, publicKey } = keys;
  const requestToken = `sandbox-id-token-request-${randomUUID()}`;
  const issued: string[] = [];
  const server = await startServer(({ method, url, headers }) => {
    if (url.pathname !== "/idtoken" || url.searchParams.get("api-version") !== "2.0") return json(404, {});
    if (method !== "GET") return json(405, {});
    if (headers.authorization !== `Bearer ${requestToken}`) return json(401, { message: "Bad credentials" });
    const [owner = ""] = repository.split("/");
    const issuedAt = Math.floor(now() / 1000);
    const token = signed(
      {
        iss: idTokenIssuer,
        aud: url.searchParams.get("audience") ?? `https://github.com/${owner}`,
        sub: `repo:${repository}:ref:refs/heads/main`,
        repository,
        jti: randomUUID(),
        iat: issuedAt,
        exp: issuedAt + tokenSeconds,
      },
      privateKey,
    );
    issued.push(token);
    return json(200, { count: token.length, value: token });
  });
  return extend(server, {
    variables: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${server.origin}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    },
    issued,
    check: (idToken: string, audience: string) => {
      const claims = verified(idToken, publicKey);
      const fits = claims?.aud === audience && claims.exp * 1000 > now();
      return fits ? claims : undefined;
    },
  });
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function signed(claims: IdTokenClaims, key: KeyObject): string {
  const text = `${encoded({ typ: "JWT", alg: "RS256", kid: "sandbox" })}.${encoded(claims)}`;
  return `${text}.${sign("RSA-SHA256", Buffer.from(text), key).toString("base64url")}`;
}

function verified(idToken: string, key: KeyObject): IdTokenClaims | undefined {
  const [header = "", claims = "", signature = ""] = idToken.split(".");
  const text = Buffer.from(`${header}.${claims}`);
  if (!verify("RSA-SHA256", text, key, Buffer.from(signature, "base64url"))) return undefined;
  return JSON.parse(Buffer.from(claims, "base64url").toString("utf8")) as IdTokenClaims;
}
