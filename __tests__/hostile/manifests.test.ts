import { describe, expect, test } from "vitest";
import { type Artifact, buildImage, buildIndex, mediaTypes, pushTo } from "../../sandbox/images.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { startWorld, type World } from "../copy/harness.ts";
import { failureOf } from "../oci/failure-of.ts";
import { wordsOf } from "../support/failures.ts";
import { openNetwork, repositoryOver } from "./clients.ts";
import { startMirror, versions } from "./mirror.ts";
import { type HostileServer, hostileServer } from "./servers.ts";

const good = digestOf("content");

/** A registry that answers every request for a manifest with the same document. */
function serving(
  document: unknown,
  headers: Readonly<Record<string, string>> = { "content-type": mediaTypes.ociManifest },
): Promise<HostileServer> {
  return hostileServer((incoming, response) => {
    if (incoming.url === "/v2/") response.end("{}");
    else response.writeHead(200, headers).end(JSON.stringify(document));
  });
}

function descriptor(digest: string, mediaType: string = mediaTypes.ociLayer): Record<string, unknown> {
  return { mediaType, digest, size: 7 };
}

function imageOf(config: string, layer: string): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(config, mediaTypes.ociConfig),
    layers: [descriptor(layer)],
  };
}

function indexOf(...children: readonly string[]): Record<string, unknown> {
  const manifests = children.map((digest) => descriptor(digest, mediaTypes.ociManifest));
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

describe("case 8: a digest that is none", () => {
  const hex = good.slice("sha256:".length);
  const wrong = [
    "../../../v2/other/blobs/uploads",
    `sha256:../${hex.slice(3)}`,
    `../sha256:${hex}`,
    hex,
    `sha256${hex}`,
    `sha256:${hex.toUpperCase()}`,
    `SHA256:${hex}`,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}0`,
    `sha256:${hex}\n`,
    `sha256:${hex}?x=1`,
    `sha512:${hex}`,
    `md5:${hex.slice(32)}`,
    `__proto__:${hex}`,
    `constructor:${hex}`,
    "sha256:",
    ":",
    "",
  ];

  test.each(wrong)("%j in a manifest: refused, and asked for nowhere", async (digest) => {
    for (const document of [
      imageOf(digest, good),
      imageOf(good, digest),
      indexOf(good, digest),
      { ...imageOf(good, good), subject: descriptor(digest, mediaTypes.ociManifest) },
    ]) {
      const type = { "content-type": String(document.mediaType) };
      const registry = await serving(document, type);
      const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest("v1.0.0"));
      expect(failure.message).toMatch(
        /reading the manifest v1\.0\.0 failed: .*not a sha256 or sha512 digest/,
      );
      expect(registry.requests.map(({ path }) => path)).toEqual(["/v2/", expect.stringMatching(/v1\.0\.0$/)]);
    }
  });

  test.each(wrong.filter((digest) => digest.trim() === digest))(
    "%j in a Docker-Content-Digest: the manifest itself is asked instead",
    async (digest) => {
      const image = buildImage({ seed: "header" });
      const registry = await hostileServer((incoming, response) => {
        const headers = { "content-type": image.mediaType, "docker-content-digest": digest };
        if (incoming.url === "/v2/") response.end("{}");
        else response.writeHead(200, headers).end(incoming.method === "HEAD" ? undefined : image.bytes);
      });
      const resolved = await repositoryOver(openNetwork(), registry.host).resolve("v1.0.0");
      expect(resolved?.digest).toBe(image.digest);
      expect(registry.requests.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`)).toEqual([
        "GET ",
        "HEAD v1.0.0",
        "GET v1.0.0",
      ]);
    },
  );

  test("in a list of referrers: refused, and asked for nowhere", async () => {
    const registry = await serving(indexOf("../x"), { "content-type": mediaTypes.ociIndex });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).referrers(good));
    expect(failure.message).toContain("not a sha256 or sha512 digest");
    expect(registry.requests).toHaveLength(2);
  });

  test("a size that is none, or larger than any number: refused", async () => {
    for (const size of [-1, 1.5, 1e300, "7", null, Number.MAX_SAFE_INTEGER + 1]) {
      const document = { ...imageOf(good, good), config: { ...descriptor(good), size } };
      const registry = await serving(document);
      const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest("v1.0.0"));
      expect(failure.message).toContain("config.size");
    }
  });
});

describe("case 9: a document that is two things, or says another type than its header", () => {
  const both = { ...imageOf(good, good), ...indexOf(good) };

  test.each<[what: string, document: Record<string, unknown>, contentType: string, problem: RegExp]>([
    ["`manifests` beside `layers` and `config`", both, mediaTypes.ociIndex, /image and an index/],
    [
      "the same, called an image",
      { ...both, mediaType: mediaTypes.ociManifest },
      mediaTypes.ociManifest,
      /image and an index/,
    ],
    [
      "the same, without a type of its own",
      { ...both, mediaType: undefined },
      mediaTypes.ociIndex,
      /image and an index/,
    ],
    ["an index with `layers` alone", { ...indexOf(good), layers: [] }, mediaTypes.ociIndex, /and an index/],
    [
      "an index with `config` alone",
      { ...indexOf(good), config: descriptor(good) },
      mediaTypes.ociIndex,
      /and an index/,
    ],
    [
      "an image with `manifests`, be it empty",
      { ...imageOf(good, good), manifests: [] },
      mediaTypes.ociManifest,
      /and an index/,
    ],
    ["an image under the type of an index", imageOf(good, good), mediaTypes.ociIndex, /Content-Type says/],
    ["an index under the type of an image", indexOf(good), mediaTypes.ociManifest, /Content-Type says/],
    ["an OCI image under Docker's type", imageOf(good, good), mediaTypes.dockerManifest, /Content-Type says/],
    [
      "schema 1 inside",
      { ...imageOf(good, good), fsLayers: [{ blobSum: good }] },
      mediaTypes.ociManifest,
      /schema 1/,
    ],
    [
      "schema 1 outside",
      imageOf(good, good),
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      /schema 1/,
    ],
    [
      "no type at all",
      { ...imageOf(good, good), mediaType: undefined },
      "application/json",
      /not a manifest type/,
    ],
  ])("%s: refused", async (_what, document, contentType, problem) => {
    const registry = await serving(document, { "content-type": contentType });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest("v1.0.0"));
    expect(failure.details.problem).toMatch(problem);
  });

  test("at the source of a run: no destination gets anything of it", async () => {
    const document = Buffer.from(JSON.stringify(both));
    await using mirror = await startMirror({
      tamperSource: ({ path }, { headers }) =>
        path.includes("/manifests/")
          ? {
              status: 200,
              body: document,
              headers: {
                ...headers,
                "content-type": mediaTypes.ociIndex,
                "docker-content-digest": digestOf(document),
              },
            }
          : undefined,
    });
    pushTo(mirror.source, "goharbor/app", buildImage({ seed: "both" }), versions[0]);
    const { done, lines } = await mirror.run();
    expect(done).toBe(false);
    expect(lines.join("\n")).toContain("an image and an index at the same time");
    expect(mirror.destination.requests.filter(({ method }) => !/^(GET|HEAD)$/.test(method))).toEqual([]);
  });
});

describe("case 11: an index that contains itself, nests deep, or has too many children", () => {
  test("one that contains itself, as only a liar can say: not its digest", async () => {
    const document = indexOf(good);
    const registry = await serving(document, { "content-type": mediaTypes.ociIndex });
    const repository = repositoryOver(openNetwork(), registry.host);
    const root = await repository.manifest("v1.0.0");
    expect(root.children.map(({ digest }) => digest)).toEqual([good]);
    expect((await failureOf(repository.manifest(good))).message).toContain(`do not have the digest ${good}`);
  });

  /** Stores artifacts one by one: going down from the top would take as long as the attack itself. */
  function place(world: World, levels: readonly (readonly Artifact[])[]) {
    for (const artifact of levels.flat()) pushTo(world.source, "goharbor/app", { ...artifact, children: [] });
    const [top] = levels.at(-1) ?? [];
    if (top === undefined) throw new Error("no levels");
    return world.place("app", { ...top, children: [] });
  }

  /** Indexes above one image, each level of so many indexes that all list the whole level below. */
  function levelsOf(depth: number, width: number): readonly (readonly Artifact[])[] {
    const levels: (readonly Artifact[])[] = [[buildImage({ seed: "leaf", format: "oci" })]];
    for (let level = 1; level <= depth; level += 1) {
      const below = levels.at(-1) ?? [];
      const count = level === depth ? 1 : width;
      levels.push(
        Array.from({ length: count }, (_none, index) =>
          buildIndex(below, { annotations: { name: `${level}-${index}` } }),
        ),
      );
    }
    return levels;
  }

  function manifestReads(world: World): number {
    return world.source.requests.filter(({ method, path }) => method === "GET" && /\/manifests\//.test(path))
      .length;
  }

  test("eight levels are copied, each manifest read once and put once, however many ways lead to it", async () => {
    await using world = await startWorld({});
    const levels = levelsOf(8, 6);
    const { outcomes } = await world.run(world.stepsFor(place(world, levels)));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(manifestReads(world)).toBe(levels.flat().length);
    for (const destination of world.destinations) {
      const puts = destination.requests.filter(
        ({ method, path }) => method === "PUT" && /manifests/.test(path),
      );
      expect(new Set(puts.map(({ path }) => path)).size).toBe(puts.length);
    }
  });

  test("nine levels are refused: no destination gets a manifest", async () => {
    await using world = await startWorld({});
    const { outcomes } = await world.run(world.stepsFor(place(world, levelsOf(9, 1))));
    for (const { failure } of outcomes) expect(wordsOf(failure)).toContain("more than 8 levels");
    for (const destination of world.destinations) expect(destination.state()).toEqual({});
  });

  /** An index whose children are nowhere but in its list. */
  function listing(count: number): Artifact {
    const bytes = Buffer.from(
      JSON.stringify(indexOf(...Array.from({ length: count }, (_none, at) => digestOf(String(at))))),
    );
    const mediaType = mediaTypes.ociIndex;
    return {
      bytes,
      mediaType,
      digest: digestOf(bytes),
      config: undefined,
      layers: [],
      children: [],
      platform: undefined,
    };
  }

  test.each([
    [1_001, "more than 8 levels or 1000 manifests"],
    [10_001, "is not of the expected form"],
    [100_000, "larger than 8388608 bytes"],
  ])("%i children are refused before any of them is asked for", async (count, problem) => {
    await using mirror = await startMirror();
    const { bytes, mediaType, digest } = listing(count);
    // Past the sandbox, which would miss the children.
    mirror.source.fault({
      when: { method: ["GET", "HEAD"], path: /goharbor\/app\/manifests\// },
      times: Infinity,
      effect: {
        status: 200,
        headers: { "content-type": mediaType, "docker-content-digest": digest },
        body: bytes,
      },
    });
    const { done, lines } = await mirror.run();
    expect(done).toBe(false);
    expect(lines.join("\n")).toContain(problem);
    const asked = mirror.sourceFront.requests
      .map(({ path }) => path)
      // The source lists no tags, so it is asked for those of signatures.
      .filter((path) => /manifests/.test(path) && !/sha256-[0-9a-f]{64}/.test(path));
    expect([...new Set(asked.map((path) => path.split("/").at(-1)))].sort()).toEqual(
      [versions[0], digest].sort(),
    );
    expect(mirror.destination.state()).toEqual({});
  });

  test("a child that is listed a thousand times is read once", async () => {
    await using world = await startWorld({});
    const child = buildImage({ seed: "again", format: "oci" });
    const index = buildIndex(Array.from({ length: 1000 }, () => child));
    const { outcomes } = await world.run(world.stepsFor(place(world, [[child], [index]])));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(manifestReads(world)).toBe(2);
  });
});
