import type { HubConnection } from "../destinations/docker-hub/docker-hub-identity.ts";
import type { Login } from "../oci/credentials.ts";
import { quoted } from "./suggestions.ts";
import { type Mistake, parseApiUrl } from "./values.ts";

/** The inputs for the login to Docker Hub. */
export type HubInput =
  | "dockerhub-username"
  | "dockerhub-token"
  | "dockerhub-oidc-connection-id"
  | "dockerhub-identity-url";

export interface HubInputs {
  readonly text: (input: HubInput) => string;
  readonly mistakeIn: (input: HubInput) => Mistake;
  /** `DOCKERHUB_OIDC_CONNECTIONID`, as docker/login-action takes it. */
  readonly connectionVariable: string;
  /** Whether the job may have id tokens. */
  readonly hasIdTokens: boolean;
}

/** With a token, or keyless; both undefined: as the Docker configuration says. */
export interface HubLogin {
  readonly login: Login | undefined;
  readonly connection: HubConnection | undefined;
}

/** docker/login-action demands a UUID: https://github.com/docker/login-action/blob/master/src/dockerhub.ts */
const connectionIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads the login for Docker Hub. As in docker/login-action, a token wins over the variable of a connection. Two inputs that
 * contradict each other are a mistake.
 */
export function readHubLogin(inputs: HubInputs): HubLogin {
  const { text, mistakeIn, connectionVariable } = inputs;
  const [username, password] = [text("dockerhub-username"), text("dockerhub-token")];
  const variable = username !== "" && password === "" ? connectionVariable : "";
  const connectionId = text("dockerhub-oidc-connection-id") || variable;
  const identityUrl = parseApiUrl(text("dockerhub-identity-url"), mistakeIn("dockerhub-identity-url"));
  if (connectionId !== "") {
    checkConnection(connectionId, inputs);
    const connection =
      identityUrl === undefined ? undefined : { organisation: username, connectionId, identityUrl };
    return { login: undefined, connection };
  }
  if (username === "" && password === "") return { login: undefined, connection: undefined };
  if (username === "") mistakeIn("dockerhub-username")("is empty, but dockerhub-token is set");
  if (password === "") mistakeIn("dockerhub-token")("is empty, but dockerhub-username is set");
  return { login: { username, password }, connection: undefined };
}

function checkConnection(connectionId: string, { text, mistakeIn, hasIdTokens }: HubInputs): void {
  const mistake = mistakeIn("dockerhub-oidc-connection-id");
  if (!connectionIdPattern.test(connectionId)) mistake(`${quoted(connectionId)} is not a UUID`);
  if (text("dockerhub-token") !== "") mistake("is set, and so is dockerhub-token: leave one of them out");
  if (!hasIdTokens)
    mistake(
      "needs `permissions: id-token: write` in the job, and in the calling job of a reusable workflow: without it the " +
        "runner gives no id token",
    );
  if (text("dockerhub-username") === "")
    mistakeIn("dockerhub-username")("is empty; with an OIDC connection it is the name of the organisation");
}
