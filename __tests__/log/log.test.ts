import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable, rememberSecret, withoutSecrets } from "../../src/log/log.ts";

describe("a remembered secret", () => {
  const secret = 'pw "one"+two/%&ü\\';
  rememberSecret(secret);

  test.each([
    ["as it is", `denied: ${secret}!`, "denied: ***!"],
    ["as JSON has it", JSON.stringify({ secret }), '{"secret":"***"}'],
    ["as a path or query has it", `?a=${encodeURIComponent(secret)}&b`, "?a=***&b"],
    ["as a form has it", new URLSearchParams({ secret }).toString(), "secret=***"],
    ["in Base64", `Basic ${Buffer.from(secret).toString("base64").replace(/=+$/, "")}`, "Basic ***"],
    ["twice", `${secret}${secret}`, "******"],
  ])("is taken out of a text: %s", (_form, text, expected) => {
    expect(withoutSecrets(text)).toBe(expected);
  });

  test("is taken out before a text is cut, so that no part of it stays", () => {
    for (let before = 280; before < 300; before += 1) {
      expect(printable("x".repeat(before) + secret)).not.toContain("pw");
    }
  });

  test("is taken out before a text is made fit for a log", () => {
    rememberSecret("a::b##[c");
    expect(printable("x a::b##[c y")).toBe("x *** y");
  });

  test("is taken out as a whole where another one is its beginning", () => {
    rememberSecret("shared-beginning");
    rememberSecret("shared-beginning-and-more");
    expect(withoutSecrets("shared-beginning-and-more, shared-beginning")).toBe("***, ***");
  });

  test("may be any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 4 }), fc.string(), (any, around) => {
        rememberSecret(any);
        expect(withoutSecrets(`${around}${any}${around}`)).not.toContain(any);
      }),
    );
  });
});
