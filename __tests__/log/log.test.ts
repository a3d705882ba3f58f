import { describe, expect, test } from "vitest";
import { printable } from "../../src/log/log.ts";
import { rememberSecret } from "../../src/log/secrets.ts";

describe("a remembered secret", () => {
  const secret = 'pw "one"+two/%&ü\\';
  rememberSecret(secret);

  test("is taken out before a text is cut, so that no part of it stays", () => {
    for (let before = 280; before < 300; before += 1) {
      expect(printable("x".repeat(before) + secret)).not.toContain("pw");
    }
  });

  test("is taken out before a text is made fit for a log", () => {
    rememberSecret("a::b##[c");
    expect(printable("x a::b##[c y")).toBe("x *** y");
  });
});
