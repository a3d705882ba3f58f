import { createHash, type Hash } from "node:crypto";

/** A content digest, `algorithm:encoded`. Only made by `parseDigest` and `digestOf`, so one in hand is always well formed. */
export type Digest = string & { readonly __digest: unique symbol };

/**
 * The algorithms that the image specification registers and Node computes, with the length of their hexadecimal form.
 * A `Map`, not an object: the algorithm comes from a server and may be called `__proto__`.
 * https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms
 */
const hexLengths: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

/** The digest in a text, or undefined when it is not one that we can verify: wrong grammar, case, length or algorithm. */
export function parseDigest(text: string): Digest | undefined {
  const match = /^(sha256|sha512):([0-9a-f]+)$/.exec(text);
  if (match === null) return undefined;
  const [, algorithm = "", hex = ""] = match;
  return hexLengths.get(algorithm) === hex.length ? (text as Digest) : undefined;
}

/** Whether a text is a digest that we can verify. */
export function isDigest(text: string): text is Digest {
  return parseDigest(text) !== undefined;
}

/** The sha256 digest of bytes in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** Whether bytes in memory have this digest, by the digest's own algorithm. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  const hash = hashFor(digest);
  hash.update(bytes);
  return matchesDigest(hash, digest);
}

/** A hash that computes this digest's algorithm. */
export function hashFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

/** Whether a hash that has seen all bytes gives this digest. Ends the hash. */
export function matchesDigest(hash: Hash, digest: Digest): boolean {
  return hash.digest("hex") === digest.slice(digest.indexOf(":") + 1);
}

/** `sha256:0123456789ab`: enough to recognise a digest in a log or a table. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(":");
  return digest.slice(0, colon + 13);
}
