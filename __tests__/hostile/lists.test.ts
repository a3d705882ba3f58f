import { describe, expect, test } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import type { RegistryOptions } from "../../sandbox/registry.ts";
import { createGitHubClient } from "../../src/github/client.ts";
import { followingFetch, retryingFetch } from "../../src/github/fetch.ts";
import { listReleases } from "../../src/github/releases.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { ociIndex, ociManifest } from "../../src/oci/media-types.ts";
import { failureOf } from "../oci/failure-of.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { openNetwork, repositoryOver } from "./clients.ts";
import type { Tamper } from "./front.ts";
import { startMirror, versions } from "./mirror.ts";
import { type HostileServer, hostileServer, loginsSeen } from "./servers.ts";

/** A page of a list, and the `Link` that goes with it. */
type Page = (number: number, host: string) => { readonly tags: unknown; readonly link?: string };

/** A registry whose tag list has such pages; requests for anything else are part of a page as well. */
function listing(page: Page): Promise<HostileServer> {
  let pages = 0;
  return hostileServer((incoming, response) => {
    if (incoming.url === "/v2/") return void response.end("{}");
    pages += 1;
    const { tags, link } = page(pages, incoming.headers.host ?? "");
    response.writeHead(200, link === undefined ? {} : { link: `<${link}>; rel="next"` });
    response.end(JSON.stringify({ name: "x", tags }));
  });
}

function pagesAsked(registry: HostileServer): number {
  return registry.requests.filter(({ path }) => path !== "/v2/").length;
}

describe("case 6: a next page on a foreign host, or without end", () => {
  test("on another host, port or scheme, or with a login: refused, and nothing sent there", async () => {
    const evil = await hostileServer((_incoming, response) => response.end('{"tags":["taken"]}'));
    for (const link of [
      `${evil.origin}/v2/x/tags/list`,
      `//${evil.host}/more`,
      `http://localhost:${evil.port}/more`,
      "https://127.0.0.1/more",
      "file:///etc/passwd",
      "javascript:alert(1)",
      "http://",
    ]) {
      const registry = await listing(() => ({ tags: ["v1.0.0"], link }));
      const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
      expect(failure.message).toMatch(/listing the tags .*(on another host|cannot be read)/);
      expect(pagesAsked(registry)).toBe(1);
    }
    expect(evil.connections()).toBe(0);
  });

  test("the same page for ever: read once", async () => {
    const registry = await listing((_number, host) => ({
      tags: ["v1.0.0"],
      link: `http://${host}/v2/goharbor/harbor-core/tags/list?n=1000`,
    }));
    expect(await repositoryOver(openNetwork(), registry.host).tags()).toEqual(["v1.0.0"]);
    expect(pagesAsked(registry)).toBe(1);
  });

  test("the same tags for ever under new addresses: an end after the first page without a new one", async () => {
    const registry = await listing((number) => ({ tags: ["v1.0.0"], link: `/more?page=${number}` }));
    expect(await repositoryOver(openNetwork(), registry.host).tags()).toEqual(["v1.0.0"]);
    expect(pagesAsked(registry)).toBe(2);
  });

  test.each<[what: string, tags: (number: number) => unknown]>([
    ["empty pages", () => []],
    ["pages of null", () => null],
    ["pages of what is no tag", (number) => [`../${number}`]],
    ["a new tag a page", (number) => [`v${number}`]],
  ])("%s for ever: a failure after 100 pages, not a shorter list", async (_what, tags) => {
    const registry = await listing((number) => ({ tags: tags(number), link: `/more?page=${number}` }));
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toContain("goes on after 100 pages");
    expect(pagesAsked(registry)).toBe(100);
  });

  test("huge pages of ever new tags: a failure after 100,000 tags", async () => {
    const pageOf = (number: number): unknown =>
      Array.from({ length: 30_000 }, (_none, at) => `v${number}-${at}`);
    const registry = await listing((number) => ({ tags: pageOf(number), link: `/more?page=${number}` }));
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toContain("more than 100000 entries");
    expect(pagesAsked(registry)).toBe(4);
  });

  test("ever new referrers: a failure after 100,000 of them", async () => {
    let pages = 0;
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") return void response.end("{}");
      pages += 1;
      const manifests = Array.from({ length: 9_999 }, (_none, at) => ({
        mediaType: ociManifest,
        size: 7,
        digest: digestOf(`${pages}-${at}`),
      }));
      response.writeHead(200, { "content-type": ociIndex, link: `</more?page=${pages}>; rel="next"` });
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }));
    });
    const failure = await failureOf(
      repositoryOver(openNetwork(), registry.host).referrers(digestOf("subject")),
    );
    expect(failure.message).toContain("more than 100000 entries");
    expect(pages).toBe(11);
  });

  describe("of GitHub's releases", () => {
    async function releasesOf(github: HostileServer) {
      const apiUrl = new URL(github.origin);
      const client = await createGitHubClient({
        fetch: followingFetch(openNetwork().dispatcher, { clock: fakeClock(), log: silentLog }),
        repeating: retryingFetch({ clock: fakeClock(), log: silentLog }),
        apiUrl,
        token: "ghs_marked",
        userAgent: "test",
        log: silentLog,
      });
      return listReleases(client, { owner: "acme", name: "app" });
    }

    test("on a foreign host: that host is not asked; pages without end: a failure after 100", async () => {
      const evil = await hostileServer((_incoming, response) => response.end("[]"));
      const github = await hostileServer((_incoming, response) =>
        response
          .writeHead(200, { "content-type": "application/json", link: `<${evil.origin}/2>; rel="next"` })
          .end("[]"),
      );
      await expect(releasesOf(github)).rejects.toThrow("more than 100 pages");
      expect(github.requests).toHaveLength(100);
      expect(evil.connections()).toBe(0);
    });

    test("case 12: a redirect to a foreign host is not followed; one to itself is, with an end", async () => {
      const evil = await hostileServer((_incoming, response) => response.end("[]"));
      const away = await hostileServer((_incoming, response) =>
        response.writeHead(302, { location: `${evil.origin}/releases` }).end(),
      );
      await expect(releasesOf(away)).rejects.toThrow(`a redirect to another host, ${evil.host}`);
      expect(evil.connections()).toBe(0);

      const circle = await hostileServer((_incoming, response) =>
        response.writeHead(301, { location: "/again" }).end(),
      );
      await expect(releasesOf(circle)).rejects.toThrow("more than 5 redirects");

      const renamed = await hostileServer((incoming, response) => {
        if (incoming.url?.startsWith("/repos/"))
          response.writeHead(301, { location: "/repositories/1" }).end();
        else response.writeHead(200, { "content-type": "application/json" }).end("[]");
      });
      expect(await releasesOf(renamed)).toEqual([]);
      expect(loginsSeen(renamed)).toEqual(["token ghs_marked", "token ghs_marked"]);
    });
  });
});

describe("case 22: a list of tags to prune that names what must not be touched", () => {
  const hostileNames = [
    "../v1.0.0",
    "v1.0.0/../../../v2/other/manifests/v1.0.0",
    "..%2fv1.0.0",
    "v1.0.0?x=1",
    "v1.0.0#",
    `v1.0.0${"0".repeat(123)}`,
    "v1.0.0\r\nx: y",
    `sha256:${"0".repeat(64)}`,
    "__proto__",
    "",
    null,
    "v9.9.9",
    "v1.0.0-rc1",
    "v1.0.0-amd64",
    "dev",
    "latest",
    "sha256-0123.sig",
  ];
  const release = versions.map((tag) => [tag, buildImage({ seed: tag })] as const);

  /** Mirrors the newest version to a destination that holds the older two and keeps one. */
  async function pruneThrough(
    tamperDestination: Tamper,
    destination: RegistryOptions = {},
    seed: (mirror: Awaited<ReturnType<typeof startMirror>>) => void = () => undefined,
  ) {
    const mirror = await startMirror({ tamperDestination, destination });
    for (const [tag, image] of release) {
      pushTo(mirror.source, "goharbor/app", image, tag);
      if (tag !== versions[0]) pushTo(mirror.destination, "mirror/app", image, tag);
    }
    seed(mirror);
    const result = await mirror.run({ keep: "1" });
    const deleted = mirror.destinationFront.requests
      .filter(({ method, path }) => method === "DELETE" && path.includes("/manifests/"))
      .map(({ path }) => path.split("/manifests/")[1] ?? "")
      // Whether deletion is offered is asked with a digest that nobody has.
      .filter((reference) => !reference.startsWith("sha256:"));
    return { mirror, result, deleted };
  }

  const withHostileNames: Tamper = ({ path }, { body, status }) => {
    if (!path.includes("/tags/list") || status !== 200) return undefined;
    const list = JSON.parse(body.toString()) as { tags: unknown[] };
    return { body: Buffer.from(JSON.stringify({ ...list, tags: [...hostileNames, ...list.tags] })) };
  };

  test("only the tags of old releases are deleted, each by its own name", async () => {
    const { mirror, result, deleted } = await pruneThrough(withHostileNames);
    await using _closed = mirror;
    expect(result.done).toBe(true);
    expect([...deleted].sort()).toEqual(["v1.0.0", "v1.1.0"]);
    expect(Object.keys(mirror.destination.state()["mirror/app"] ?? {})).toEqual([versions[0]]);
  });

  test.each(["[7]", '"v1.0.0"', '{"0":"v1.0.0"}', "[[]]"])(
    "a list that is none, %s: nothing is deleted or copied there",
    async (tags) => {
      const { mirror, result, deleted } = await pruneThrough(({ path }) =>
        path.includes("/tags/list") ? { body: Buffer.from(`{"name":"x","tags":${tags}}`) } : undefined,
      );
      await using _closed = mirror;
      expect([result.done, deleted]).toEqual([false, []]);
      expect(Object.keys(mirror.destination.state()["mirror/app"] ?? {}).sort()).toEqual([
        "v1.0.0",
        "v1.1.0",
      ]);
    },
  );

  test("what is planned is what is deleted: nothing that comes up later", async () => {
    let lists = 0;
    const { mirror, deleted } = await pruneThrough((seen, answer) => {
      if (seen.path.includes("/tags/list")) lists += 1;
      return seen.method === "DELETE"
        ? { body: Buffer.from(JSON.stringify({ tags: ["v1.2.0"], errors: [] })) }
        : withHostileNames(seen, answer);
    });
    await using _closed = mirror;
    expect(deleted).not.toContain("v1.2.0");
    // One for the plan, and one for the look right before the deletion.
    expect(lists).toBe(2);
  });

  test.each(["by-digest", "harbor"] as const)(
    "two tags on one digest, deletion %s: the digest that a kept tag holds stays",
    async (deletion) => {
      const { mirror, result, deleted } = await pruneThrough(
        withHostileNames,
        { deletion },
        ({ destination }) => {
          const [, old] = release.at(-1) ?? [];
          if (old !== undefined) pushTo(destination, "mirror/app", old, "stable");
        },
      );
      await using _closed = mirror;
      const left = mirror.destination.state()["mirror/app"] ?? {};
      expect(Object.keys(left).sort()).toEqual(["stable", "v1.0.0", "v1.2.0"]);
      expect(deleted).not.toContain(left.stable);
      expect(result.lines.join("\n")).toMatch(/its digest is also that of app:stable, which stays/);
    },
  );

  test("a tag that says another digest than the one it holds: its digest is not deleted", async () => {
    const [, kept] = release[0] ?? [];
    const { mirror, deleted } = await pruneThrough(
      ({ method, path }, { headers }) =>
        method === "HEAD" && path.endsWith("/v1.0.0")
          ? { headers: { ...headers, "docker-content-digest": kept?.digest ?? "" } }
          : undefined,
      { deletion: "by-digest" },
    );
    await using _closed = mirror;
    expect(deleted).not.toContain(kept?.digest);
    expect(mirror.destination.completeness("mirror/app", versions[0])).toEqual([]);
  });
});
