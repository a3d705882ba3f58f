import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addChallenged, parseChallenges } from "../../src/oci/challenge.ts";

/** Challenges as plain data. */
function parsed(header: string) {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe("challenges", () => {
  test.each([
    ["Basic", [["basic", {}]]],
    ['Basic realm="a registry, of ours"', [["basic", { realm: "a registry, of ours" }]]],
    [
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
      [
        [
          "bearer",
          { realm: "https://auth.example/token", service: "registry", scope: "repository:a/b:pull,push" },
        ],
      ],
    ],
    [
      "BEARER Realm = https://a.example , Service=x",
      [["bearer", { realm: "https://a.example", service: "x" }]],
    ],
    [
      'Basic realm="x", Bearer realm="y"',
      [
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y" }],
      ],
    ],
    ['Bearer realm="a\\"b\\\\c"', [["bearer", { realm: 'a"b\\c' }]]],
    ['Bearer realm=""', [["bearer", { realm: "" }]]],
    ['Bearer realm="x",realm="y"', [["bearer", { realm: "y" }]]],
    // Malformed: what can be read, is.
    ["", []],
    ['realm="x"', []],
    [
      'Bearer realm="unterminated',
      [
        ["bearer", {}],
        ["realm", {}],
      ],
    ],
    ["Bearer ,,, realm=x", [["bearer", {}]]],
  ])("%j", (header, expected) => {
    expect(parsed(header)).toEqual(expected);
  });

  test("a parameter may have the name of an object's own", () => {
    const [challenge] = parseChallenges('Bearer __proto__="x", constructor="y"');
    expect(challenge?.parameters.get("__proto__")).toBe("x");
    expect(challenge?.parameters.get("realm")).toBeUndefined();
  });

  test("only the first 8 KiB are looked at", () => {
    expect(parseChallenges(`Basic ${" ".repeat(9000)}, Bearer realm="x"`)).toHaveLength(1);
  });

  test("nothing that a server sends throws, or goes on for ever", () => {
    const fragment = fc.constantFrom("Bearer", " ", ",", "=", '"', "\\", "realm", "Basic", "\t", "é", "x");
    const header = fc.oneof(
      fc.string(),
      fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(header, (text) => {
        for (const { scheme } of parseChallenges(text)) expect(scheme).toBe(scheme.toLowerCase());
      }),
    );
  });

  test.each([
    ['"', "Bearer realm="],
    ["\\", 'Bearer realm="'],
    [" ", "Bearer"],
    [",", "Bearer"],
    ["a=", ""],
    ["Bearer ", ""],
  ])("a megabyte of %j is read to the limit at once", (piece, start) => {
    const header = start + piece.repeat(1024 * 1024);
    expect(parseChallenges(header).length).toBeLessThanOrEqual(8 * 1024);
  });
});

describe("actions that a challenge names beside", () => {
  const scope = { repository: "goharbor/core", actions: ["pull", "push"] };
  const other = { repository: "goharbor/base", actions: ["pull"] };
  const challenge = (named: string) => [`Bearer realm="https://r.example/token",scope="${named}"`];

  test.each([
    ["repository:goharbor/core:metadata_read", ["pull", "push", "metadata_read"]],
    ["repository:goharbor/core:pull,delete", ["pull", "push"]],
    [
      "repository:goharbor/other:delete repository:goharbor/core:metadata_read",
      ["pull", "push", "metadata_read"],
    ],
    // Nothing new, of another repository, everything, or no action at all.
    ["repository:goharbor/core:pull,push", ["pull", "push"]],
    ["repository:goharbor/other:delete", ["pull", "push"]],
    ["repository:goharbor/core/deeper:delete", ["pull", "push"]],
    ["repository:goharbor/core:*", ["pull", "push"]],
    ["registry:catalog:*", ["pull", "push"]],
    ["repository:goharbor/core:de&lete,PUSH", ["pull", "push"]],
    ["", ["pull", "push"]],
  ])("are asked for, for the request's own repository: %s", (named, actions) => {
    expect(addChallenged([scope, other], challenge(named))).toEqual([{ ...scope, actions }, other]);
  });

  test("never turn a read into a write", () => {
    const reading = { repository: "goharbor/core", actions: ["pull"] };
    expect(addChallenged([reading], challenge("repository:goharbor/core:pull,push"))).toEqual([reading]);
  });
});
