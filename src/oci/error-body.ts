import * as v from "valibot";
import { type HttpResponse, parseJson, readBytes } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { type Digest, parseDigest } from "./digest.ts";

/** Largest error body that is read, in bytes; what is useful in one fits a line. */
const errorBodyLimit = 64 * 1024;
/** Longest detail of one error that is told, in characters: some registries put whole manifests there. */
const detailLimit = 200;
/** Most errors of one answer that are told: one names a dozen missing blobs in as many errors. */
const errorLimit = 5;
/** Longest text of all errors, in characters. */
const textLimit = 800;

const errorSchema = v.object({
  errors: v.array(
    v.object({
      code: v.nullish(v.string(), ""),
      message: v.nullish(v.string(), ""),
      detail: v.optional(v.unknown()),
    }),
  ),
});

type RegistryFault = v.InferOutput<typeof errorSchema>["errors"][number];

/** What the body of an error says. */
export interface ErrorBody {
  readonly code: string | undefined;
  readonly text: string;
  /** Digests that it names, each once: of blobs that the registry does not know, for one. */
  readonly digests: readonly Digest[];
}

const nothing: ErrorBody = { code: undefined, text: "the registry gave no reason", digests: [] };

/**
 * The code and the words of an error body: JSON of the specification, or whatever it is. A HEAD has none. Reads, and so
 * frees, the response.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 * @param repository that the request was about: a detail that only repeats it is not told.
 */
export async function errorIn(response: HttpResponse, repository: string): Promise<ErrorBody> {
  const body = await readBytes(response, errorBodyLimit).then(
    (bytes) => bytes.toString("utf8"),
    () => "",
  );
  if (body.trim() === "") return nothing;
  try {
    return summaryOf(parseJson(body, errorSchema).errors, repository);
  } catch {
    // Plain text and HTML are common from proxies in front of a registry. Each tag is looked for up to the next one
    // only: a body of nothing but `<` must not take seconds.
    return {
      ...nothing,
      text: printable(body.replace(/<[^<>]*>/g, " ").replace(/\s+/g, " ")) || nothing.text,
    };
  }
}

/** All errors in one text: the reason is often in the second, or in a detail (https://github.com/regclient/regclient/pull/1034). */
function summaryOf(errors: readonly RegistryFault[], repository: string): ErrorBody {
  const codes = errors.map(({ code }) => code).filter(isCode);
  const code = codes.find((each) => each !== "UNKNOWN") ?? codes[0];
  const told = new Set(errors.map((error) => textOf(error, code, repository)).filter((text) => text !== ""));
  const rest = told.size > errorLimit ? [`and ${told.size - errorLimit} more`] : [];
  const text = [...[...told].slice(0, errorLimit), ...rest].join("; ");
  return { code, text: printable(text, textLimit) || nothing.text, digests: digestsIn(errors) };
}

function textOf(error: RegistryFault, mainCode: string | undefined, repository: string): string {
  const message = printable(error.message);
  const detail = detailOf(error.detail, `${message} ${repository}`);
  const words = message === "" || detail === "" ? `${message}${detail}` : `${message} (${detail})`;
  const isOther = error.code !== mainCode && error.code !== "UNKNOWN" && words !== "";
  return isOther && isCode(error.code) ? `${error.code}: ${words}` : words;
}

/** Whether a code has the form of the specification's: others are words of whoever answers. */
function isCode(code: string): boolean {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(code);
}

/** The detail of an error, which can be of any form; nothing for one that says no more than is known. */
function detailOf(detail: unknown, known: string): string {
  const values = leavesOf(detail);
  if (values.every((value) => value === "" || known.includes(value))) return "";
  return printable(typeof detail === "string" ? detail : JSON.stringify(detail), detailLimit);
}

/** All texts and numbers in a value of any form. */
function leavesOf(value: unknown): readonly string[] {
  if (value === null || value === undefined) return [];
  return typeof value === "object" ? Object.values(value).flatMap(leavesOf) : [String(value)];
}

function digestsIn(errors: readonly RegistryFault[]): readonly Digest[] {
  const named = JSON.stringify(errors).match(/\bsha(256:[0-9a-f]{64}|512:[0-9a-f]{128})\b/g) ?? [];
  return [...new Set(named.flatMap((text) => parseDigest(text) ?? []))];
}
