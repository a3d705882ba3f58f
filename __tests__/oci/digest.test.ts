import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  type Digest,
  digestOf,
  hasDigest,
  hashFor,
  matchesDigest,
  parseDigest,
  shortDigest,
} from "../../src/oci/digest.ts";

const text = "harbor";
const sha256 = `sha256:${createHash("sha256").update(text).digest("hex")}`;
const sha512 = `sha512:${createHash("sha512").update(text).digest("hex")}`;

function parsed(digest: string): Digest {
  const result = parseDigest(digest);
  if (result === undefined) throw new Error(`${digest} is no digest`);
  return result;
}

describe("the grammar of digests", () => {
  test.each([sha256, sha512])("%s", (digest) => {
    expect(parseDigest(digest)).toBe(digest);
  });

  test.each([
    "",
    "sha256",
    "sha256:",
    sha256.slice(7),
    sha256.slice(0, -1),
    `${sha256}0`,
    sha256.toUpperCase(),
    `sha256:${sha256.slice(7).toUpperCase()}`,
    ` ${sha256}`,
    `${sha256}\n`,
    `sha256:../${"a".repeat(61)}`,
    `sha256:${"a".repeat(62)}/x`,
    `sha512:${sha256.slice(7)}`,
    `sha256:${sha512.slice(7)}`,
    `md5:${"a".repeat(32)}`,
    `blake3:${"a".repeat(64)}`,
    `__proto__:${"a".repeat(64)}`,
    `constructor:${"a".repeat(64)}`,
    `sha256:sha256:${"a".repeat(57)}`,
  ])("%j is no digest", (digest) => {
    expect(parseDigest(digest)).toBeUndefined();
  });
});

describe("hashing", () => {
  test("digestOf is sha256, of text and bytes alike", () => {
    expect(digestOf(text)).toBe(sha256);
    expect(digestOf(Buffer.from(text))).toBe(sha256);
  });

  test.each([sha256, sha512])("bytes are judged by the algorithm of %s", (digest) => {
    expect(hasDigest(Buffer.from(text), parsed(digest))).toBe(true);
    expect(hasDigest(Buffer.from(`${text}.`), parsed(digest))).toBe(false);
    expect(hasDigest(Buffer.alloc(0), parsed(digest))).toBe(false);
  });

  test("bytes may come in pieces", () => {
    const hash = hashFor(parsed(sha512));
    for (const letter of text) hash.update(letter);
    expect(matchesDigest(hash, parsed(sha512))).toBe(true);
  });

  test("twelve digits are enough to recognise a digest", () => {
    expect(shortDigest(sha256)).toBe(sha256.slice(0, 19));
  });
});
