import { describe, expect, it } from "vitest";
import {
  keyFor,
  loginFor,
  loginsBeside,
  type PlaceLogin,
  unusedLogins,
  withPlaceLogins,
} from "../../src/destinations/place-logins.ts";
import { parseNamespace } from "../../src/oci/reference.ts";

const place = (name: string) => parseNamespace(name) ?? { registry: name, path: "" };

/** A login with the name of its place, or a key, or both. */
function given(name: string, kind: "login" | "key" | "both" = "login"): PlaceLogin {
  const login = kind === "key" ? undefined : { username: name, password: `password of ${name}` };
  const key =
    kind === "login" ? undefined : { secretId: name, secretKey: `key of ${name}`, sessionToken: undefined };
  return { ...place(name), login, key, from: name };
}

const logins = [
  given("r.example.com"),
  given("r.example.com/team"),
  given("r.example.com/team/deep"),
  given("localhost:5000/team"),
  given("a.tencentcloudcr.com", "key"),
  given("*.tencentcloudcr.com", "key"),
  given("ccr.ccs.tencentyun.com", "both"),
  given("ccr.ccs.tencentyun.com/team"),
  given("*.ccs.tencentyun.com", "key"),
];

describe("the login for a place", () => {
  it.each([
    ["r.example.com", "r.example.com"],
    ["r.example.com/other", "r.example.com"],
    ["r.example.com/team", "r.example.com/team"],
    ["r.example.com/team/app", "r.example.com/team"],
    ["r.example.com/team-b", "r.example.com"],
    ["r.example.com/team/deep/app", "r.example.com/team/deep"],
    ["r.example.com:5000/team", undefined],
    ["sub.r.example.com/team", undefined],
    ["example.com/team", undefined],
    ["localhost:5000", undefined],
    ["localhost:5000/team", "localhost:5000/team"],
    ["localhost:5001/team", undefined],
    ["a.tencentcloudcr.com/team", undefined],
    ["ccr.ccs.tencentyun.com/team", "ccr.ccs.tencentyun.com/team"],
  ])("%s is %s", (name, expected) => {
    for (const some of [logins, logins.toReversed()])
      expect(loginFor(some, place(name))?.username).toBe(expected);
  });

  it("comes before the Docker configuration's, and leaves that the rest", async () => {
    const docker = (registry: string, path?: string) => async () => ({
      username: `docker ${registry} ${path ?? ""}`,
      password: "configured",
    });
    const both = withPlaceLogins(logins, docker);
    expect((await both("r.example.com", "team")())?.username).toBe("r.example.com/team");
    expect((await both("r.example.com")())?.username).toBe("r.example.com");
    expect((await both("localhost:5000", "other")())?.username).toBe("docker localhost:5000 other");
    expect((await both("localhost:5000")())?.username).toBe("docker localhost:5000 ");
  });
});

describe("the key for a place", () => {
  it.each([
    ["a.tencentcloudcr.com", "a.tencentcloudcr.com"],
    ["a.tencentcloudcr.com/team", "a.tencentcloudcr.com"],
    ["b.tencentcloudcr.com/team", "*.tencentcloudcr.com"],
    ["ccr.ccs.tencentyun.com/team", "ccr.ccs.tencentyun.com"],
    ["hkccr.ccs.tencentyun.com/team", "*.ccs.tencentyun.com"],
    ["tencentcloudcr.com/team", undefined],
    ["a.tencentcloudcr.com.evil.example/team", undefined],
    ["eviltencentcloudcr.com/team", undefined],
    ["r.example.com/team", undefined],
  ])("%s is %s", (name, expected) => {
    for (const some of [logins, logins.toReversed()])
      expect(keyFor(some, place(name))?.secretId).toBe(expected);
  });
});

it("a repository has another login than its place where a longer path, or a neighbour's, fits it", () => {
  const beside = loginsBeside([...logins, { ...given("r.example.com/team/same"), login: logins[1]?.login }], {
    registry: "r.example.com",
    path: "team",
  });
  const names = ["team/app", "team/same/app", "team/deep/app", "other/app"];
  expect(names.map((name) => beside(name)?.username)).toEqual([
    undefined,
    undefined,
    "r.example.com/team/deep",
    "r.example.com",
  ]);
});

it.each<[places: readonly string[], unused: readonly string[]]>([
  [[], logins.map(({ from }) => from)],
  [
    ["r.example.com/team", "b.tencentcloudcr.com/x"],
    ["localhost:5000/team", "a.tencentcloudcr.com", "ccr.ccs.tencentyun.com", "ccr.ccs.tencentyun.com/team"],
  ],
  // Of a registry as a whole, each repository may have its own; a key is for the place alone.
  [
    ["localhost:5000", "ccr.ccs.tencentyun.com"],
    ["r.example.com", "r.example.com/team", "r.example.com/team/deep"],
  ],
])("of a run at %j, %j are for nothing", (places, unused) => {
  const found = unusedLogins(logins, places.map(place)).map(({ from }) => from);
  const expected = unused.length === logins.length ? unused : expect.arrayContaining([...unused]);
  expect(found).toEqual(expected);
});
