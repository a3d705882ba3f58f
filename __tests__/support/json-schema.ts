import { readFileSync } from "node:fs";

/** A JSON Schema, as far as the schemas of this repository go. https://json-schema.org/draft/2020-12 */
export interface Schema {
  readonly [keyword: string]: unknown;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** What the file of the output `report` is like. */
export const reportSchema: Schema = JSON.parse(readFileSync("docs/report.schema.json", "utf8"));

const annotations = new Set(["$schema", "$defs", "title", "description"]);

/**
 * What is wrong with a document by a schema; none where it keeps to it. Stricter than the specification in two ways: a
 * keyword that is not checked here is an error, and so is a property that the schema does not list, for whoever adds one has to
 * describe it.
 */
export function schemaProblems(document: unknown, schema: Schema, root: Schema = schema): readonly string[] {
  const problems = (value: unknown, part: unknown, at: string): readonly string[] =>
    Object.entries(part as Schema).flatMap(([keyword, wanted]) => {
      const check = checks[keyword];
      if (check !== undefined) return check(value, wanted, at, part as Schema);
      if (annotations.has(keyword)) return [];
      throw new Error(`the keyword ${keyword} is not checked`);
    });
  const unless = (isRight: boolean, at: string, what: string) => (isRight ? [] : [`${at} ${what}`]);
  const checks: Record<
    string,
    (value: unknown, wanted: unknown, at: string, part: Schema) => readonly string[]
  > = {
    $ref: (value, name, at) => {
      const [, definition = ""] = /^#\/\$defs\/(\w+)$/.exec(String(name)) ?? [];
      return problems(value, root.$defs?.[definition], at);
    },
    oneOf: (value, parts, at) => {
      const each = (parts as readonly Schema[]).map((part) => problems(value, part, at));
      const right = each.filter((found) => found.length === 0).length;
      const [closest = []] = each.toSorted((one, other) => one.length - other.length);
      return right === 0 ? closest : unless(right === 1, at, "is of several forms");
    },
    type: (value, type, at) => unless(hasType(value, String(type)), at, `is no ${type}`),
    const: (value, wanted, at) => unless(value === wanted, at, `is not ${wanted}`),
    enum: (value, values, at) =>
      unless((values as readonly unknown[]).includes(value), at, `is ${value}, which is not listed`),
    minimum: (value, least, at) => unless(Number(value) >= Number(least), at, `is below ${least}`),
    maximum: (value, most, at) => unless(Number(value) <= Number(most), at, `is above ${most}`),
    pattern: (value, pattern, at) =>
      unless(new RegExp(String(pattern)).test(String(value)), at, `does not match ${pattern}`),
    required: (value, names, at) =>
      (names as readonly string[]).flatMap((name) => unless(name in Object(value), at, `lacks ${name}`)),
    properties: (value, listed, at, { additionalProperties }) =>
      Object.entries(Object(value)).flatMap(([name, property]) => {
        const part = (listed as Schema)[name] ?? additionalProperties;
        return part === undefined
          ? [`${at}.${name} is not described`]
          : problems(property, part, `${at}.${name}`);
      }),
    additionalProperties: (value, rest, at, part) =>
      "properties" in part
        ? []
        : Object.entries(Object(value)).flatMap(([name, property]) =>
            problems(property, rest, `${at}.${name}`),
          ),
    items: (value, part, at) =>
      Array.isArray(value) ? value.flatMap((item, index) => problems(item, part, `${at}[${index}]`)) : [],
  };
  return problems(document, schema, "$");
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
