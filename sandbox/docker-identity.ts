/**
 * Docker's identity service, which exchanges GitHub's id tokens. Kept
 * (https://docs.docker.com/enterprise/security/oidc-connections/create-manage/, and the requests of
 * https://github.com/docker/login-action/blob/master/src/dockerhub.ts):
 * - `POST /oauth/token` with a form: grant type, type of the subject token, id token, connection id, `expires_in` of 300
 *   to 3600 seconds; the audience of the id token is this service;
 * - a connection is of one organisation, active or not, and has subjects, with `*` for any text; only a token whose
 *   subject matches is exchanged;
 * - the token that comes back is the password of the organisation for the registry, and runs out.
 * Not documented, and made up here: the errors, in the form of RFC 6749, section 5.2.
 */
import { randomUUID } from "node:crypto";
import type { GitHubOidc } from "./github-oidc.ts";
import {
  type Answer,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";

export interface OidcConnection {
  /** A UUID. */
  readonly id: string;
  readonly organisation: string;
  /** Subjects that are let in, `*` standing for any text. */
  readonly subjects: readonly string[];
  /** Default: true. */
  readonly isActive?: boolean;
}

export interface DockerIdentityOptions {
  readonly connections: readonly OidcConnection[];
  /** Who signs the id tokens. */
  readonly issuer: Pick<GitHubOidc, "check">;
  /** Told of each token that was given out. */
  readonly onToken: (organisation: string, token: string, expiresAt: number) => void;
  readonly now: () => number;
}

/** Starts the service. */
export async function startDockerIdentity(options: DockerIdentityOptions): Promise<SandboxServer> {
  const server: SandboxServer = await startServer((request) => exchange(options, server.origin, request));
  return server;
}

async function exchange(
  options: DockerIdentityOptions,
  audience: string,
  request: SandboxRequest,
): Promise<Answer> {
  if (request.url.pathname !== "/oauth/token") return json(404, { error: "not_found" });
  if (request.method !== "POST") return json(405, { error: "invalid_request" });
  if (request.headers["content-type"] !== "application/x-www-form-urlencoded")
    return json(415, { error: "invalid_request" });
  const form = new URLSearchParams(String(await readBody(request, 64 * 1024)));
  if (
    form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:token-exchange" ||
    form.get("subject_token_type") !== "urn:ietf:params:oauth:token-type:id_token"
  )
    return json(400, { error: "unsupported_grant_type" });
  const seconds = Number(form.get("expires_in") ?? 300);
  if (!(seconds >= 300 && seconds <= 3600)) return json(400, { error: "invalid_request" });
  const connection = options.connections.find(({ id }) => id === form.get("connection_id"));
  if (connection === undefined || connection.isActive === false)
    return json(401, { error: "invalid_client", error_description: "unknown or inactive connection" });
  const claims = options.issuer.check(form.get("subject_token") ?? "", audience);
  if (claims === undefined)
    return json(400, { error: "invalid_grant", error_description: "invalid id token" });
  if (!connection.subjects.some((pattern) => fits(pattern, claims.sub)))
    return json(403, { error: "access_denied", error_description: "no ruleset matches" });
  const token = `sandbox-oidc-token-${randomUUID()}`;
  options.onToken(connection.organisation, token, options.now() + seconds * 1000);
  return json(200, { access_token: token, token_type: "Bearer", expires_in: seconds });
}

function fits(pattern: string, subject: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(subject);
}
