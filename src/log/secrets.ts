/**
 * The secrets of this process, and the one gate through which every text leaves it: log, summary, outputs, files, issues.
 * Servers send back what they were sent, in whatever encoding suits them, so a secret is looked for in all usual ones.
 */

/** Shorter texts are not hidden: without every "on" or "1" a log would be unreadable, and no real secret is that short. */
const shortestSecret = 4;

/**
 * The forms of all secrets, by their first characters. A form is UTF-8 with one character for each byte. The longest comes
 * first: of two secrets that begin alike, the end of the longer one must not stay.
 */
const formsByHead = new Map<string, string[]>();

/** Characters of a form by which it is found: as many as the shortest has. */
const headLength = shortestSecret;

/** Text that is looked into: UTF-8 with a character for each byte, and where in the text each byte comes from. */
interface Reading {
  readonly bytes: string;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** One kind of escapes, and the bytes that one of them stands for. */
interface Decoder {
  readonly escapes: RegExp;
  readonly meant: (sequence: string) => string;
}

const named = new Map([
  ["&amp;", "&"],
  ["&lt;", "<"],
  ["&gt;", ">"],
  ["&quot;", '"'],
  ["&apos;", "'"],
]);

const control = new Map([
  ["\\b", "\b"],
  ["\\f", "\f"],
  ["\\n", "\n"],
  ["\\r", "\r"],
  ["\\t", "\t"],
]);

const decoders: readonly Decoder[] = [
  // URLs and forms (RFC 3986, section 2.1): a byte each.
  {
    escapes: /%[0-9a-f]{2}/gi,
    meant: (sequence) => String.fromCharCode(Number.parseInt(sequence.slice(1), 16)),
  },
  // JSON (RFC 8259, section 7), surrogates in pairs, and what programming languages have beside it: a byte, a code point.
  {
    escapes:
      /\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4}|\\u\{[0-9a-f]{1,6}\}|\\x[0-9a-f]{2}|\\["\\/bfnrt]/gi,
    meant: (sequence) => {
      if (/^\\x/i.test(sequence)) return String.fromCharCode(Number.parseInt(sequence.slice(2), 16));
      if (sequence.includes("{")) return codePoint(Number.parseInt(sequence.slice(3, -1), 16));
      const units = sequence.split(/\\u/i).slice(1);
      if (units.length === 0) return control.get(sequence) ?? sequence.slice(1);
      return utf8(String.fromCharCode(...units.map((unit) => Number.parseInt(unit, 16))));
    },
  },
  // HTML and XML.
  {
    escapes: /&#0{0,8}[0-9]{1,7};|&#x0{0,8}[0-9a-f]{1,6};|&(?:amp|lt|gt|quot|apos);/gi,
    meant: (sequence) => named.get(sequence.toLowerCase()) ?? characterOf(sequence),
  },
  // Base64 in lines (RFC 2045, section 6.8): what looks like it at both ends of a line.
  { escapes: /(?<=[\w+/-]{16})\r?\n(?=[\w+/-])/g, meant: () => "" },
];

/** How deep nested escapes are undone: a URL within JSON, JSON within JSON. */
const deepestEscape = 2;

/**
 * Makes `withoutSecrets` hide a secret from now on, each of its lines for itself. This is the only state that is not an
 * argument: a process has one set of secrets, and code that was not given it would print them.
 *
 * @returns the lines that are hidden; lines that are too short are not.
 */
export function rememberSecret(secret: string): readonly string[] {
  const lines = new Set(
    [secret, ...secret.split(/\r?\n/)].filter((line) => line.trim().length >= shortestSecret),
  );
  for (const line of lines) for (const form of formsOf(line)) rememberForm(form);
  return [...lines];
}

/** A text with `***` for each known secret, in whatever usual encoding it is there. */
export function withoutSecrets(text: string): string {
  if (formsByHead.size === 0) return text;
  return text.replace(someLines, hidden);
}

/** So many lines are looked into at a time that a report of megabytes takes no memory to speak of. */
const someLines = /(?:[^\n]*\n){0,499}(?:[^\n]+\n?|\n)/g;

function hidden(text: string): string {
  const found = secretsBelow(readingOf(text), deepestEscape).toSorted(([one], [other]) => one - other);
  if (found.length === 0) return text;
  let clean = "";
  let kept = 0;
  for (const [start, end] of found) {
    if (start >= kept) clean += `${text.slice(kept, start)}***`;
    kept = Math.max(kept, end);
  }
  return clean + text.slice(kept);
}

function rememberForm(form: string): void {
  const head = form.slice(0, headLength);
  const forms = formsByHead.get(head) ?? [];
  if (forms.includes(form)) return;
  formsByHead.set(
    head,
    [...forms, form].sort((one, other) => other.length - one.length),
  );
}

/**
 * The forms of a secret that no decoder undoes: itself, with `+` for blanks as in HTML forms, as misread UTF-8, in
 * hexadecimal and in Base64.
 */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hexadecimal = bytes.toString("hex");
  return [
    utf8(secret),
    utf8(secret.replaceAll(" ", "+")),
    utf8(bytes.toString("latin1")),
    hexadecimal,
    hexadecimal.toUpperCase(),
    ...[0, 1, 2].flatMap((before) => base64Inside(bytes, before)),
  ].filter((form) => form.length >= headLength);
}

/**
 * Base64 of bytes inside a longer text: the letters that do not depend on the neighbours, in both alphabets.
 * @param before number of bytes before these, modulo 3.
 */
function base64Inside(bytes: Buffer, before: number): readonly string[] {
  const bits = 8 * (before + bytes.length);
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  const letters = text.slice(Math.ceil((8 * before) / 6), Math.floor(bits / 6));
  return [letters, letters.replaceAll("+", "-").replaceAll("/", "_")];
}

/** Where secrets are in a reading, and in those with its escapes undone, one kind after another. */
function secretsBelow(reading: Reading, depth: number): readonly (readonly [start: number, end: number])[] {
  const found = secretsIn(reading);
  if (depth === 0) return found;
  const below = decoders.flatMap((decoder) =>
    decoded(reading, decoder).flatMap((deeper) => secretsBelow(deeper, depth - 1)),
  );
  return [...found, ...below];
}

function readingOf(text: string): Reading {
  const bytes = utf8(text);
  const starts = new Uint32Array(bytes.length);
  const ends = new Uint32Array(bytes.length);
  let at = 0;
  let start = 0;
  for (const character of text) {
    const end = start + character.length;
    const next = at + Buffer.byteLength(character);
    starts.fill(start, at, next);
    ends.fill(end, at, next);
    [at, start] = [next, end];
  }
  return { bytes, starts, ends };
}

/** A reading with the escapes of one decoder undone; none where it has no such escapes. */
function decoded({ bytes, starts, ends }: Reading, { escapes, meant }: Decoder): readonly Reading[] {
  let text = "";
  let kept = 0;
  const from: number[] = [];
  const to: number[] = [];
  const copy = (until: number): void => {
    text += bytes.slice(kept, until);
    for (; kept < until; kept += 1) {
      from.push(starts[kept] ?? 0);
      to.push(ends[kept] ?? 0);
    }
  };
  for (const { 0: sequence, index } of bytes.matchAll(escapes)) {
    copy(index);
    kept = index + sequence.length;
    const plain = meant(sequence);
    text += plain;
    for (let byte = 0; byte < plain.length; byte += 1) {
      from.push(starts[index] ?? 0);
      to.push(ends[kept - 1] ?? 0);
    }
  }
  if (kept === 0) return [];
  copy(bytes.length);
  return [{ bytes: text, starts: Uint32Array.from(from), ends: Uint32Array.from(to) }];
}

/** Where secrets are in the text: the first character of each, and the one after its last. */
function secretsIn({ bytes, starts, ends }: Reading): readonly (readonly [start: number, end: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let at = 0; at + headLength <= bytes.length; at += 1) {
    const forms = formsByHead.get(bytes.slice(at, at + headLength));
    const form = forms?.find((candidate) => bytes.startsWith(candidate, at));
    if (form !== undefined) found.push([starts[at] ?? 0, ends[at + form.length - 1] ?? 0]);
  }
  return found;
}

/** A character for each byte of the text as UTF-8. */
function utf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function characterOf(reference: string): string {
  const digits = reference.slice(2, -1);
  return codePoint(/^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits));
}

function codePoint(code: number): string {
  return code <= 0x10ffff ? utf8(String.fromCodePoint(code)) : "";
}
