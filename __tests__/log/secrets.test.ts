import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rememberSecret, withoutSecrets } from "../../src/log/secrets.ts";

const hexadecimal = (text: string, before: string, after = ""): string =>
  [...Buffer.from(text)].map((byte) => `${before}${byte.toString(16).padStart(2, "0")}${after}`).join("");

const units = (text: string): string =>
  text
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

const references = (text: string): string =>
  [...text].map((character) => `&#x${character.codePointAt(0)?.toString(16)};`).join("");

describe("a remembered secret", () => {
  const secret = 'pw "one"+two/%&ü😀\\<%41&amp;';
  rememberSecret(secret);
  const base64 = Buffer.from(secret).toString("base64");

  test.each([
    ["as it is", `denied: ${secret}!`, "denied: ***!"],
    ["as JSON has it", JSON.stringify({ secret }), '{"secret":"***"}'],
    ["as JSON with solidus escaped", JSON.stringify({ secret }).replaceAll("/", "\\/"), '{"secret":"***"}'],
    ["as JSON of letters alone", `{"secret":"${units(secret)}"}`, '{"secret":"***"}'],
    ["as JSON in capitals", `"${units(secret).toUpperCase().replaceAll("\\U", "\\u")}"`, '"***"'],
    ["as JSON within JSON", JSON.stringify(JSON.stringify(secret)), '"\\"***\\""'],
    ["as a path or query has it", `?a=${encodeURIComponent(secret)}&b`, "?a=***&b"],
    ["as a path with small letters", `?a=${encodeURIComponent(secret).toLowerCase()}&b`, "?a=***&b"],
    ["as a path of escapes alone", `?a=${hexadecimal(secret, "%")}&b`, "?a=***&b"],
    ["as a URL within a URL", encodeURIComponent(encodeURIComponent(secret)), "***"],
    ["as a form has it", new URLSearchParams({ secret }).toString(), "secret=***"],
    [
      "as HTML has it",
      `<b>${secret.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)}</b>`,
      "<b>***</b>",
    ],
    [
      "as HTML with names",
      secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;"),
      "***",
    ],
    ["as HTML of references alone", references(secret), "***"],
    ["as a URL within JSON", JSON.stringify({ url: `/?${encodeURIComponent(secret)}` }), '{"url":"/?***"}'],
    ["in Base64", `Basic ${base64}`, /^Basic \*\*\*.?=*$/],
    ["in Base64 for URLs", Buffer.from(secret).toString("base64url"), /^\*\*\*.?$/],
    ["in Base64 in lines", base64.replace(/.{20}/g, "$&\r\n"), /^\*\*\*[^p]?=*$/],
    ["as programs print bytes", hexadecimal(secret, "\\x"), "***"],
    [
      "as code points",
      [...secret].map((character) => `\\u{${character.codePointAt(0)?.toString(16)}}`).join(""),
      "***",
    ],
    ["as HTML with zeros", references(secret).replaceAll("&#x", "&#x000"), "***"],
    ["in hexadecimal", hexadecimal(secret, ""), "***"],
    ["as misread UTF-8", Buffer.from(secret).toString("latin1"), "***"],
    ["twice", `${secret}${secret}`, "******"],
  ])("is taken out of a text: %s", (_form, text, expected) => {
    if (typeof expected === "string") expect(withoutSecrets(text)).toBe(expected);
    else expect(withoutSecrets(text)).toMatch(expected);
  });

  test.each([0, 1, 2, 3])("is taken out of Base64 with %i other bytes in front", (before) => {
    const text = Buffer.from(`${"u".repeat(before)}${secret}:more`).toString("base64");
    const hidden = withoutSecrets(text);
    expect(hidden).toContain("***");
    expect(Buffer.from(hidden.replace("***", ""), "base64").toString()).not.toContain("pw");
  });

  test("is taken out as a whole where another one is its beginning", () => {
    rememberSecret("shared-beginning");
    rememberSecret("shared-beginning-and-more");
    expect(withoutSecrets("shared-beginning-and-more, shared-beginning")).toBe("***, ***");
  });

  test("is taken out line by line, as a key file is", () => {
    rememberSecret("-----BEGIN\nline-one-of-it\r\nline-two\n-----END");
    expect(withoutSecrets("line-two and line-one-of-it")).toBe("*** and ***");
  });

  test("is no text of fewer than four characters", () => {
    expect(rememberSecret("on")).toEqual([]);
    expect(withoutSecrets("on it goes")).toBe("on it goes");
  });

  test("may be any text, in any encoding", () => {
    const encodings: readonly ((text: string) => string)[] = [
      (text) => text,
      JSON.stringify,
      (text) => JSON.stringify(JSON.stringify(text)),
      encodeURIComponent,
      (text) => hexadecimal(text, "%"),
      units,
      references,
      (text) => Buffer.from(text).toString("base64"),
      (text) => Buffer.from(text).toString("base64url"),
    ];
    const texts = fc
      .string({ unit: "grapheme", minLength: 8 })
      .filter((text) => text.trim().length >= 8 && /^[\x20-\x7e]*[^\s\x00-\x1f]/u.test(text));
    fc.assert(
      fc.property(texts, fc.constantFrom(...encodings), fc.string(), (any, encode, around) => {
        rememberSecret(any);
        expect(withoutSecrets(`${around} ${encode(any)} ${around}`)).toContain("***");
        expect(withoutSecrets(`${around} ${any} ${around}`)).not.toContain(any);
      }),
    );
  });

  test("leaves every other text as it is", () => {
    const text = '{"a":"\\u00e9\\/%2f&amp;"} pw "one"+two';
    expect(withoutSecrets(text)).toBe(text);
  });
});
