import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { readTrigger } from "../../src/github/event.ts";
import { parseComposeTemplate } from "../../src/harbor/components.ts";
import { BodyError } from "../../src/http/http.ts";
import { hasDigest } from "../../src/oci/digest.ts";
import { dockerConfiguration } from "../../src/oci/docker-config.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import * as mediaTypes from "../../src/oci/media-types.ts";
import { isRepository } from "../../src/oci/reference.ts";
import { resolveSelection } from "../../src/run/wanted.ts";
import { component, digest, hang, label, longLength, longTextsOf, runs, textOf } from "./arbitraries.ts";

const types = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
];

/** What stands in the place of a field: nothing, something else, or a prototype's name. */
const junk = fc.oneof(fc.jsonValue(), fc.constantFrom("__proto__", -1, 1e300, "", null, [], {}));

/** A document of these fields, of which some are missing or something else. */
function spoilt(fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> {
  const arbitraries = Object.fromEntries(
    Object.entries(fields).map(([name, arbitrary]) => [
      name,
      fc.oneof({ weight: 9, arbitrary }, { weight: 1, arbitrary: junk }),
    ]),
  );
  return fc.oneof(
    { weight: 9, arbitrary: fc.record(arbitraries, { requiredKeys: [] }) },
    { weight: 1, arbitrary: junk },
  );
}

describe("a manifest", () => {
  const type = fc.constantFrom(...types, "application/vnd.oci.image.layer.v1.tar+gzip", "");
  const descriptor = spoilt({
    mediaType: type,
    digest,
    size: fc.nat(),
    platform: spoilt({ os: label, architecture: label }),
    annotations: fc.dictionary(label, label, { maxKeys: 2 }),
  });
  const list = fc.array(descriptor, { maxLength: 3 });
  const documents = spoilt({
    schemaVersion: fc.constant(2),
    mediaType: type,
    config: descriptor,
    layers: list,
    manifests: list,
    subject: descriptor,
  });

  test("of any document is of one kind, with its own digest, or a BodyError", () => {
    fc.assert(
      fc.property(documents, type, (document, contentType) => {
        const bytes = Buffer.from(JSON.stringify(document) ?? "");
        const manifest = refusedAsUndefined(() => parseManifest(bytes, contentType, undefined));
        if (manifest === undefined) return;
        expect(hasDigest(manifest.bytes, manifest.digest)).toBe(true);
        expect(manifest.bytes).toBe(bytes);
        const { layers, config, manifests } = document as Record<string, unknown>;
        const [other] = manifest.kind === "index" ? [layers ?? config] : [manifests];
        expect(other ?? undefined).toBeUndefined();
      }),
      runs,
    );
  });

  test("of any bytes under the digest of others is a BodyError", () => {
    fc.assert(
      fc.property(fc.uint8Array(), digest, (bytes, expected) => {
        const read = () => parseManifest(bytes, mediaTypes.ociManifest, expected as never);
        expect(read).toThrow(BodyError);
      }),
      runs,
    );
  });

  test("that is sound is read with all its entries, each digest once", () => {
    const entries = fc.array(fc.record({ digest, size: fc.nat() }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(entries, ([config, ...layers]) => {
        const of = (entry: unknown, mediaType: string) => ({ ...(entry as object), mediaType });
        const document = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: of(config, "application/vnd.oci.image.config.v1+json"),
          layers: layers.map((layer) => of(layer, "application/vnd.oci.image.layer.v1.tar")),
        };
        const bytes = Buffer.from(JSON.stringify(document));
        const manifest = parseManifest(bytes, mediaTypes.ociManifest, undefined);
        const digests = [config, ...layers].map((entry) => entry?.digest);
        expect(manifest.blobs.map((blob) => blob.digest)).toEqual([...new Set(digests)]);
      }),
      runs,
    );
  });

  test.each([
    ["arrays", "[".repeat(longLength)],
    ["objects", '{"layers":['.repeat(longLength / 11)],
    ["quotes", `"${'\\"'.repeat(longLength / 2)}`],
    ["digits", "1".repeat(longLength)],
  ])("of 100 kB of %s is read in no time", { timeout: hang }, (_what, text) => {
    const read = () => parseManifest(Buffer.from(text), mediaTypes.ociManifest, undefined);
    expect(read).toThrow(BodyError);
  });

  function refusedAsUndefined<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (error instanceof BodyError) return undefined;
      throw error;
    }
  }
});

describe("a compose template", () => {
  const pieces = [
    "image:",
    " ",
    "\n",
    "goharbor/",
    "harbor-core",
    ":",
    "{{",
    "version",
    "}}",
    "'",
    "#",
    "{% if %}",
  ];

  test("of any text names repositories, or nothing", () => {
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        const images = parseComposeTemplate(text);
        if (images === undefined) return;
        expect(images[0]).toBe("prepare");
        expect(new Set(images).size).toBe(images.length);
        for (const image of images) expect(isRepository(image)).toBe(true);
      }),
      runs,
    );
  });

  test("that is written is read with all its images", () => {
    const images = fc.uniqueArray(component, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(images, (names) => {
        const lines = names.map((name) => `  ${name}:\n    image: goharbor/${name}:{{version}}\n`);
        const read = parseComposeTemplate(`services:\n${lines.join("")}`);
        expect(read).toEqual(["prepare", ...names.filter((name) => name !== "prepare")]);
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces, "image: ", "image: a", " \t", "image:\n"))(
    "of 100 kB is read in no time: text %#",
    { timeout: hang },
    (text) => {
      expect(parseComposeTemplate(text)).toBeUndefined();
    },
  );
});

describe("an event file", () => {
  const names = ["release", "workflow_run", "workflow_dispatch", "push", "schedule", "other", "__proto__"];
  const tag = textOf("v", "1", "0", ".", "-rc1", "/", "\n", "newest:", "3", ">=");
  const payloads = spoilt({
    action: fc.constantFrom("published", "created", "deleted"),
    release: spoilt({
      tag_name: tag,
      prerelease: fc.boolean(),
      draft: fc.boolean(),
      published_at: fc.constant("2026-01-01T00:00:00Z"),
    }),
    repository: spoilt({ name: fc.constantFrom("harbor", "..", "a/b"), owner: spoilt({ login: label }) }),
    workflow_run: spoilt({ name: label, event: label, conclusion: label, head_branch: tag }),
    inputs: spoilt({ version: tag }),
  });
  const inputs = {
    version: undefined,
    repository: undefined,
    name: undefined,
    versionsFrom: "releases",
    images: "auto",
    retention: { keep: 3, keepBy: "semver" },
    destinations: [],
    prereleases: false,
  } as const;

  /** Reads an event and decides what it asks for; the answer, or the InputError that says why there is none. */
  async function outcomeOf(name: string, text: string, refName?: string): Promise<unknown> {
    const event = { name, path: "event.json", repository: "a/b", refName, refType: "tag" };
    try {
      return resolveSelection(inputs, await readTrigger(event, () => Promise.resolve(text)));
    } catch (error) {
      if (error instanceof InputError) return error;
      throw error;
    }
  }

  test("of any content asks for versions, for nothing, or is an InputError of one line", async () => {
    const texts = fc.oneof(
      { weight: 9, arbitrary: payloads.map((payload) => JSON.stringify(payload) ?? "") },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), texts, tag, async (name, text, refName) => {
        const outcome = await outcomeOf(name, text, refName);
        if (outcome instanceof InputError) expect(outcome.message).not.toMatch(/[\u0000-\u001f]|::/);
        else expect(outcome).toHaveProperty("kind");
      }),
      runs,
    );
  });

  test("of a release is read as GitHub wrote it", async () => {
    const version = fc.stringMatching(/^v[1-9]\.[0-9]\.[0-9]$/);
    await fc.assert(
      fc.asyncProperty(version, label, label, async (tagName, owner, name) => {
        const release = {
          tag_name: tagName,
          prerelease: false,
          draft: false,
          published_at: "2026-01-01T00:00:00Z",
        };
        const payload = { action: "published", release, repository: { name, owner: { login: owner } } };
        expect(await outcomeOf("release", JSON.stringify(payload))).toMatchObject({
          kind: "releases",
          repository: { owner, name },
          selection: { kind: "tags", tags: [tagName] },
        });
      }),
      runs,
    );
  });

  test.each(["[", '{"a":', '"', "1", " "])(
    "of 100 kB of %j is read in no time",
    { timeout: hang },
    async (piece) => {
      const text = piece.repeat(Math.ceil(longLength / piece.length));
      for (const name of names.slice(0, 3)) expect(await outcomeOf(name, text)).toBeInstanceOf(InputError);
    },
  );
});

describe("a Docker configuration", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docker-config-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const server = fc.constantFrom(
    "ghcr.io",
    "https://ghcr.io",
    "https://ghcr.io/v2/",
    "ghcr.io.evil.example",
    "evil.example/ghcr.io",
    "https://index.docker.io/v1/",
    "__proto__",
    "",
  );
  const entry = spoilt({
    auth: fc.oneof(
      fc.string().map((text) => Buffer.from(text).toString("base64")),
      fc.string(),
    ),
    username: fc.string(),
    password: fc.string(),
    identitytoken: fc.string(),
  });
  const configs = spoilt({
    auths: fc.dictionary(server, entry, { maxKeys: 4 }),
    credsStore: fc.constantFrom("desktop", "", "../evil"),
    credHelpers: fc.dictionary(server, fc.constantFrom("ecr-login", ""), { maxKeys: 2 }),
  });

  /** The login of a registry by this text, or the InputError that says why it cannot be used. */
  async function loginBy(text: string, registry: string): Promise<unknown> {
    await writeFile(join(folder, "config.json"), text);
    const asked = dockerConfiguration(folder, () => Promise.resolve(undefined));
    return asked(registry)().catch((error: unknown) => {
      if (error instanceof InputError) return error;
      throw error;
    });
  }

  test("of any content gives a login, none, or an InputError that quotes none of it", async () => {
    const texts = fc.oneof(
      { weight: 9, arbitrary: configs.map((config) => JSON.stringify(config) ?? "") },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const login = await loginBy(text, "ghcr.io");
        if (login instanceof InputError)
          expect(login.message).toMatch(/^The Docker configuration .*Log in again/);
        else if (login !== undefined)
          expect(login).toMatchObject({ username: expect.any(String), password: expect.any(String) });
      }),
      runs,
    );
  });

  test("that docker login wrote gives each registry its own login, and no other", async () => {
    const word = fc.stringMatching(/^[!-~]{1,20}$/);
    const username = word.filter((text) => !text.includes(":"));
    const logins = fc.uniqueArray(fc.tuple(label, username, word), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(logins, async (given) => {
        const auths = Object.fromEntries(
          given.map(([name, user, password]) => [
            `${name}.example`,
            { auth: Buffer.from(`${user}:${password}`).toString("base64") },
          ]),
        );
        const text = JSON.stringify({ auths });
        for (const [name, user, password] of given)
          expect(await loginBy(text, `${name}.example`)).toMatchObject({ username: user, password });
        expect(await loginBy(text, "none.example.org")).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  test.each(["[", '{"auths":', '"', " "])(
    "of 100 kB of %j is read in no time",
    { timeout: hang },
    async (piece) => {
      const text = piece.repeat(Math.ceil(longLength / piece.length));
      const login = await loginBy(text, "ghcr.io");
      // Blanks alone are an empty file, which holds no login.
      if (piece === " ") expect(login).toBeUndefined();
      else expect(login).toBeInstanceOf(InputError);
    },
  );
});
