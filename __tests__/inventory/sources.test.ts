import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildAttestation, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { fullAccess } from "../../sandbox/registry.ts";
import { sentenceOf } from "../../src/errors.ts";
import { AttachmentFinder } from "../../src/inventory/attachments.ts";
import {
  imageFor,
  isThere,
  locate,
  type Receiver,
  type SourceOptions,
  whyMissing,
} from "../../src/inventory/sources.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { Platform } from "../../src/oci/platform.ts";
import { asked, component, listeningLog, never, openWorld, place, searching, type World } from "./harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const core = component("harbor-core", "v2.15.2");
const lookup = "HEAD goharbor/harbor-core/manifests/v2.15.2";
const elsewhere = { registry: "mirror.example", path: "goharbor", attestations: true };

describe("the first source that has an image", () => {
  test("serves it, by one HEAD; the next is not asked", async () => {
    const [first, second] = [await world.start(), await world.start()];
    const digest = place(first, "harbor-core", "v2.15.2");
    place(second, "harbor-core", "v2.15.2", "another");
    const location = await locate(
      core,
      [elsewhere],
      searching(world.source(first), world.source(second)),
      never,
    );
    expect(imageFor(location, elsewhere)).toMatchObject({
      source: { registry: first.host, path: "goharbor" },
      repository: "goharbor/harbor-core",
      tag: "v2.15.2",
      digest,
      rewritten: undefined,
      attachments: [],
    });
    expect(asked(first)).toEqual([lookup]);
    expect(asked(second)).toEqual([]);
  });

  test("may be the second; then both were asked by HEAD only", async () => {
    const [first, second] = [await world.start(), await world.start()];
    const digest = place(second, "harbor-core", "v2.15.2");
    const location = await locate(
      core,
      [elsewhere],
      searching(world.source(first), world.source(second)),
      never,
    );
    expect(imageFor(location, elsewhere)).toMatchObject({ source: { registry: second.host }, digest });
    expect([...asked(first), ...asked(second)]).toEqual([lookup, lookup]);
  });

  test("is read under its own name, and goes under the destination's", async () => {
    const server = await world.start();
    const digest = place(server, "harbor-core", "v2.15.2");
    const renamed = { ...core, to: "core", toTag: "2.15" };
    const location = await locate(renamed, [elsewhere], searching(world.source(server)), never);
    expect(imageFor(location, elsewhere)).toMatchObject({ tag: "v2.15.2", digest });
    expect(asked(server)).toEqual([lookup]);
  });
});

describe("a source that is the destination itself", () => {
  test("is passed over for that destination, and serves the others", async () => {
    const [hub, other] = [await world.start(), await world.start()];
    place(hub, "harbor-core", "v2.15.2");
    place(other, "harbor-core", "v2.15.2");
    const itself = world.destination(hub);
    const location = await locate(
      core,
      [itself, elsewhere],
      searching(world.source(hub), world.source(other)),
      never,
    );
    expect(imageFor(location, itself)?.source.registry).toBe(other.host);
    expect(imageFor(location, elsewhere)?.source.registry).toBe(hub.host);
  });

  test("alone leaves nothing for that destination, but the image is there", async () => {
    const hub = await world.start();
    place(hub, "harbor-core", "v2.15.2");
    const itself = world.destination(hub);
    const location = await locate(core, [itself], searching(world.source(hub)), never);
    expect(imageFor(location, itself)).toBeUndefined();
    expect(isThere(location)).toBe(true);
  });

  test("is another place when only the registry is the same", async () => {
    const hub = await world.start();
    place(hub, "harbor-core", "v2.15.2");
    const neighbour = { registry: hub.host, path: "mirrors", attestations: true };
    const location = await locate(core, [neighbour], searching(world.source(hub)), never);
    expect(imageFor(location, neighbour)?.source.path).toBe("goharbor");
  });
});

describe("a source that does not say yes", () => {
  test.each([401, 403])(
    "status %s is no image, with the reason; the next source is asked",
    async (status) => {
      const [closed, open] = [await world.start(), await world.start()];
      place(closed, "harbor-core", "v2.15.2");
      const digest = place(open, "harbor-core", "v2.15.2", "the open one");
      closed.fault({
        when: { path: /manifests/ },
        times: Number.POSITIVE_INFINITY,
        effect: { status, headers: { "www-authenticate": 'Basic realm="x"' } },
      });
      const sources = [world.source(closed), world.source(open)];
      const location = await locate(core, [elsewhere], searching(...sources), never);
      expect(imageFor(location, elsewhere)?.digest).toBe(digest);
      expect(location.answers[0]).toMatchObject({
        image: undefined,
        reason: { problem: expect.stringContaining(`${status}`) },
      });
    },
  );

  test("a token server that refuses is such a source too", async () => {
    const user = fullAccess("someone", "secret");
    const closed = await world.start({ authentication: { kind: "bearer", users: [user] } });
    place(closed, "harbor-core", "v2.15.2");
    const location = await locate(core, [elsewhere], searching(world.source(closed)), never);
    expect(isThere(location)).toBe(false);
    expect(sentenceOf(whyMissing(location))).toMatch(/refused with status 401: not there, or not public/);
  });

  test("why an image is missing names every source and what it said", async () => {
    const [empty, closed] = [await world.start(), await world.start()];
    closed.fault({ when: { path: /manifests/ }, effect: { status: 403 } });
    const sources = [world.source(empty), world.source(closed, "team/harbor")];
    const location = await locate(core, [elsewhere], searching(...sources), never);
    expect(isThere(location)).toBe(false);
    expect(sentenceOf(whyMissing(location))).toBe(
      `the image is at no source (${empty.host}/goharbor: not found; ` +
        `${closed.host}/team/harbor: refused with status 403: not there, or not public): harbor-core:v2.15.2`,
    );
  });

  test("status 500 for good is told with host, repository and status, and the next source serves", async () => {
    const [broken, healthy] = [await world.start(), await world.start()];
    broken.fault({ when: { path: /manifests/ }, times: Number.POSITIVE_INFINITY, effect: { status: 500 } });
    const alone = await locate(core, [elsewhere], searching(world.source(broken)), never);
    expect(isThere(alone)).toBe(false);
    expect(sentenceOf(whyMissing(alone))).toContain(`source ${broken.host}/goharbor/harbor-core`);
    expect(sentenceOf(whyMissing(alone))).toContain("status 500");
    const digest = place(healthy, "harbor-core", "v2.15.2");
    const sources = [world.source(broken), world.source(healthy)];
    const location = await locate(core, [elsewhere], searching(...sources), never);
    expect(imageFor(location, elsewhere)?.digest).toBe(digest);
  });

  test("status 500 that passes is not noticed", async () => {
    const shaky = await world.start();
    const digest = place(shaky, "harbor-core", "v2.15.2");
    shaky.fault({ when: { path: /manifests/ }, times: 2, effect: { status: 500 } });
    const location = await locate(core, [elsewhere], searching(world.source(shaky)), never);
    expect(imageFor(location, elsewhere)?.digest).toBe(digest);
  });
});

describe("with only some platforms wanted", () => {
  const platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
  const index = buildIndex(
    platforms.map((platform) => buildImage({ seed: platform, platform, format: "oci" })),
    { annotations: { "org.opencontainers.image.version": "v2.15.2" } },
  );
  const only = (...wanted: readonly string[]): readonly Platform[] =>
    wanted.map((text) => {
      const [os = "", architecture = ""] = text.split("/");
      return { os, architecture, variant: undefined };
    });

  async function locateIndex(wanted: readonly Platform[], log = silentLog) {
    const server = await world.start();
    pushTo(server, "goharbor/harbor-core", index, "v2.15.2");
    const options = { ...searching(world.source(server)), platforms: wanted, log };
    const location = await locate(core, [elsewhere], options, never);
    return { server, location, image: imageFor(location, elsewhere) };
  }

  test("an index becomes a new one, of the wanted children and all else as it was", async () => {
    const log = listeningLog();
    const { image } = await locateIndex(only("linux/amd64", "linux/arm64"), log);
    const rewritten = image?.rewritten;
    expect(image?.digest).not.toBe(index.digest);
    expect(image?.digest).toBe(digestOf(rewritten?.bytes ?? ""));
    const before = JSON.parse(index.bytes.toString());
    const after = JSON.parse(Buffer.from(rewritten?.bytes ?? "").toString());
    expect(after).toEqual({ ...before, manifests: before.manifests.slice(0, 2) });
    expect(log.lines.join("\n")).toContain(`becomes ${image?.digest}`);
  });

  test("the index is read once, by the digest that the tag had", async () => {
    const { server } = await locateIndex(only("linux/amd64"));
    expect(asked(server)).toEqual([lookup, `GET goharbor/harbor-core/manifests/${index.digest}`]);
  });

  test("an index that has no others goes as it is", async () => {
    const { image } = await locateIndex(only(...platforms));
    expect(image).toMatchObject({ digest: index.digest, rewritten: undefined });
  });

  test("an image that is no index goes as it is", async () => {
    const server = await world.start();
    const digest = place(server, "harbor-core", "v2.15.2");
    const options = { ...searching(world.source(server)), platforms: only("linux/riscv64") };
    const location = await locate(core, [elsewhere], options, never);
    expect(imageFor(location, elsewhere)).toMatchObject({ digest, rewritten: undefined });
    // A GET would be a pull, and the HEAD has told the type already.
    expect(asked(server)).toEqual([lookup]);
  });

  test("a source without pulls left gives way to the next, at once", async () => {
    const limited = await world.start({ rateLimitHeaders: { limit: 100, remaining: 0 } });
    const other = await world.start();
    for (const server of [limited, other]) pushTo(server, "goharbor/harbor-core", index, "v2.15.2");
    const sources = [world.source(limited), world.source(other)];
    const options = { ...searching(...sources), platforms: only("linux/amd64") };
    const location = await locate(core, [elsewhere], options, never);
    expect(imageFor(location, elsewhere)?.source.registry).toBe(other.host);
    expect(asked(limited)).toHaveLength(2);
    const alone = await locate(core, [elsewhere], { ...options, sources: sources.slice(0, 1) }, never);
    expect(sentenceOf(whyMissing(alone))).toContain("pull rate limit");
  });

  test("an index without any wanted platform is a failure that names the input", async () => {
    const { location } = await locateIndex(only("windows/amd64"));
    expect(isThere(location)).toBe(false);
    expect(sentenceOf(whyMissing(location))).toMatch(/none of its platforms is wanted.*"platforms"/);
  });

  test("signatures of the whole index are not taken for those of its part", async () => {
    const server = await world.start();
    pushTo(server, "goharbor/harbor-core", index, "v2.15.2");
    pushTo(
      server,
      "goharbor/harbor-core",
      buildImage({
        seed: "signature",
        format: "oci",
        subject: index,
        artifactType: "application/x.signature",
      }),
    );
    const find = async (wanted: readonly Platform[]) => {
      const attachments = new AttachmentFinder(silentLog);
      const options = { ...searching(world.source(server)), platforms: wanted, attachments };
      return imageFor(await locate(core, [elsewhere], options, never), elsewhere)?.attachments;
    };
    expect(await find(only("linux/amd64"))).toEqual([]);
    expect(asked(server).filter((line) => /referrers|tags/.test(line))).toEqual([]);
    expect(await find(only(...platforms))).toHaveLength(1);
  });
});

describe("with a destination that takes no attestations", () => {
  const app = buildImage({ seed: "app", format: "oci" });
  const attested = buildIndex([app, buildAttestation(app)]);
  const bare = { registry: "bare.example", path: "goharbor", attestations: false };

  async function locateAt(
    destinations: readonly Receiver[],
    artifact = attested,
    more: Partial<SourceOptions> = {},
  ) {
    const server = await world.start();
    pushTo(server, "goharbor/harbor-core", artifact, "v2.15.2");
    const attachments = new AttachmentFinder(silentLog);
    const options = { ...searching(world.source(server)), attachments, ...more };
    return { server, location: await locate(core, destinations, options, never) };
  }

  test("it gets a new index without them, and the others the one of the source", async () => {
    const log = listeningLog();
    const { server, location } = await locateAt([elsewhere, bare], attested, { log });
    expect(imageFor(location, elsewhere)).toMatchObject({ digest: attested.digest, rewritten: undefined });
    const image = imageFor(location, bare);
    expect(image?.rewritten?.children.map(({ digest }) => digest)).toEqual([app.digest]);
    expect(image?.digest).toBe(image?.rewritten?.digest);
    expect(image?.digest).not.toBe(attested.digest);
    expect(log.lines.join("\n")).toContain(
      `${attested.digest}: without attestations it becomes ${image?.digest}`,
    );
    expect(asked(server).filter((line) => line.startsWith("GET") && line.includes("manifests"))).toHaveLength(
      1,
    );
  });

  test("no signatures of the whole index are looked for where nobody gets it", async () => {
    const { server, location } = await locateAt([bare]);
    expect(imageFor(location, bare)?.attachments).toEqual([]);
    expect(asked(server).filter((line) => /referrers|tags/.test(line))).toEqual([]);
  });

  test.each([
    ["an index without any", buildIndex([app])],
    ["an image that is no index", app],
    ["an index of nothing else", buildIndex([buildAttestation(app)])],
  ])("%s goes as it is", async (_, artifact) => {
    const { location } = await locateAt([bare], artifact);
    expect(imageFor(location, bare)).toMatchObject({ digest: artifact.digest, rewritten: undefined });
  });

  test("it gets new indexes all the way down, where one lists indexes that have them", async () => {
    const [inner, plain] = [attested, buildIndex([buildImage({ seed: "plain", format: "oci" })])];
    const outer = buildIndex([buildIndex([inner]), plain, buildAttestation(plain)]);
    const { server, location } = await locateAt([bare], outer);
    const { rewritten, rewrittenBelow = [] } = imageFor(location, bare) ?? {};
    const made = new Map(rewrittenBelow.map((manifest) => [manifest.digest as string, manifest]));
    const [middle, other] = rewritten?.children ?? [];
    expect(other?.digest).toBe(plain.digest);
    expect(rewritten?.children).toHaveLength(2);
    const [last] = made.get(middle?.digest ?? "")?.children ?? [];
    expect(made.get(last?.digest ?? "")?.children.map(({ digest }) => digest)).toEqual([app.digest]);
    expect(made.size).toBe(2);
    // Entries name what they lead to: their sizes are those of the new documents.
    expect(middle?.size).toBe(made.get(middle?.digest ?? "")?.bytes.length);
    const read = asked(server).filter((line) => line.startsWith("GET") && line.includes("manifests"));
    expect(read).toHaveLength(4);
  });

  test("an entry without a platform and without BuildKit's annotation is left out as well", async () => {
    const { entryAnnotations: _, ...unmarked } = buildAttestation(app);
    const { location } = await locateAt([bare], buildIndex([app, unmarked]));
    expect(imageFor(location, bare)?.rewritten?.children.map(({ digest }) => digest)).toEqual([app.digest]);
  });

  test("an entry that says that it is something else stays, whatever its platform", async () => {
    const other = { ...buildAttestation(app), entryAnnotations: { "vnd.docker.reference.type": "other" } };
    const { location } = await locateAt([bare], buildIndex([app, other]));
    expect(imageFor(location, bare)?.rewritten).toBeUndefined();
  });

  test("platforms and attestations are left out of one index", async () => {
    const other = buildImage({ seed: "arm", format: "oci", platform: "linux/arm64" });
    const both = buildIndex([app, other, buildAttestation(app), buildAttestation(other)]);
    const platforms = [{ os: "linux", architecture: "arm64", variant: undefined }];
    const { location } = await locateAt([elsewhere, bare], both, { platforms });
    const childrenFor = (receiver: Receiver) =>
      imageFor(location, receiver)?.rewritten?.children.map(({ digest }) => digest);
    expect(childrenFor(elsewhere)).toEqual([other.digest, buildAttestation(other).digest]);
    expect(childrenFor(bare)).toEqual([other.digest]);
  });
});

test.each([400, 404, 405, 501])(
  "an image at a source whose HEADs are all answered by %i is found by GET",
  async (status) => {
    const server = await world.start();
    const digest = place(server, "harbor-core", "v2.15.2");
    server.fault({ when: { method: "HEAD" }, times: Number.POSITIVE_INFINITY, effect: { status } });
    const location = await locate(core, [elsewhere], searching(world.source(server)), never);
    expect(imageFor(location, elsewhere)?.digest).toBe(digest);
  },
);
