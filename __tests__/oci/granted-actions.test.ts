import { expect, test } from "vitest";
import { grantedActions } from "../../src/oci/granted-actions.ts";

const repository = "goharbor/harbor-core";

function token(claims: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `Bearer ${part({ alg: "RS256" })}.${part(claims)}.signature`;
}

const access = (name: string, actions: readonly string[] | null, type = "repository") => ({
  type,
  name,
  actions,
});

test.each<[what: string, header: string | undefined, actions: readonly string[] | undefined]>([
  ["no login", undefined, undefined],
  ["a login by Basic", "Basic cm9ib3Q6c2VjcmV0", undefined],
  ["an opaque token", "Bearer ghs_opaque", undefined],
  ["a token of another kind", token({ scope: "repository:pull" }), undefined],
  ["a token of another form", token({ access: "all" }), undefined],
  ["a token for pulling", token({ access: [access(repository, ["pull"])] }), ["pull"]],
  ["a token for nothing", token({ access: [] }), []],
  ["no actions, as Go writes them", token({ access: [access(repository, null)] }), []],
  ["a token for another repository", token({ access: [access("goharbor/other", ["push"])] }), []],
  ["a right of another kind", token({ access: [access(repository, ["*"], "registry")] }), []],
  [
    "rights in two parts",
    token({ access: [access(repository, ["pull"]), access(repository, ["push"])] }),
    ["pull", "push"],
  ],
])("%s", (_what, header, actions) => {
  expect(grantedActions(header, { repository })).toEqual(actions);
});
