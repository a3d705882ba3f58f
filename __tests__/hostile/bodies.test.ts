import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { buildImage, digestOf as digestText, pushTo, randomBytes } from "../../sandbox/images.ts";
import { systemClock } from "../../src/clock.ts";
import { createGitHubClient } from "../../src/github/client.ts";
import { followingFetch, retryingFetch } from "../../src/github/fetch.ts";
import { listReleases } from "../../src/github/releases.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { ociManifest } from "../../src/oci/media-types.ts";
import type { Repository } from "../../src/oci/repository.ts";
import { startWorld, type World } from "../copy/harness.ts";
import { failureOf } from "../oci/failure-of.ts";
import { wordsOf } from "../support/failures.ts";
import { openNetwork, repositoryOver } from "./clients.ts";
import { startMirror, versions } from "./mirror.ts";
import { type HostileServer, hostileServer, sendForEver } from "./servers.ts";

const mebibyte = 1024 * 1024;
const digest = digestOf("a blob");
const some = buildImage({ seed: "some" });
const someManifest = parseManifest(some.bytes, some.mediaType, undefined);

describe("case 7: a body without end, or a false Content-Length", () => {
  /** A registry whose answers to all but `/v2/` never end. */
  function endless(status: number, headers: Record<string, string> = {}): Promise<HostileServer> {
    return hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else {
        response.writeHead(status, headers);
        sendForEver(response);
      }
    });
  }

  test.each<[what: string, ask: (repository: Repository) => Promise<unknown>, message: RegExp]>([
    [
      "manifest",
      (repository) => repository.manifest("v1.0.0"),
      /reading the manifest .*larger than 8388608 bytes/,
    ],
    ["tag list", (repository) => repository.tags(), /listing the tags .*larger than 8388608 bytes/],
  ])("a %s is read up to its cap", async (_what, ask, message) => {
    const registry = await endless(200, { "content-type": ociManifest });
    expect((await failureOf(ask(repositoryOver(openNetwork(), registry.host)))).message).toMatch(message);
    expect(registry.requests).toHaveLength(2);
  });

  test("a list of referrers is read up to its cap", async () => {
    const registry = await endless(200, { "content-type": "application/vnd.oci.image.index.v1+json" });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).referrers(digest));
    expect(failure.message).toContain("larger than 8388608 bytes");
  });

  test.each([403, 404, 405])(
    "an error body of status %i is given up, and tells its status",
    async (status) => {
      const registry = await endless(status);
      const repository = repositoryOver(openNetwork(), registry.host);
      const failure = await failureOf(repository.putManifest("v1.0.0", someManifest));
      expect([failure.status, failure.details.problem]).toEqual([status, "the registry gave no reason"]);
      expect(registry.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
    },
  );

  test("an answer to a write that nobody reads does not keep the write from counting", async () => {
    const registry = await endless(201);
    const repository = repositoryOver(openNetwork(), registry.host);
    expect(await repository.putManifest("v1.0.0", someManifest)).toEqual({ tracksSubject: false });
  });

  test("a token is read up to its cap, and no request goes out with it", async () => {
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url?.startsWith("/token")) {
        response.write('{"token":"');
        sendForEver(response);
      } else response.writeHead(401, { "www-authenticate": 'Bearer realm="/token"' }).end();
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toMatch(/asking its token server .*larger than 131072 bytes/);
    expect(registry.requests.map(({ path }) => path.split("?")[0])).toEqual(["/v2/", "/token"]);
  });

  test("a manifest that claims 9 petabytes and ends early is asked for again, and not for ever", async () => {
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else {
        response.writeHead(200, { "content-type": ociManifest, "content-length": "9007199254740991" });
        response.write("{}", () => response.destroy());
      }
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest("v1.0.0"));
    expect(failure.temporary).toBe(true);
    expect(registry.requests).toHaveLength(1 + 6);
  });

  test("a HEAD that claims a size is no reason to allocate it, and one without digest leads to a check", async () => {
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else if (incoming.method === "HEAD")
        response.writeHead(200, { "content-type": ociManifest, "content-length": "9007199254740991" }).end();
      else sendForEver(response);
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).resolve("v1.0.0"));
    expect(failure.message).toContain("larger than 8388608 bytes");
  });

  test("a list of releases is read up to its cap", async () => {
    const github = await hostileServer((_incoming, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      sendForEver(response);
    });
    await expect(releasesOf(github)).rejects.toThrow(/listing the releases .*larger than 33554432 bytes/);
    expect(github.requests).toHaveLength(1);
  });

  test("a blob without end is cut at the size of its descriptor: nothing is committed", async () => {
    await using world = await startWorld({});
    const storage = await hostileServer((_incoming, response) => sendForEver(response));
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toMatch(/source .*longer than the .* bytes of its desc/);
    expectNothing(world);
  });
});

async function releasesOf(github: HostileServer) {
  const clock = { ...systemClock, sleep: () => Promise.resolve() };
  const client = await createGitHubClient({
    fetch: followingFetch(openNetwork().dispatcher, { clock, log: silentLog }),
    repeating: retryingFetch({ clock, log: silentLog }),
    apiUrl: new URL(github.origin),
    token: "ghs_token",
    userAgent: "test",
    log: silentLog,
  });
  return listReleases(client, { owner: "acme", name: "app" });
}

/** The layer of every copy here: one, so that all hostile answers are about it. */
const layerSize = 300_000;
const image = buildImage({ seed: "app", layers: [{ size: layerSize }] });
const layer = image.layers[0]?.bytes ?? Buffer.alloc(0);

/** Copies an image whose layer is at hostile storage. Returns why it failed, at each destination. */
async function copyFrom(world: World, storage: HostileServer): Promise<readonly (string | undefined)[]> {
  const placed = world.place("app", image);
  world.source.fault({
    when: { method: "GET", path: new RegExp(`blobs/${image.layers[0]?.digest}`) },
    times: Infinity,
    effect: { status: 307, headers: { location: `${storage.origin}/layer` } },
  });
  const { outcomes } = await world.run(world.stepsFor(placed));
  return outcomes.map(({ failure }) => wordsOf(failure));
}

/** No destination has the layer, a manifest that needs it, or a tag; and no file is left behind. */
function expectNothing(world: World): void {
  for (const destination of world.destinations) {
    expect(destination.blob("mirror/app", image.layers[0]?.digest ?? "")).toBeUndefined();
    expect(destination.tagWrites).toEqual([]);
    expect(Object.values(destination.state()).flatMap((tags) => Object.keys(tags))).toEqual([]);
  }
}

function expectCopied(world: World): void {
  for (const destination of world.destinations) {
    expect(destination.completeness("mirror/app", "v1.0.0")).toEqual([]);
    expect(destination.state()).toEqual({ "mirror/app": { "v1.0.0": image.digest } });
  }
}

describe("case 10: right digest headers over other bytes, and a tag that moves", () => {
  test("other bytes of the right length under the right digest header: no destination takes them", async () => {
    await using world = await startWorld({});
    const storage = await hostileServer((_incoming, response) => {
      response.writeHead(200, {
        "content-length": layerSize,
        "docker-content-digest": image.layers[0]?.digest ?? "",
      });
      response.end(randomBytes("others", layerSize));
    });
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toMatch(/source .*do not have the digest/);
    expectNothing(world);
  });

  test("the body of one blob under the digest of another: no destination takes it", async () => {
    await using world = await startWorld({});
    const config = image.config?.bytes ?? Buffer.alloc(0);
    const storage = await hostileServer((_incoming, response) => response.end(config));
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toMatch(/source .*ended the blob too early/);
    expectNothing(world);
  });

  test("a manifest by digest with other bytes is refused, whatever its header says", async () => {
    const other = buildImage({ seed: "other" });
    const registry = await hostileServer((incoming, response) => {
      const headers = { "content-type": other.mediaType, "docker-content-digest": image.digest };
      if (incoming.url === "/v2/") response.end("{}");
      else response.writeHead(200, headers).end(other.bytes);
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest(image.digest));
    expect(failure.message).toContain(`do not have the digest ${image.digest}`);
  });

  test("a tag that moves between HEAD and GET: what was planned is copied", async () => {
    await using mirror = await startMirror();
    const planned = buildImage({ seed: "planned" });
    const later = buildImage({ seed: "later" });
    pushTo(mirror.source, "goharbor/app", planned, versions[0]);
    mirror.source.fault({
      when: { method: "GET", path: /\/manifests\// },
      effect: { run: () => void pushTo(mirror.source, "goharbor/app", later, versions[0]) },
    });
    const { done } = await mirror.run();
    expect(done).toBe(true);
    expect(mirror.source.state()["goharbor/app"]).toEqual({ [versions[0]]: later.digest });
    expect(mirror.destination.state()).toEqual({ "mirror/app": { [versions[0]]: planned.digest } });
  });

  test("a destination that says it stored another digest: the image fails and is not reported as there", async () => {
    await using mirror = await startMirror({
      tamperDestination: ({ method, path }, { headers }) =>
        method === "PUT" && path.includes("/manifests/")
          ? { headers: { ...headers, "docker-content-digest": digestText("others") } }
          : undefined,
    });
    pushTo(mirror.source, "goharbor/app", image, versions[0]);
    const { done, outputs } = await mirror.run();
    expect([done, outputs.images, outputs.failed]).toEqual([false, "[]", "1"]);
    expect(mirror.destination.state()).not.toHaveProperty(["mirror/app", versions[0]]);
  });
});

describe("case 13: ranges and lengths that are not what was asked for", () => {
  type Answer = (from: number, response: ServerResponse) => void;

  /** Storage that breaks off once in the middle, and answers what comes after as the case says. */
  function breaking(after: Answer): Promise<HostileServer> {
    let broken = false;
    return hostileServer((incoming, response) => {
      const from = Number(/^bytes=([0-9]+)-/.exec(incoming.headers.range ?? "")?.[1] ?? 0);
      if (broken) after(from, response);
      else {
        broken = true;
        response.writeHead(200, { "content-length": layerSize, "accept-ranges": "bytes" });
        response.write(layer.subarray(0, 100_000), () => response.destroy());
      }
    });
  }
  const part = (from: number, response: ServerResponse, contentRange: string | undefined): void => {
    const body = layer.subarray(from);
    const range = contentRange === undefined ? {} : { "content-range": contentRange };
    response.writeHead(206, { "content-length": body.length, ...range }).end(body);
  };
  const last = layerSize - 1;

  test("a sound storage is gone on with, from where it broke", async () => {
    await using world = await startWorld({});
    const storage = await breaking((from, response) =>
      part(from, response, `bytes ${from}-${last}/${layerSize}`),
    );
    expect(await copyFrom(world, storage)).toEqual([undefined, undefined]);
    expectCopied(world);
    expect(storage.requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=[1-9]/),
    ]);
  });

  test.each<[what: string, contentRange: (from: number) => string | undefined]>([
    ["that starts at another byte", () => `bytes 0-${last}/${layerSize}`],
    ["that ends at another byte", (from) => `bytes ${from}-${last - 1}/${layerSize}`],
    ["of another total", (from) => `bytes ${from}-${last}/${layerSize + 1}`],
    ["in another unit", (from) => `chunks ${from}-${last}/${layerSize}`],
    ["of a negative start", (from) => `bytes -${from}-${last}/${layerSize}`],
    ["beyond all numbers", (from) => `bytes ${from}-${"9".repeat(400)}/${layerSize}`],
    ["without a range", () => undefined],
  ])("206 %s is refused: nothing is committed", async (_what, contentRange) => {
    await using world = await startWorld({});
    const storage = await breaking((from, response) => part(from, response, contentRange(from)));
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toContain("another range of the blob");
    expectNothing(world);
  });

  test("200 to a range: what is there already is passed over", async () => {
    await using world = await startWorld({});
    const storage = await breaking((_from, response) => response.end(layer));
    expect(await copyFrom(world, storage)).toEqual([undefined, undefined]);
    expectCopied(world);
  });

  test.each([
    ["200 to a range", (_from: number) => Buffer.concat([layer, Buffer.of(0)])],
    ["200 to a range, with other bytes", (_from: number) => randomBytes("other", layerSize)],
  ])("%s, and too long or not the same: nothing is committed", async (_what, body) => {
    await using world = await startWorld({});
    const storage = await breaking((from, response) => response.end(body(from)));
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toMatch(/longer than|do not have the digest/);
    expectNothing(world);
  });

  test("a short body with a clean end, every time: given up after a bounded number of tries", async () => {
    await using world = await startWorld({});
    const storage = await hostileServer((_incoming, response) => response.end(layer.subarray(0, 1000)));
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toMatch(/ended the blob too early|another range/);
    expect(storage.requests.length).toBeLessThan(15);
    expectNothing(world);
  });
});

describe("case 18: compressed bombs, and a Content-Encoding on what is hashed as stored", () => {
  const bomb = gzipSync(Buffer.alloc(64 * mebibyte));

  test("a layer that is a bomb passes as the bytes that it is", async () => {
    await using mirror = await startMirror();
    const layers = [
      { mediaType: image.layers[0]?.mediaType ?? "", digest: digestText(bomb), size: bomb.length },
    ];
    const config = Buffer.from("{}");
    const document = {
      schemaVersion: 2,
      mediaType: image.mediaType,
      config: { mediaType: image.config?.mediaType, digest: digestText(config), size: config.length },
      layers,
    };
    for (const bytes of [bomb, config]) mirror.source.putBlob("goharbor/app", bytes);
    const bytes = Buffer.from(JSON.stringify(document));
    mirror.source.putManifest("goharbor/app", bytes, image.mediaType, versions[0]);
    expect((await mirror.run()).done).toBe(true);
    expect(mirror.destination.completeness("mirror/app", versions[0])).toEqual([]);
    const uploaded = mirror.destination.requests.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
    expect(uploaded).toBeLessThan(2 * bomb.length);
  });

  test("a blob with a Content-Encoding is refused, and was asked for without one", async () => {
    await using world = await startWorld({});
    const storage = await hostileServer((_incoming, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(layer)),
    );
    const failures = await copyFrom(world, storage);
    for (const failure of failures) expect(failure).toContain("the blob came compressed");
    expect(storage.requests[0]?.headers["accept-encoding"]).toBe("identity");
    expectNothing(world);
  });

  test("a manifest with a Content-Encoding is not inflated: its bytes are not its digest's", async () => {
    const registry = await hostileServer((incoming, response) => {
      const headers = { "content-type": image.mediaType, "content-encoding": "gzip" };
      if (incoming.url === "/v2/") response.end("{}");
      else
        response.writeHead(200, headers).end(incoming.url?.includes("sha256") ? gzipSync(image.bytes) : bomb);
    });
    const repository = repositoryOver(openNetwork(), registry.host);
    expect((await failureOf(repository.manifest(image.digest))).message).toContain("do not have the digest");
    expect((await failureOf(repository.manifest("v1.0.0"))).message).toContain("is not JSON");
  });

  test("GitHub's answers, which are inflated, are cut at their size after that", async () => {
    const github = await hostileServer((_incoming, response) =>
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb),
    );
    await expect(releasesOf(github)).rejects.toThrow("larger than 33554432 bytes");
  });
});
