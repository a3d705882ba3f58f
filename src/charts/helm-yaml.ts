import * as v from "valibot";
import { messageOf } from "../errors.ts";
import { BodyError } from "../http/http.ts";

/**
 * YAML as Helm reads it: by Go's reader, whose plain scalars are those of YAML 1.1 in part.
 * https://github.com/yaml/go-yaml/blob/v2.4.2/resolve.go
 */

const integerForm = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/;
const numberForm = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** What is no text although it has no quotes. A date stays one. */
const scalars = [
  { tag: "null", test: /^(?:~|null|Null|NULL|)$/, resolve: () => null },
  {
    tag: "bool",
    test: /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/,
    resolve: (text: string) => /^(?:y|t|on)/i.test(text),
  },
  {
    tag: "float",
    test: /^[-+.0-9][-+.0-9a-zA-Z_]*$/,
    resolve: (text: string) => numberOf(text.replaceAll("_", "")) ?? text,
  },
].map((scalar) => ({ ...scalar, tag: `tag:yaml.org,2002:${scalar.tag}`, default: true }));

/** A bigint where Go has an integer. */
function numberOf(text: string): bigint | number | undefined {
  if (integerForm.test(text)) {
    const [, sign, digits = ""] = /^([-+]?)(.*)$/.exec(text) ?? [];
    const value = BigInt(digits.replace(/^0(?=[0-7])/, "0o").toLowerCase());
    const signed = sign === "-" ? -value : value;
    if (signed >= -(2n ** 63n) && signed < 2n ** 64n) return signed;
  }
  return numberForm.test(text) ? Number(text) : undefined;
}

/** Longest text, in characters: the parser takes a second or two for each million. The versions of one chart have less than three. */
const textLimit = 8 * 1024 * 1024;

/**
 * The first document of a YAML text: integers as bigint, keys as text. Of a key that is there twice, the last counts.
 * The parser is loaded when it is needed: most runs have no chart.
 * @throws BodyError when it is no YAML, or too long.
 */
export async function parseHelmYaml(text: string, subject: string): Promise<unknown> {
  if (text.length > textLimit)
    throw new BodyError(
      `${subject} has ${text.length} characters to parse at once, and ${textLimit} is the most`,
    );
  const { parseAllDocuments } = await import(/* webpackMode: "eager" */ "yaml");
  try {
    const documents = parseAllDocuments(text, {
      schema: "failsafe",
      customTags: (tags) => [...tags, ...scalars],
      merge: true,
      uniqueKeys: false,
      logLevel: "silent",
      prettyErrors: false,
    });
    const [first] = "empty" in documents ? [] : documents;
    const [mistake] = first?.errors ?? [];
    if (mistake !== undefined) throw mistake;
    return first?.toJS() ?? null;
  } catch (error) {
    throw new BodyError(`${subject} is not YAML (${messageOf(error)})`);
  }
}

/**
 * Text, where a number or a boolean is as Go prints it: a fraction with no more digits than 32 bits tell apart, so `1.10` is "1.1".
 * https://github.com/kubernetes-sigs/yaml/blob/v1.5.0/yaml.go, convertToJSONableObject
 */
export const helmText = v.pipe(
  v.union([v.string(), v.bigint(), v.number(), v.boolean()]),
  v.transform((value) => (typeof value === "number" ? printedFloat(value) : String(value))),
);

/** `strconv.FormatFloat(value, 'g', -1, 32)` */
function printedFloat(value: number): string {
  const single = Math.fround(value);
  const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((count) => value.toExponential(count));
  const shortest = digits.find((text) => Math.fround(Number(text)) === single) ?? String(value);
  const [mantissa = "", power = "0"] = shortest.split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(Number(shortest));
  const sign = exponent < 0 ? "-" : "+";
  return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
