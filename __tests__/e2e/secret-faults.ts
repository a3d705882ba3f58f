/** Faults of servers that tell what they know. */
import type { FaultRule, FaultTarget } from "../../sandbox/faults.ts";
import { echoedForms } from "./secret.ts";
import type { Table } from "./secret-leaks.ts";
import { given, type SecretWorld } from "./secret-world.ts";

/** A fault that stays. `/v2/` itself is left as it is: nobody could log in otherwise. */
export function always(
  world: SecretWorld,
  servers: readonly string[],
  effect: FaultRule["effect"],
  path = /^\/(?!v2\/$)/,
): void {
  for (const name of servers) world.server(name).fault({ when: { path }, times: Infinity, effect });
}

/** What a server is told in a run with all inputs, as error texts, JSON, URLs and dumps of headers show it. */
export function known(belongs: Table, server: string): string {
  const { variableId: _id, variableKey: _key, variableToken: _token, ...told } = given;
  return Object.values(told)
    .filter(({ name }) => belongs[name]?.includes(server))
    .flatMap(echoedForms)
    .join(" | ");
}

/**
 * A refusal that sends back all that the server knows: the login that came with the request, decoded too, and its secrets.
 * @param before characters in front of it, so that the place where a long text is cut is inside of a secret.
 */
export function echo(belongs: Table, server: string, status: number, before = 0): FaultRule["effect"] {
  const body = ({ headers }: FaultTarget) => {
    const login = (headers.authorization ?? "").replace(/Signature=.*/, "");
    const plain = Buffer.from(login.split(" ")[1] ?? "", "base64").toString();
    const message = `${"x".repeat(before)}${login} | ${plain} | ${known(belongs, server)}`;
    const errors = [{ code: "DENIED", message }];
    // The forms of registries, of GitHub, of Docker Hub and of the Tencent Cloud API in one.
    const refused = { Code: "AuthFailure.SignatureFailure", Message: message };
    const Response = { Error: refused, RequestId: message };
    return JSON.stringify({ errors, message, documentation_url: message, detail: message, Response });
  };
  return { status, headers: { "content-type": "application/json" }, body };
}
