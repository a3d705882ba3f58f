/** Secrets that can be found again, whatever form somebody has brought them into. */

export interface Secret {
  /** As the table of a test names it. */
  readonly name: string;
  readonly value: string;
  /** Enough of the value to know it by, where only a part of it is left. */
  readonly mark: string;
}

/** A secret whose value begins with its mark. The mark is of letters and digits: no encoding but Base64 changes it. */
export function marked(name: string, mark: string, rest: string): Secret {
  return { name, value: `${mark}${rest}`, mark };
}

/** A secret that was made at random, and is known as a whole. */
export function random(name: string, value: string): Secret {
  return { name, value, mark: value };
}

/** The forms in which a server may send a secret back without meaning to: as it is, as JSON, in a URL, as HTML, in Base64. */
export function echoedForms({ value }: Secret): readonly string[] {
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams([["", value]]).toString().slice(1),
    JSON.stringify(value).slice(1, -1).replaceAll("/", "\\/"),
    value.replace(/[^a-z0-9]/gi, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
    encodeURIComponent(value).replace(/%../g, (escaped) => escaped.toLowerCase()),
    value.replace(/[^a-z0-9]/gi, (character) => `&#${character.charCodeAt(0)};`),
    Buffer.from(value).toString("base64"),
    Buffer.from(value).toString("base64url"),
  ];
}

/** Every text by which a secret shows: also its mark alone, in Base64 beside other bytes, in hexadecimal, misread UTF-8. */
export function formsOf(secret: Secret): readonly string[] {
  const bytes = Buffer.from(secret.value);
  return [
    secret.mark,
    ...echoedForms(secret),
    bytes.toString("latin1"),
    bytes.toString("hex"),
    ...[0, 1, 2].flatMap((before) => base64Inside(bytes, before)),
  ];
}

/** The letters that are the same wherever the bytes stand after `before` others (modulo 3), in both alphabets. */
function base64Inside(bytes: Buffer, before: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(before), bytes]);
  const whole = Math.floor(padded.length / 3) * 4;
  const text = padded.toString("base64").slice(before === 0 ? 0 : before + 1, whole);
  return [text, text.replaceAll("+", "-").replaceAll("/", "_")];
}

/** Whether a text holds a secret in any form. */
export function holds(text: string, secret: Secret): boolean {
  return formsOf(secret).some((form) => text.includes(form));
}
