import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { OperationError } from "../../errors.ts";
import type { IdTokens } from "../../github/id-token.ts";
import type { Transport } from "../../http/http.ts";
import { readClaims } from "../../http/json-web-token.ts";
import { leased } from "../../http/lease.ts";
import { type Log, printable } from "../../log/log.ts";
import type { Credential, Credentials } from "../../oci/credentials.ts";
import { apiUrl, checkAnswer, readAnswer, sendToVendor, vendorFailure } from "../vendor-api.ts";

/** An OIDC connection of a Docker organisation: a login without a stored secret. */
export interface HubConnection {
  readonly organisation: string;
  /** A UUID, and no secret. */
  readonly connectionId: string;
  /** Docker's identity service, which is also the audience of the id token. */
  readonly identityUrl: URL;
}

export interface HubIdentityOptions {
  readonly connection: HubConnection;
  readonly idTokens: IdTokens;
  /** Repeats broken connections and temporary statuses by itself, and waits as `Retry-After` asks. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * How long a token lives, in seconds. It is the shortest that Docker's identity service gives, so that a leaked token is soon
 * worthless; docker/login-action asks for the same (https://github.com/docker/login-action/blob/master/src/dockerhub.ts).
 */
const tokenLife = 300;

/** How long before its end a token is replaced, in seconds: a request that begins with a token also ends with it. */
const renewalMargin = 60;

const answerSchema = v.object({ access_token: v.pipe(v.string(), v.minLength(1)) });

/** An error of OAuth 2.0 (RFC 6749, section 5.2), or any other JSON object. */
const errorSchema = v.object({
  error: v.optional(v.string()),
  error_description: v.optional(v.string()),
  message: v.optional(v.string()),
});

/**
 * The keyless login for Docker Hub. GitHub's id token of this job is exchanged at Docker's identity service for a token that is
 * valid for minutes and serves as the organisation's password. When it has run out, the next use exchanges another.
 * https://docs.docker.com/enterprise/security/oidc-connections/create-manage/
 * @returns credentials that throw InputError when the job may not have id tokens, and OperationError when GitHub or Docker
 * gives no token.
 */
export function keylessHubCredentials(options: HubIdentityOptions): Credentials {
  const { connection, clock, log } = options;
  let refused: OperationError | undefined;
  const token = leased<Credential>(clock, async (signal) => {
    // A connection that does not fit this workflow will not fit later, and Docker keeps a record of each failure.
    if (refused !== undefined) throw refused;
    try {
      const password = await exchange(options, signal);
      log.mask(password);
      const value = { username: connection.organisation, password };
      return { value, until: clock.now() + (tokenLife - renewalMargin) * 1000 };
    } catch (error) {
      if (error instanceof OperationError && !error.temporary) refused = error;
      throw error;
    }
  });
  return (signal) => token.get(signal);
}

/** Token exchange (RFC 8693) of an id token. */
async function exchange(options: HubIdentityOptions, signal: AbortSignal | undefined): Promise<string> {
  const { connection, idTokens, transport } = options;
  const { identityUrl, connectionId } = connection;
  const idToken = await idTokens(identityUrl.origin, signal);
  const operation = { host: identityUrl.host, operation: "exchanging GitHub's id token" };
  const form = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    subject_token: idToken,
    connection_id: connectionId,
    expires_in: String(tokenLife),
  });
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
  const url = apiUrl(identityUrl, "/oauth/token");
  const request = { method: "POST", url, headers, body: form.toString(), signal } as const;
  const response = await sendToVendor(transport, request, operation);
  const text = await readAnswer(response, operation, signal);
  const { status } = response;
  if (status === 200) return checkAnswer(text, answerSchema, operation, status).access_token;
  throw exchangeFailure(operation, status, text, idToken);
}

function exchangeFailure(
  operation: { host: string; operation: string },
  status: number,
  text: string,
  idToken: string,
): OperationError {
  if (status === 429 || status >= 500) {
    const problem = "Docker's identity service gave no token";
    return vendorFailure(operation, { status, problem, advice: "Run again later.", temporary: true });
  }
  const words = errorWords(text);
  return vendorFailure(operation, {
    status,
    problem: `Docker's identity service does not accept this workflow${words === "" ? "" : ` (${words})`}`,
    advice:
      "Check `dockerhub-oidc-connection-id`, that the connection is active in the organisation `dockerhub-username`, and " +
      `that one of its rulesets matches the subject of this job, ${subjectOf(idToken)}.`,
  });
}

function errorWords(text: string): string {
  try {
    const { error_description, message, error } = v.parse(errorSchema, JSON.parse(text));
    return printable(error_description ?? message ?? error ?? "");
  } catch {
    return "";
  }
}

/** The subject of the id token, which a user compares with the rulesets. */
function subjectOf(idToken: string): string {
  const claims = readClaims(idToken, v.object({ sub: v.string() }));
  return claims === undefined ? "`repo:owner/name:…`" : `\`${printable(claims.sub)}\``;
}
