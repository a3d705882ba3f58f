import { describe, expect, test } from "vitest";
import { nextPage } from "../../src/oci/pages.ts";

const current = new URL("https://registry.example/v2/a/b/tags/list?n=2");

describe("the next page", () => {
  test.each([
    ['</v2/a/b/tags/list?n=2&last=v1>; rel="next"', "/v2/a/b/tags/list?n=2&last=v1"],
    ["</v2/x?last=v1>; rel=next", "/v2/a/b/tags/list?last=v1"],
    ['</v2/x?last=v1>;rel="next"', "/v2/a/b/tags/list?last=v1"],
    ['</v2/x?last=v1>; REL="NEXT"', "/v2/a/b/tags/list?last=v1"],
    ['</v2/x?last=v1>; title="t"; rel="next"', "/v2/a/b/tags/list?last=v1"],
    ['</v2/x?last=v1>; rel="next"; title="t"', "/v2/a/b/tags/list?last=v1"],
    ['<?n=2&last=v1>; rel="next"', "/v2/a/b/tags/list?n=2&last=v1"],
    ['<https://registry.example/v2/x?last=a,b>; rel="next"', "/v2/a/b/tags/list?last=a,b"],
    ['<https://registry.example:443/v2/x>; rel="next"', "/v2/x"],
    ['</v2/before>; rel="prev", </v2/after>; rel="next"', "/v2/after"],
    ['</v2/after>; rel="next", </v2/before>; rel="prev"', "/v2/after"],
  ])("%s", (header, expected) => {
    expect(nextPage(header, current)?.href).toBe(`https://registry.example${expected}`);
  });

  test.each([
    undefined,
    "",
    "garbage",
    "</v2/x>",
    '</v2/x>; rel="prev"',
    '</v2/x>; rel="nextish"',
    "</v2/x>; rel=nextish",
    '</v2/x; rel="next"',
  ])("%j names none", (header) => {
    expect(nextPage(header, current)).toBeUndefined();
  });

  test.each([
    "http://nexus:8081/repository/docker/v2/a/b/tags/list?last=v1",
    "https://evil.example/v2/a/b/tags/list?last=v1",
    "/repository/docker/v2/a/b/tags/list?last=v1",
    "https://user:password@registry.example/v2/x?last=v1",
  ])("%s names where this list goes on, at this registry", (target) => {
    expect(nextPage(`<${target}>; rel="next"`, current)?.href).toBe(
      "https://registry.example/v2/a/b/tags/list?last=v1",
    );
  });

  test.each([
    "https://evil.example/v2/x",
    "//evil.example/v2/x",
    "http://registry.example/v2/x",
    "https://registry.example:8443/v2/x",
    "https://registry.example@evil.example/v2/x",
    "data:application/json,{}",
  ])("%s is another host: no request is made with this registry's login", (target) => {
    expect(() => nextPage(`<${target}>; rel="next"`, current)).toThrow("another host");
  });

  test("an address that cannot be read is a failure, not the end of the list", () => {
    expect(() => nextPage('<https://:0:0>; rel="next"', current)).toThrow("cannot be read");
  });
});
