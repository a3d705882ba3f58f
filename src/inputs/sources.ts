import { parseNamespace, printNamespace } from "../oci/reference.ts";
import { parseAttributes, parseTokenServer } from "./attributes.ts";
import { notRegistry, wrongPlace } from "./suggestions.ts";
import type { SourceInput } from "./types.ts";
import { linesOf, type Mistake, repeated } from "./values.ts";

/** The lines of the `source` input: places to read images from, in order, each once. */
export function parseSources(text: string, mistake: Mistake): readonly SourceInput[] {
  const lines = linesOf(text);
  if (lines.length === 0) mistake("holds nothing but comments");
  const sources = lines.flatMap((line) => parseSource(line, mistake));
  for (const name of repeated(sources.map(printNamespace))) mistake(`${name} is given more than once`);
  return sources;
}

function parseSource(line: string, mistake: Mistake): readonly SourceInput[] {
  const [place = "", ...rest] = line.split(",").map((item) => item.trim());
  const namespace = parseNamespace(place);
  if (namespace === undefined) {
    mistake(wrongPlace(place, rest));
    return [];
  }
  const wrongRegistry = notRegistry(namespace, rest);
  if (wrongRegistry !== undefined) mistake(wrongRegistry);
  const inLine: Mistake = (problem) => mistake(`${printNamespace(namespace)}: ${problem}`);
  const tokenServer = parseAttributes(rest, ["token-server"], inLine).get("token-server");
  return [
    {
      ...namespace,
      tokenServer: tokenServer === undefined ? undefined : parseTokenServer(tokenServer, inLine),
    },
  ];
}
