import type * as v from "valibot";
import { BodyError, parseJson } from "./http.ts";

/** Longest part of a token that is looked into, in characters: those of registries and clouds have a few thousand. */
const claimsLimit = 64 * 1024;

/**
 * What a JSON Web Token says about itself (RFC 7519); undefined for any other text, and for claims of another form. The
 * signature is not checked, so nobody is trusted for these claims: they only tell a user early what a server would say later.
 */
export function readClaims<T>(token: string, schema: v.GenericSchema<unknown, T>): T | undefined {
  const [, claims = "", signature] = token.split(".");
  if (signature === undefined || claims.length > claimsLimit) return undefined;
  try {
    return parseJson(Buffer.from(claims, "base64url").toString("utf8"), schema);
  } catch (error) {
    if (error instanceof BodyError) return undefined;
    throw error;
  }
}
