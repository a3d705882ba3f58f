import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { parseJson } from "../../http/http.ts";
import { type Leased, leased } from "../../http/lease.ts";
import type { Log } from "../../log/log.ts";
import { printable } from "../../log/log.ts";
import type { Credential, Login } from "../../oci/credentials.ts";
import type { TcrInstance } from "./tcr-instance.ts";

/**
 * How long before its end a temporary login is replaced, in milliseconds. Its end is a time of Tencent Cloud's clock, which
 * may differ from ours by up to 5 minutes: with a greater difference it would not have accepted the signed request.
 */
const loginMargin = 5 * 60_000;

/** Tells the unit of a time: seconds stay below this for 30,000 years, milliseconds have been above it since 2001. */
const millisecondsFrom = 1e12;

const loginSchema = v.object({
  Username: v.string(),
  Token: v.pipe(v.string(), v.minLength(1)),
  ExpTime: v.number(),
});

/** A registry login that TCR makes for an hour. It is replaced before it ends, and masked before anyone gets it. */
export function temporaryLogin(instance: TcrInstance, clock: Clock, log: Log): Leased<Credential> {
  return leased(clock, async (signal) => {
    const answer = await instance.call(
      {
        action: "CreateInstanceToken",
        operation: "getting a temporary registry login",
        parameters: { TokenType: "temp" },
        signal,
      },
      loginSchema,
    );
    const value: Credential = { username: answer.Username, password: answer.Token };
    log.mask(value.password);
    log.mask(Buffer.from(`${value.username}:${value.password}`).toString("base64"));
    const end = answer.ExpTime < millisecondsFrom ? answer.ExpTime * 1000 : answer.ExpTime;
    return { value, until: end - loginMargin };
  });
}

/**
 * Whose login it is, by the form of its user name. A service account's name begins with `tcr$`. The name of an access
 * credential is the number of its account or sub-account.
 * https://www.tencentcloud.com/document/product/1051/41829
 */
export function loginKind(username: string): "service-account" | "access-credential" | "unknown" {
  if (username.startsWith("tcr$")) return "service-account";
  return /^[0-9]{5,20}$/.test(username) ? "access-credential" : "unknown";
}

/** Why tags cannot be deleted with a registry login alone, and what can. */
export function noDeletionReason(username: string | undefined): string {
  const kind = username === undefined ? "unknown" : loginKind(username);
  const name = printable(username ?? "", 60);
  const why = {
    "service-account": `the login ${name} is a service account, for which TCR has no right to delete`,
    "access-credential": `the login ${name} is an access credential, which is for the registry alone`,
    unknown: "which takes no registry login",
  }[kind];
  const means = "TCR deletes tags by its API only";
  return (
    `${means}${kind === "unknown" ? `, ${why}` : `: ${why}`}. ` +
    "Set `tcr-secret-id` and `tcr-secret-key`, or `tcr-role-arn` and `tcr-provider-id`."
  );
}

const claimsSchema = v.object({ exp: v.optional(v.number()) });

/**
 * When a password ends, in milliseconds since the epoch. TCR's passwords are JSON Web Tokens (RFC 7519), which say it.
 * Undefined where a password does not say it.
 */
export function passwordEnd(password: string): number | undefined {
  const [, claims] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(password) ?? [];
  if (claims === undefined) return undefined;
  try {
    const { exp } = parseJson(Buffer.from(claims, "base64url").toString("utf8"), claimsSchema);
    return exp === undefined ? undefined : exp * 1000;
  } catch {
    // Anything else of that form is a password like any other.
    return undefined;
  }
}

/** A day, in milliseconds. A login that ends sooner is a temporary one, which lives for an hour. */
const day = 24 * 60 * 60_000;

/** Warns early that a login given by the user ends soon, perhaps during the run: nothing renews it. */
export function warnOfEnd(login: Login, name: string, clock: Pick<Clock, "now">, log: Log): void {
  const end = passwordEnd(login.password);
  if (end === undefined || end > clock.now() + day) return;
  const minutes = Math.round((end - clock.now()) / 60_000);
  const when = minutes > 0 ? `ends in ${minutes} minutes` : "has ended";
  log.warning(
    `${name}: the password of this TCR login is a temporary one and ${when}. Give an API key or a role, with which a ` +
      "login is made here and renewed, or a long-term access credential.",
  );
}
