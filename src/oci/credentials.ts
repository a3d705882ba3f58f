export interface Login {
  readonly username: string;
  readonly password: string;
  /** Where the user gave it, for messages; undefined: it was made in this run. */
  readonly from?: string | undefined;
}

/** A user name and a password, or what a registry takes for them. */
export interface Credential extends Login {
  /** Docker's `identitytoken`: a refresh token that is exchanged by OAuth2 instead of sent by Basic. */
  readonly identityToken?: string | undefined;
}

/** Gives the login of a registry. It is asked again whenever a new registry token is needed, as logins can expire. */
export type Credentials = (signal?: AbortSignal) => Promise<Credential | undefined>;

/** No login: public content only. */
export const anonymous: Credentials = () => Promise.resolve(undefined);

/** The header of Basic authentication (RFC 7617). */
export function basicHeader(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
}
