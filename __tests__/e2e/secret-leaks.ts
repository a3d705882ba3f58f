/** What a run has let out, by a table of who may know what. */
import { holds, type Secret } from "./secret.ts";
import { given, type Heard } from "./secret-world.ts";

/** Names of the places that may know a secret, by its name. */
export type Table = Readonly<Record<string, readonly string[]>>;

/** User names open nothing alone. They go nowhere else either, but a server's "someone may not do this" may be printed. */
const userNames: ReadonlySet<string> = new Set(
  [given.hubUser, given.tcrUser, given.helperUser].map(({ name }) => name),
);

/** Made for one request and good for some minutes; nothing prints them, so there is nothing to mask. */
const signatures: ReadonlySet<string> = new Set([
  "signature of a blob's address",
  "signature with the API key",
]);

const maskCommand = "::add-mask::";

/** The parameter of a workflow command as it was before it was escaped. */
function decoded(line: string): string {
  return line.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}

/** Where each secret was found among what was sent, by the names of both. */
export function meetings({ secrets, sent }: Heard): readonly (readonly [secret: string, place: string])[] {
  return secrets.flatMap((secret) =>
    [...sent].flatMap(([place, text]) => (holds(text, secret) ? [[secret.name, place] as const] : [])),
  );
}

/** Every secret in a wrong place, in words: at a server, in the log beside the masks, in a file, in an output. */
export function leaks(heard: Heard, belongs: Table): readonly string[] {
  const { result, secrets, files } = heard;
  const atServers = meetings(heard).filter(([secret, place]) => !belongs[secret]?.includes(place));
  const printed = result.log.split("\n").filter((line) => !line.startsWith(maskCommand));
  const written: readonly (readonly [string, string])[] = [
    ...printed.map((line) => [`the log: ${line}`, line] as const),
    ["the outputs", JSON.stringify(result.outputs)],
    ...files,
  ];
  return [
    ...atServers.map(([secret, place]) => `${secret}: sent to ${place}`),
    ...secrets
      .filter(({ name }) => !userNames.has(name))
      .flatMap((secret) =>
        written.flatMap(([place, text]) => (holds(text, secret) ? [`${secret.name}: in ${place}`] : [])),
      ),
  ];
}

/** Secrets that a server was sent without the runner having been told to mask them. */
export function notMasked(heard: Heard): readonly string[] {
  const masks = heard.result.log.split("\n").filter((line) => line.startsWith(maskCommand));
  const sentToServer = new Set(
    meetings(heard).flatMap(([secret, place]) => (place === "credential helper" ? [] : [secret])),
  );
  return heard.secrets
    .filter(({ name }) => sentToServer.has(name) && !userNames.has(name) && !signatures.has(name))
    .filter((secret) => !masks.some((line) => decoded(line).includes(secret.value)))
    .map(({ name }) => name);
}

/** Those of some secrets that were not masked before the first line of anything else. */
export function maskedTooLate({ result }: Heard, secrets: readonly Secret[]): readonly string[] {
  const lines = result.log.split("\n");
  const first = lines.findIndex((line) => !line.startsWith(maskCommand));
  const masks = decoded(lines.slice(0, first).join("\n"));
  return secrets.filter(({ value }) => !masks.includes(value)).map(({ name }) => name);
}
