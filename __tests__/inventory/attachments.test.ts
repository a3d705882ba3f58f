import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Artifact, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { OperationError } from "../../src/errors.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import { imageFor, locate } from "../../src/inventory/sources.ts";
import { silentLog } from "../../src/log/log.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { referrersTag } from "../../src/oci/reference.ts";
import { recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const repository = "goharbor/harbor-core";
const image = buildImage({ seed: "harbor-core", format: "oci" });
const tagForm = image.digest.replace(":", "-");

function signatureOf(subject: Artifact, seed = "signature"): Artifact {
  return buildImage({ seed, format: "oci", subject, artifactType: "application/vnd.dev.cosign.signature" });
}

function digest(text: string): Digest {
  const parsed = parseDigest(text);
  if (parsed === undefined) throw new Error(`${text} is no digest`);
  return parsed;
}

function find(server: RegistryServer, of = image.digest, finder = new AttachmentFinder(silentLog)) {
  return finder.find(world.source(server).repository(repository), digest(of), never);
}

describe("what points at an image", () => {
  test("is found by the referrers API", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    const signatures = ["one", "two"].map((seed) => signatureOf(image, seed));
    const digests = signatures.map((signature) => pushTo(server, repository, signature));
    pushTo(server, repository, signatureOf(buildImage({ seed: "another image", format: "oci" })));
    const found = await find(server);
    expect(found.map((attachment) => attachment.digest).sort()).toEqual(digests.sort());
    expect(found.every(({ tag }) => tag === undefined)).toBe(true);
    expect(asked(server)).toEqual([
      `GET ${repository}/referrers/${image.digest}`,
      `GET ${repository}/tags/list?n=1000`,
    ]);
  });

  const artifact = {
    mediaType: "application/vnd.oci.artifact.manifest.v1+json",
    digest: `sha256:${"a".repeat(64)}`,
    size: 2,
  };

  test("is found where the answer of the referrers API says that it is plain JSON; of what is not mirrored the user is told", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    const signature = signatureOf(image);
    const { mediaType, digest: named, bytes } = signature;
    const manifests = [{ mediaType, digest: named, size: bytes.length }, artifact];
    server.fault({
      when: { path: /referrers/ },
      times: Number.POSITIVE_INFINITY,
      effect: {
        status: 200,
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify({ schemaVersion: 2, manifests }),
      },
    });
    const log = recordingLog();
    const finder = new AttachmentFinder(log);
    for (const _again of [1, 2])
      expect(await find(server, image.digest, finder)).toEqual([{ digest: named, tag: undefined }]);
    expect(log.warnings).toEqual([
      expect.stringContaining(
        `${artifact.digest}, a referrer, is not copied: "application/vnd.oci.artifact.manifest.v1+json" is not`,
      ),
    ]);
  });

  test("is found by the fallback tag where there is no such API", async () => {
    const server = await world.start({ referrers: false });
    pushTo(server, repository, image, "v2.15.2");
    const index = pushTo(server, repository, buildIndex([signatureOf(image)]), tagForm);
    expect(await find(server)).toEqual([{ digest: index, tag: tagForm }]);
  });

  test("is not found twice: with the API, its own answer counts, not the fallback tag", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    const signature = pushTo(server, repository, signatureOf(image));
    pushTo(server, repository, buildIndex([signatureOf(image)]), tagForm);
    expect(await find(server)).toEqual([{ digest: signature, tag: undefined }]);
  });

  test.each([true, false])("is found by cosign's tags (referrers API: %s)", async (referrers) => {
    const server = await world.start({ referrers });
    pushTo(server, repository, image, "v2.15.2");
    const tags = [".sig", ".att", ".sbom"].map((suffix) => `${tagForm}${suffix}`);
    const digests = tags.map((tag) =>
      pushTo(server, repository, buildImage({ seed: tag, format: "oci" }), tag),
    );
    for (const stray of [`${tagForm}.other`, `sha256-${"0".repeat(64)}.sig`])
      pushTo(server, repository, image, stray);
    expect(await find(server)).toEqual(tags.map((tag, index) => ({ digest: digests[index], tag })));
  });

  test("is nothing for most images", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    expect(await find(server)).toEqual([]);
  });
});

describe("a registry that does not do something is asked for it once, however many images are looked at", () => {
  const images = ["one", "two", "three", "four"].map((seed) => buildImage({ seed, format: "oci" }));

  async function findAll(options: Parameters<World["start"]>[0], seed: (server: RegistryServer) => void) {
    const server = await world.start(options);
    for (const each of images) pushTo(server, `goharbor/${each.digest.slice(7, 20)}`, each, "v2.15.2");
    seed(server);
    const finder = new AttachmentFinder(silentLog);
    const source = world.source(server);
    const found = await Promise.all(
      images.map((each) =>
        finder.find(source.repository(`goharbor/${each.digest.slice(7, 20)}`), digest(each.digest), never),
      ),
    );
    return { server, found };
  }

  test("the referrers API", async () => {
    const { server } = await findAll({ referrers: false }, () => undefined);
    expect(asked(server).filter((line) => line.includes("/referrers/"))).toHaveLength(1);
    expect(asked(server).filter((line) => line.includes("/tags/list"))).toHaveLength(images.length);
  });

  test("lists of tags", async () => {
    const { server, found } = await findAll({ lists: false }, (filled) => {
      for (const each of images)
        pushTo(
          filled,
          `goharbor/${each.digest.slice(7, 20)}`,
          signatureOf(each),
          `${each.digest.replace(":", "-")}.sig`,
        );
    });
    expect(asked(server).filter((line) => line.includes("/tags/list"))).toHaveLength(1);
    expect(found.every((attachments) => attachments.some(({ tag }) => tag?.endsWith(".sig")))).toBe(true);
  });
});

describe("requests for it", () => {
  test("are two at the most for an image, beside the HEAD of its tag", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };
    const options = { ...searching(world.source(server)), attachments: new AttachmentFinder(silentLog) };
    const location = await locate(component("harbor-core", "v2.15.2"), [elsewhere], options, never);
    expect(imageFor(location, elsewhere)?.attachments).toEqual([]);
    expect(asked(server)).toHaveLength(3);
    expect(asked(server)[0]).toBe(`HEAD ${repository}/manifests/v2.15.2`);
  });

  test("list the tags of a repository once for all its images", async () => {
    const server = await world.start();
    const others = ["one", "two", "three"].map((seed) => buildImage({ seed, format: "oci" }));
    for (const other of others) pushTo(server, repository, other, `v-${other.digest.slice(7, 15)}`);
    const finder = new AttachmentFinder(silentLog);
    await Promise.all(others.map((other) => find(server, other.digest, finder)));
    expect(asked(server).filter((line) => line.includes("/tags/list"))).toHaveLength(1);
    expect(asked(server).filter((line) => line.includes("/referrers/"))).toHaveLength(3);
  });

  test("do not ask a host again that has no referrers API", async () => {
    const server = await world.start({ referrers: false });
    const others = ["one", "two", "three"].map((seed) => buildImage({ seed, format: "oci" }));
    for (const other of others) pushTo(server, repository, other, `v-${other.digest.slice(7, 15)}`);
    const finder = new AttachmentFinder(silentLog);
    for (const other of others) await find(server, other.digest, finder);
    expect(asked(server).filter((line) => line.includes("/referrers/"))).toHaveLength(1);
  });

  test("that fail for good at /referrers/ are a failure, not an absence", async () => {
    const server = await world.start();
    pushTo(server, repository, image, "v2.15.2");
    const effect = { status: 503 };
    server.fault({ when: { path: /\/referrers\// }, times: Number.POSITIVE_INFINITY, effect });
    await expect(find(server)).rejects.toThrow(OperationError);
  });

  test.each([401, 403, 404, 405, 500, 501])(
    "are HEADs of the tags that there may be, where the list of tags is answered by %i, which is asked for once",
    async (status) => {
      const server = await world.start({ referrers: false });
      const others = ["one", "two"].map((seed) => buildImage({ seed, format: "oci" }));
      for (const other of others) pushTo(server, repository, other, `v-${other.digest.slice(7, 15)}`);
      const signature = pushTo(server, repository, signatureOf(image), `${tagForm}.sig`);
      const effect = { status };
      server.fault({ when: { path: /\/tags\/list/ }, times: Number.POSITIVE_INFINITY, effect });
      const finder = new AttachmentFinder(silentLog);
      expect(await find(server, image.digest, finder)).toEqual([
        { digest: signature, tag: `${tagForm}.sig` },
      ]);
      const before = asked(server).length;
      for (const other of others) expect(await find(server, other.digest, finder)).toEqual([]);
      expect(
        asked(server)
          .slice(before)
          .every((line) => line.startsWith("HEAD ")),
      ).toBe(true);
    },
  );
});

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema */
test.each([
  [`sha256:${"a".repeat(64)}`, `sha256-${"a".repeat(64)}`],
  [`sha512:${"b".repeat(128)}`, `sha512-${"b".repeat(64)}`],
])("the tag form of %s", (text, tag) => {
  expect(referrersTag(digest(text))).toBe(tag);
});
