import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Artifact, Blob } from "../../sandbox/images.ts";
import { mediaTypes, randomBytes } from "../../sandbox/images.ts";
import { messageOf } from "../../src/errors.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { Repository } from "../../src/oci/repository.ts";
import { startWorld } from "../copy/harness.ts";
import { repositoryName } from "../oci/clients.ts";
import { failureOf } from "../oci/failure-of.ts";
import { wordsOf } from "../support/failures.ts";
import { openNetwork, repositoryOver } from "./clients.ts";
import {
  challenge,
  type HostileServer,
  harvester,
  hostileServer,
  lockedRegistry,
  loginsSeen,
  type Respond,
} from "./servers.ts";

const digest = digestOf(Buffer.from("a blob"));

/** Everything that a mirror asks of a registry: none of it may carry the login elsewhere. */
const operations: readonly (readonly [what: string, ask: (repository: Repository) => Promise<unknown>])[] = [
  ["HEAD of a manifest", (repository) => repository.resolve("v1.0.0")],
  ["GET of a manifest", (repository) => repository.manifest("v1.0.0")],
  ["HEAD of a blob", (repository) => repository.hasBlob({ digest, size: 1 })],
  ["GET of a blob", (repository) => repository.readBlob({ digest, size: 6 }, { from: 0, to: 6 })],
  ["list of tags", (repository) => repository.tags()],
  ["list of referrers", async (repository) => refuse(await repository.referrers(digest))],
  ["start of an upload", (repository) => repository.startUpload()],
  ["mount", async (repository) => refuse(await repository.mountBlob(digest, "other/image"))],
  ["deletion", async (repository) => refuse(await repository.deleteManifest("v1.0.0"))],
];

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => "success", messageOf);
}

/** These operations report some refusals as a value; what counts here is where requests went. */
function refuse(outcome: unknown): never {
  throw new Error(`no success: ${String(outcome)}`);
}

describe("case 1: a layer descriptor with `urls` to a host of its own, which answers 401 and a challenge", () => {
  /** An image with one layer that may be passed on and one that may not, both with `urls`. */
  function imageWithUrls(seed: string, url: string): Artifact {
    const blob = (name: string, mediaType: string, isForeign = false): Blob => {
      const bytes = randomBytes(`${seed} ${name}`, 2000);
      return {
        mediaType,
        digest: digestOf(bytes),
        size: bytes.length,
        bytes: isForeign ? undefined : bytes,
      };
    };
    const config = blob("config", mediaTypes.ociConfig);
    const layers = [
      blob("layer", mediaTypes.ociLayer),
      blob("foreign layer", mediaTypes.ociForeignLayer, true),
    ];
    const described = ({ mediaType, size, digest: of }: Blob) => ({
      mediaType,
      size,
      digest: of,
      urls: [`${url}/${of}`],
    });
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: described(config),
      layers: layers.map(described),
    };
    const bytes = Buffer.from(JSON.stringify(document));
    const { mediaType } = document;
    return { bytes, mediaType, digest: digestOf(bytes), config, layers, children: [], platform: undefined };
  }

  test("is copied without asking that host, and without the layer that may not be passed on", async () => {
    await using world = await startWorld({});
    const evil = await harvester();
    const image = imageWithUrls("urls", evil.origin);
    const { outcomes } = await world.run(world.stepsFor(world.place("app", image)));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const destination of world.destinations) {
      expect(destination.state()).toEqual({ "mirror/app": { "v1.0.0": image.digest } });
      expect(destination.completeness("mirror/app", "v1.0.0")).toEqual([]);
    }
    expect(evil.connections()).toBe(0);
  });

  test("is not asked either for what the registry does not have", async () => {
    await using world = await startWorld({});
    const evil = await harvester();
    const image = world.place("app", imageWithUrls("lost", evil.origin));
    world.source.fault({
      when: { method: "GET", path: /\/blobs\// },
      times: Infinity,
      effect: { status: 404 },
    });
    const { outcomes } = await world.run(world.stepsFor(image));
    for (const { failure } of outcomes) expect(wordsOf(failure)).toContain("status 404");
    expect(evil.connections()).toBe(0);
    for (const destination of world.destinations) expect(destination.tagWrites).toEqual([]);
  });
});

describe("case 2: a redirect to another host, which answers 401 Bearer", () => {
  describe.each(["basic", "bearer"] as const)("from a registry with %s login", (kind) => {
    test.each(operations)("%s: that host gets no login, and its challenge no answer", async (_what, ask) => {
      await using registry = await lockedRegistry(kind);
      const evil = await harvester();
      registry.fault({
        when: { path: /\/v2\/goharbor\// },
        times: Infinity,
        effect: { status: 307, headers: { location: `${evil.origin}/v2/goharbor/harbor-core` } },
      });
      const outcome = await outcomeOf(ask(repositoryOver(openNetwork(), registry.host)));
      expect(outcome).not.toBe("success");
      // The login was there to be taken along.
      expect(loginsSeen({ requests: registry.requests.filter(({ status }) => status === 307) })).not.toEqual(
        [],
      );
      expect(loginsSeen(evil)).toEqual([]);
      expect(evil.requests.filter(({ path }) => path.startsWith("/token"))).toEqual([]);
      // A login is not renewed because of what another host says.
      expect(registry.tokenServer?.credentialsSeen.length ?? 0).toBe(kind === "bearer" ? 1 : 0);
    });
  });

  test("a port, a scheme or a spelling of the host is another origin, too", async () => {
    await using registry = await lockedRegistry("basic");
    const evil = await harvester();
    for (const host of ["localhost", "127.1", "0177.0.0.1", "127.0.0.1"]) {
      const location = `http://${host}:${evil.port}/x`;
      registry.fault({ when: { path: /\/blobs\// }, effect: { status: 307, headers: { location } } });
      const repository = repositoryOver(openNetwork(), registry.host);
      await failureOf(repository.readBlob({ digest, size: 6 }, { from: 0, to: 6 }));
    }
    expect(evil.requests).toHaveLength(4);
    expect(loginsSeen(evil)).toEqual([]);
  });
});

describe("case 5: an upload whose `Location` is on a foreign host", () => {
  const bytes = Buffer.from("a blob that stays at home");
  const blob = { digest: digestOf(bytes), size: bytes.length };
  async function* body(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const locations = (evil: HostileServer): readonly string[] => [
    `${evil.origin}/v2/x/blobs/uploads/1`,
    `//${evil.host}/v2/x/blobs/uploads/1`,
    `http://localhost:${evil.port}/v2/x/blobs/uploads/1`,
    "https://127.0.0.1/v2/x/blobs/uploads/1",
    "file:///etc/passwd",
    "",
  ];

  test.each([
    ["the start", "POST", "", 202],
    ["a part", "PATCH", "", 202],
    ["the question how far it is", "GET", "", 204],
  ] as const)("in the answer to %s: nothing is sent there", async (_what, method, _path, status) => {
    const evil = await harvester();
    for (const location of locations(evil)) {
      await using registry = await lockedRegistry("basic");
      registry.fault({
        when: { method, path: /\/blobs\/uploads\// },
        effect: { status, headers: { location } },
      });
      const repository = repositoryOver(openNetwork(), registry.host);
      const work = async (): Promise<void> => {
        const upload = await repository.startUpload();
        if (method === "GET") await upload.received();
        await upload.append(body(), 0, bytes.length);
        await upload.finish(blob, body());
      };
      const outcome = await outcomeOf(work());
      // An absent address is no foreign one where the specification lets it be left out.
      if (location !== "" || method !== "GET")
        expect(outcome).toMatch(/which is not itself|no usable address/);
      expect(registry.blob(repositoryName, blob.digest)).toBeUndefined();
    }
    expect(evil.connections()).toBe(0);
  });

  test("after a mount that was not done: nothing is sent there", async () => {
    await using registry = await lockedRegistry("bearer");
    const evil = await harvester();
    registry.fault({
      when: { method: "POST", path: /mount=/ },
      effect: { status: 202, headers: { location: `${evil.origin}/upload` } },
    });
    const failure = await failureOf(
      repositoryOver(openNetwork(), registry.host).mountBlob(blob.digest, "other/image"),
    );
    expect(failure.message).toContain("Nothing was sent there");
    expect(evil.connections()).toBe(0);
  });
});

describe("case 12: a redirect loop, a redirect to `file:` or `data:`", () => {
  test.each(operations.slice(0, 4))("%s in a circle of two hosts: comes to an end", async (_what, ask) => {
    const pair: HostileServer[] = [];
    const toOther = (of: number): Respond => {
      return (incoming, response) => {
        if (incoming.url === "/v2/") response.end("{}");
        else response.writeHead(307, { location: `${pair[of]?.origin}/again` }).end();
      };
    };
    pair.push(await hostileServer(toOther(1)), await hostileServer(toOther(0)));
    const failure = await failureOf(ask(repositoryOver(openNetwork(), pair[0]?.host ?? "")));
    expect(failure.message).toContain("more than 5 redirects");
    expect(pair.reduce((sum, { requests }) => sum + requests.length, 0)).toBe(7);
  });

  test.each(["file:///etc/passwd", "data:application/json,{}", "javascript:1", "ws://127.0.0.1/"])(
    "%s: refused",
    async (location) => {
      const registry = await hostileServer((incoming, response) => {
        if (incoming.url === "/v2/") response.end("{}");
        else response.writeHead(307, { location }).end();
      });
      const failure = await failureOf(repositoryOver(openNetwork(), registry.host).manifest("v1.0.0"));
      expect(failure.message).toContain(`a redirect to ${new URL(location).protocol}`);
    },
  );
});

describe("case 19: a login in the user part of a URL that a server names", () => {
  const credentials = "http://mirror-bot:taken@";

  test("in a redirect, a realm, a `Location` or a `Link`: refused, and not sent", async () => {
    const registry = await hostileServer((incoming, response) => {
      const own = `${credentials}${incoming.headers.host}`;
      if (incoming.url === "/v2/") response.end("{}");
      else if (incoming.url?.includes("/tags/"))
        response.writeHead(200, { link: `<${own}/v2/more>; rel="next"` }).end('{"tags":["v1.0.0"]}');
      else if (incoming.method === "POST") response.writeHead(202, { location: `${own}/upload` }).end();
      else if (incoming.url?.includes("/blobs/"))
        challenge(response, `Bearer realm="${own}/token",service="x"`);
      else response.writeHead(307, { location: `${own}/manifest` }).end();
    });
    const repository = repositoryOver(openNetwork(), registry.host);
    for (const ask of [
      repository.tags(),
      repository.startUpload(),
      repository.hasBlob({ digest, size: 1 }),
    ]) {
      const { message } = await failureOf(ask);
      expect(message).toMatch(/a login in it|which is not itself/);
      expect(message).not.toContain("taken");
    }
    expect((await failureOf(repository.manifest("v1.0.0"))).message).toContain("a login in it");
    expect(registry.requests.map(({ path }) => path)).not.toContainEqual(
      expect.stringMatching(/more|upload$|token|\/manifest$/),
    );
    expect(loginsSeen(registry)).toEqual([]);
  });

  test("a token in the query of a redirect is in no line of the debug log, and in no failure", async () => {
    const lines: string[] = [];
    const signature = createHash("sha256").update("signature").digest("hex");
    const storage = await hostileServer((_incoming, response) => response.writeHead(403).end());
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else response.writeHead(307, { location: `${storage.origin}/blob?X-Amz-Signature=${signature}` }).end();
    });
    const log = {
      ...silentLog,
      info: (line: string) => lines.push(line),
      debug: (line: string) => lines.push(line),
      warning: (line: string) => lines.push(line),
      error: (line: string) => lines.push(line),
    };
    const repository = repositoryOver(openNetwork({}, log), registry.host);
    const failure = await failureOf(repository.readBlob({ digest: digest, size: 6 }, { from: 0, to: 6 }));
    expect(storage.requests).toHaveLength(1);
    expect(lines.join("\n")).toContain(`${storage.origin}/blob?…`);
    for (const text of [...lines, failure.message]) expect(text).not.toContain(signature);
  });
});
