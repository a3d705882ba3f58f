import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import {
  canonicalRegistry,
  isRepository,
  isTag,
  parseNamespace,
  printNamespace,
  registryOrigin,
} from "../../src/oci/reference.ts";
import { parseSelection, select } from "../../src/plan/selection.ts";
import { bySemver, type Release, versionOf } from "../../src/plan/version.ts";
import { component, digest, hang, label, longTextsOf, runs, textOf } from "./arbitraries.ts";

const namePieces = [
  "a",
  "A",
  "0",
  ".",
  "..",
  "-",
  "_",
  "__",
  "/",
  ":",
  "5000",
  "localhost",
  "docker.io",
  "[::1]",
  "@",
];

/** Hosts as users write them: names with and without a port, addresses, Docker Hub's aliases. */
const host = fc.oneof(
  fc
    .tuple(fc.array(label, { minLength: 2, maxLength: 3 }), fc.option(fc.integer({ min: 1, max: 65_535 })))
    .map(([labels, port]) => `${labels.join(".")}.example${port === null ? "" : `:${port}`}`),
  fc.ipV4(),
  fc.constantFrom("localhost", "localhost:5000", "docker.io", "index.docker.io", "[::1]:5000"),
);

describe("a reference", () => {
  test("of any text is one that can be asked for, or none", () => {
    fc.assert(
      fc.property(textOf(...namePieces), (text) => {
        const namespace = parseNamespace(text);
        if (namespace === undefined) return;
        const { registry, path } = namespace;
        const url = new URL(`/v2/${path}/manifests/x`, registryOrigin(registry));
        expect(url.pathname).toBe(`/v2/${path}/manifests/x`);
        expect(url.username + url.password + url.search + url.hash).toBe("");
        if (registry !== "docker.io")
          expect([url.host, `${url.hostname}:${url.port || 443}`, `${url.hostname}:80`]).toContain(registry);
      }),
      runs,
    );
  });

  test("that was read is read the same again once it is printed", () => {
    const path = fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(host, path, (registry, below) => {
        const namespace = parseNamespace(`${registry}/${below}`);
        expect(namespace).toMatchObject({ path: below });
        if (namespace !== undefined) expect(parseNamespace(printNamespace(namespace))).toEqual(namespace);
      }),
      runs,
    );
  });

  test("has a canonical host that stays what it is", () => {
    fc.assert(
      fc.property(fc.oneof(textOf(...namePieces), host), (text) => {
        const canonical = canonicalRegistry(text);
        if (canonical !== undefined) expect(canonicalRegistry(canonical)).toBe(canonical);
      }),
      runs,
    );
  });

  test("has tags and repositories that mean nothing but themselves in a URL", () => {
    fc.assert(
      fc.property(textOf(...namePieces, "%2f", "?", "#", "\\", "\n"), (text) => {
        if (isTag(text))
          expect(new URL(`https://a/v2/b/manifests/${text}`).pathname).toBe(`/v2/b/manifests/${text}`);
        if (isRepository(text)) expect(new URL(`https://a/v2/${text}/x`).pathname).toBe(`/v2/${text}/x`);
      }),
      runs,
    );
  });

  test.each(longTextsOf(...namePieces, "a.", "a-", "a__", "a/"))(
    "of 100 kB is read in no time: text %#",
    { timeout: hang },
    (text) => {
      expect([parseNamespace(text), parseNamespace(`a.example/${text}`)]).toEqual([undefined, undefined]);
      expect([isTag(text), isRepository(text)]).toEqual([false, false]);
    },
  );
});

describe("a digest", () => {
  test("that is one is itself; of any other text there is none", () => {
    fc.assert(
      fc.property(digest, (text) => parseDigest(text) === text),
      runs,
    );
    fc.assert(
      fc.property(textOf("sha256", "sha512", ":", "0".repeat(64), "f", "..", "/", "__proto__"), (text) => {
        const read = parseDigest(text);
        if (read !== undefined) expect(text).toMatch(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);
      }),
      runs,
    );
  });
});

describe("a version", () => {
  const pieces = [
    "v",
    "1",
    "0",
    ".",
    "-",
    "rc",
    "+",
    "x",
    ">=",
    "<",
    "^",
    "~",
    "||",
    " ",
    ",",
    "\n",
    "newest:",
    "*",
  ];
  const release = (tag: string): Release => ({ tag, prerelease: false, publishedAt: 0 });

  test("of any tag is one or none, and has its numbers", () => {
    fc.assert(
      fc.property(textOf(...pieces), (tag) => {
        const version = versionOf(release(tag));
        if (version === undefined) return;
        const { major, minor, patch, number } = version;
        expect(number.startsWith(`${major}.${minor}.${patch}`)).toBe(true);
        expect(isTag(number.replace("+", "_")) || number.length > 128).toBe(true);
      }),
      runs,
    );
  });

  test("that is printed is read as the same version", () => {
    const number = fc.nat(1e6);
    const prerelease = fc.option(fc.stringMatching(/^[a-z]{1,4}(\.[1-9])?$/));
    fc.assert(
      fc.property(number, number, number, prerelease, (major, minor, patch, suffix) => {
        const text = `${major}.${minor}.${patch}${suffix === null ? "" : `-${suffix}`}`;
        const version = versionOf(release(`v${text}`));
        expect(version).toMatchObject({ major, minor, patch, number: text, prerelease: suffix !== null });
        expect(versionOf(release(version?.number ?? ""))?.number).toBe(text);
      }),
      runs,
    );
  });

  test("has its place in one order", () => {
    const versions = fc
      .array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom("", "-rc1", "-rc2")), { maxLength: 8 })
      .map((all) => all.flatMap(([a, b, c, d]) => versionOf(release(`v${a}.${b}.${c}${d}`)) ?? []));
    fc.assert(
      fc.property(versions, (all) => {
        const tags = (list: typeof all) => list.map(({ tag }) => tag);
        expect(tags(all.toReversed().sort(bySemver))).toEqual(tags(all.toSorted(bySemver)));
      }),
      runs,
    );
  });

  test("input of any text is a selection, or an InputError; the selection finds versions or says that there is none", () => {
    const universe = ["v1.0.0", "v1.1.0", "v2.0.0-rc1"].flatMap((tag) => versionOf(release(tag)) ?? []);
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        inputErrorAsUndefined(() => {
          const selection = parseSelection(text);
          const released = { universe, passedOver: [] };
          for (const version of select(selection, released, "acme/app", [{ keepBy: "minor" }]))
            expect(universe).toContain(version);
        });
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces, "1.", "1.0.0 ", "1.0.0,", "1.0.0 - ", ">=1 "))(
    "input of 100 kB is read in no time: text %#",
    { timeout: hang },
    (text) => {
      expect(versionOf(release(text))).toBeUndefined();
      expect(() => inputErrorAsUndefined(() => parseSelection(text))).not.toThrow();
    },
  );

  function inputErrorAsUndefined<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (error instanceof InputError) return undefined;
      throw error;
    }
  }
});
