import * as v from "valibot";
import type { FailureDetails, Side } from "../errors.ts";
import { type HttpResponse, readJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { pullAdvice, pushAdvice } from "../vendors/permission-advice.ts";
import type { Vendor } from "../vendors/vendor.ts";
import type { Login } from "./credentials.ts";

/** Largest reason of a refused login that is read, in bytes; what is useful in one fits a line. */
const reasonLimit = 64 * 1024;

/** The form of Docker Hub's and Harbor's reasons. Other forms are not read. */
const reasonSchema = v.object({ details: v.string() });

/** What a refused login means. */
export type RefusedLogin = Required<Pick<FailureDetails, "problem">> & {
  readonly status: number;
  readonly advice: string;
  readonly temporary: boolean;
  /** Whether the login itself is good, and only not for what was asked. */
  readonly lacksScopes: boolean;
};

/** What it means that a token server gives no token. Reads, and so frees, its answer. */
export async function refusedLogin(
  response: HttpResponse,
  login: Login | undefined,
  at: Sought & { readonly registry: string },
): Promise<RefusedLogin> {
  const { status } = response;
  const reason = await readJson(response, reasonSchema, reasonLimit).catch(() => undefined);
  const words = printable(reason?.details ?? "");
  const said = words === "" ? "" : ` (${words})`;
  if (status !== 401 && status !== 403) {
    const problem = `no token was given${said}`;
    return { status, problem, advice: "Try again later.", temporary: true, lacksScopes: false };
  }
  // Docker Hub gives an access token nothing at all when more is asked for than it may do; other registries give less:
  const lacksScopes = /insufficient scope/i.test(words);
  const advice = lacksScopes ? scopeAdvice(at) : loginAdvice(at.registry, login);
  return { status, problem: `the login was refused${said}`, advice, temporary: false, lacksScopes };
}

/** What a login was to be good for. */
interface Sought {
  readonly vendor: Vendor;
  readonly side: Side;
  readonly readOnly?: true | undefined;
}

/** A destination is asked with one scope for reading and writing, so it is the right to write that counts there. */
function scopeAdvice({ vendor, side, readOnly }: Sought): string {
  return side === "destination" && readOnly === undefined ? pushAdvice(vendor) : pullAdvice(vendor);
}

/**
 * What to change where a login is refused, or there is none.
 * @param login what was found; undefined: nothing.
 */
export function loginAdvice(registry: string, login: Login | undefined): string {
  if (login === undefined)
    return (
      "No login is known for this registry: set its inputs, give it one in `logins`, or log in with docker/login-action in an earlier step " +
      `(\`docker login ${registry}\`).`
    );
  const { from = "an API or an id token" } = login;
  return (
    `The login that was refused is from ${from}. Check the user name and the token, that the token is still valid, and that it may reach ` +
    `this repository; then log in anew (\`docker login ${registry}\`).`
  );
}
