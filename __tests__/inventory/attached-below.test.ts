import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Artifact, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryOptions, RegistryServer } from "../../sandbox/registry.ts";
import { lateAttachments, withAttachedBelow } from "../../src/inventory/attached-below.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import { imageFor, locate } from "../../src/inventory/sources.ts";
import { silentLog } from "../../src/log/log.ts";
import type { SourceImage } from "../../src/plan/snapshot.ts";
import { recordingLog } from "../support/recording-log.ts";
import { asked, component, never, openWorld, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const repository = "goharbor/harbor-core";
const children = ["linux/amd64", "linux/arm64"].map((platform) =>
  buildImage({ seed: platform, format: "oci", platform }),
);
const index = buildIndex(children);
const tagOf = ({ digest }: Artifact) => digest.replace(":", "-");

function referrer(subject: Artifact, seed: string): Artifact {
  return buildImage({ seed, format: "oci", subject, artifactType: `application/x.${seed}` });
}

/** The image as it is found at a source, and what is attached to it by the time of a later look. */
async function lookedAt(options: RegistryOptions, image: Artifact, seed: (server: RegistryServer) => void) {
  const server = await world.start(options);
  pushTo(server, repository, image, "v2.15.2");
  const finder = new AttachmentFinder(silentLog);
  seed(server);
  const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };
  const source = world.source(server);
  const location = await locate(
    component("harbor-core", "v2.15.2"),
    [elsewhere],
    { ...searching(source), attachments: finder },
    never,
  );
  const found = imageFor(location, elsewhere);
  if (found === undefined) throw new Error("the image was not found");
  const before = asked(server).length;
  const log = recordingLog();
  const look = lateAttachments(({ repository: name }) => source.repository(name), finder, log, never);
  const attachments = await look(found as SourceImage);
  await look(found as SourceImage);
  return {
    digests: attachments.map(({ digest }) => digest).sort(),
    requests: asked(server).slice(before),
    log,
  };
}

describe("what came to an image that was mirrored before", () => {
  test("is found at a platform, and at what is attached to it, by the referrers API", async () => {
    const [child] = children;
    if (child === undefined) throw new Error("no child");
    const sbom = referrer(child, "sbom");
    const signature = referrer(sbom, "signature");
    const { digests, requests } = await lookedAt({}, index, (server) => {
      for (const each of [sbom, signature]) pushTo(server, repository, each);
    });
    expect(digests).toEqual([sbom.digest, signature.digest].sort());
    // One manifest, and a question for each platform, each attachment; none twice for a second destination.
    expect(requests.length).toBe(1 + 2 + 2);
  });

  test.each(["", ".sig"])("is found by tags without that API (%s)", async (suffix) => {
    const [child] = children;
    if (child === undefined) throw new Error("no child");
    const sbom = suffix === "" ? buildIndex([referrer(child, "sbom")]) : buildImage({ seed: "sbom" });
    const [entry = sbom] = sbom.children;
    const signature = buildImage({ seed: "signature", format: "oci" });
    const { digests } = await lookedAt({ referrers: false }, index, (server) => {
      pushTo(server, repository, sbom, `${tagOf(child)}${suffix}`);
      pushTo(server, repository, signature, `${tagOf(entry)}.sig`);
    });
    expect(digests).toEqual([sbom.digest, signature.digest].sort());
  });

  test("costs nothing where no tag of the repository can be attached to anything but the image", async () => {
    const signature = buildImage({ seed: "signature", format: "oci" });
    const seed = (server: RegistryServer) => pushTo(server, repository, signature, `${tagOf(index)}.sig`);
    const { digests, requests } = await lookedAt({ referrers: false }, index, seed);
    expect(digests).toEqual([signature.digest]);
    expect(requests).toEqual([]);
  });

  test("costs nothing for an image of one platform without attachments", async () => {
    const [image = index] = children;
    const { digests, requests } = await lookedAt({}, image, () => undefined);
    expect([digests, requests]).toEqual([[], []]);
  });

  test("is left for the next run, with a warning, where the source cannot be asked", async () => {
    const { digests, log } = await lookedAt({}, index, (server) =>
      server.fault({
        when: { path: new RegExp(`manifests/${index.digest}`) },
        times: Number.POSITIVE_INFINITY,
        effect: { status: 403 },
      }),
    );
    expect(digests).toEqual([]);
    expect(log.warnings.join("\n")).toContain(
      "Late signatures of goharbor/harbor-core:v2.15.2 are not looked for",
    );
  });
});

describe("attachments of attachments", () => {
  test("are followed four levels and no further, and each is asked about once", async () => {
    const server = await world.start();
    const chain = [index];
    for (let level = 1; level <= 6; level += 1) chain.push(referrer(chain[level - 1] ?? index, `${level}`));
    for (const each of chain) pushTo(server, repository, each);
    const source = world.source(server).repository(repository);
    const finder = new AttachmentFinder(silentLog);
    const known = await finder.find(source, index.digest as SourceImage["digest"], never);
    const found = await withAttachedBelow(known, [], source, finder, never);
    expect(found.map(({ digest }) => digest)).toEqual(chain.slice(1, 5).map(({ digest }) => digest));
    expect(asked(server).filter((request) => request.includes("/referrers/")).length).toBe(4);
  });

  test("are no endless number", async () => {
    const server = await world.start();
    const source = world.source(server).repository(repository);
    const known = Array.from({ length: 1001 }, (_, number) => ({
      digest: `sha256:${String(number).padStart(64, "0")}` as SourceImage["digest"],
      tag: undefined,
    }));
    const finder = new AttachmentFinder(silentLog);
    const walking = withAttachedBelow(known, [], source, finder, never);
    await expect(walking).rejects.toThrow("an image has more than 1000 of them");
  });
});
