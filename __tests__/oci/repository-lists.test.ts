import { describe, expect, test } from "vitest";
import { buildImage, mediaTypes, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import {
  type Answer,
  json,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "../../sandbox/server.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { Repository } from "../../src/oci/repository.ts";
import { clientOf, repositoryAt, repositoryName } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

/** A registry whose tag list is a function of the page's number, from 1. */
function listing(page: (count: number, request: SandboxRequest) => Answer): Promise<SandboxServer> {
  let count = 0;
  return startServer((request) => {
    if (request.path === "/v2/") return json(200, {});
    count += 1;
    return page(count, request);
  });
}

function next(target: string): { link: string } {
  return { link: `<${target}>; rel="next"` };
}

/** Requests but the first, which asks for the way to log in. */
function pages(server: SandboxServer): readonly string[] {
  return server.requests.slice(1).map(({ path }) => path);
}

describe("tags", () => {
  async function withTags(tags: readonly string[], pageSize = 2): Promise<RegistryServer> {
    const server = await startRegistry({ pageSize });
    for (const tag of tags) server.putManifest(repositoryName, Buffer.from(tag), mediaTypes.ociManifest, tag);
    return server;
  }

  test("of all pages, in the registry's order", async () => {
    await using server = await withTags(["v1", "v2", "v3", "v4", "v5"]);
    expect(await repositoryAt(server).tags()).toEqual(["v1", "v2", "v3", "v4", "v5"]);
    expect(pages(server)).toEqual([
      `/v2/${repositoryName}/tags/list?n=1000`,
      `/v2/${repositoryName}/tags/list?n=2&last=v2`,
      `/v2/${repositoryName}/tags/list?n=2&last=v4`,
    ]);
  });

  test("of a repository that does not exist are none", async () => {
    await using server = await startRegistry();
    expect(await repositoryAt(server).tags()).toEqual([]);
  });

  test.each([
    ["null", { name: "x", tags: null }, []],
    ["absent", { name: "x" }, []],
    ["mixed with null", { tags: ["v1", null, "v2", "v1"] }, ["v1", "v2"]],
    [
      "mixed with what is no tag",
      { tags: ["../x", "", "a".repeat(129), "v1", "a\n::error::b", `sha256:${"a".repeat(64)}`, "v2/x"] },
      ["v1"],
    ],
  ])("that are %s", async (_name, answer, expected) => {
    await using server = await listing(() => json(200, answer));
    expect(await repositoryAt(server).tags()).toEqual(expected);
  });

  test("are read from the second of several Link headers, too", async () => {
    await using server = await listing((count) =>
      count === 1
        ? {
            ...json(200, { tags: ["v1"] }),
            headers: { link: ['</v2/x>; rel="first"', '</v2/y>; rel="next"'] },
          }
        : json(200, { tags: ["v2"] }),
    );
    expect(await repositoryAt(server).tags()).toEqual(["v1", "v2"]);
    expect(pages(server).at(-1)).toBe("/v2/y");
  });

  test("go on behind an empty page", async () => {
    const answers = [
      json(200, { tags: ["v1"] }, next("/v2/a")),
      json(200, { tags: null }, next("/v2/b")),
      json(200, { tags: ["v2"] }),
    ];
    await using server = await listing((count) => answers[count - 1] ?? json(500, {}));
    expect(await repositoryAt(server).tags()).toEqual(["v1", "v2"]);
  });

  test("end where a page leads to itself", async () => {
    await using server = await listing((_count, { path }) => json(200, { tags: ["v1"] }, next(path)));
    expect(await repositoryAt(server).tags()).toEqual(["v1"]);
    expect(pages(server)).toHaveLength(1);
  });

  test("end where the same tags come again under another address", async () => {
    await using server = await listing((count) => json(200, { tags: ["v1"] }, next(`/v2/${count}`)));
    expect(await repositoryAt(server).tags()).toEqual(["v1"]);
    expect(pages(server)).toHaveLength(2);
  });

  test.each([
    ["new tags", (count: number) => [`v${count}`]],
    ["empty pages", () => []],
  ])("without end (%s) are a failure, never a part taken for the whole", async (_name, tags) => {
    await using server = await listing((count) => json(200, { tags: tags(count) }, next(`/v2/${count}`)));
    const error = await failureOf(repositoryAt(server).tags());
    expect(error.message).toContain("the list goes on after 100 pages");
    expect(pages(server)).toHaveLength(100);
  });

  test("go on at this registry, where it names the host that it has behind a proxy", async () => {
    await using inner = await startServer(() => json(200, { tags: ["evil"] }));
    await using server = await listing((count) =>
      count === 1
        ? json(200, { tags: ["v1"] }, next(`${inner.origin}/repository/docker/tags/list?n=1000&last=v1`))
        : json(200, { tags: ["v2"] }),
    );
    expect(await repositoryAt(server).tags()).toEqual(["v1", "v2"]);
    expect(pages(server).at(-1)).toBe(`/v2/${repositoryName}/tags/list?n=1000&last=v1`);
    expect(inner.requests).toEqual([]);
  });

  test("are asked for without a size of page where that is refused, once for the registry", async () => {
    await using server = await listing((_count, { path }) =>
      path.includes("n=")
        ? json(400, { errors: [{ code: "PAGINATION_NUMBER_INVALID" }] })
        : json(200, { tags: ["v1"] }),
    );
    const registry = clientOf(server);
    for (const name of [repositoryName, "goharbor/other"])
      expect(await new Repository(registry, name).tags()).toEqual(["v1"]);
    expect(pages(server)).toEqual([
      `/v2/${repositoryName}/tags/list?n=1000`,
      `/v2/${repositoryName}/tags/list`,
      "/v2/goharbor/other/tags/list",
    ]);
  });

  test("fail by status 400, whatever size of page", async () => {
    await using server = await listing(() => json(400, {}));
    expect((await failureOf(repositoryAt(server).tags())).status).toBe(400);
    expect(pages(server)).toHaveLength(2);
  });

  test("are not asked for on another host", async () => {
    await using thief = await startServer(() => json(200, { tags: ["evil"] }));
    await using server = await listing(() => json(200, { tags: ["v1"] }, next(`${thief.origin}/v2/x`)));
    const error = await failureOf(repositoryAt(server).tags());
    expect(error.message).toContain(
      `${repositoryName}: listing the tags failed: the next page is on another host`,
    );
    expect(thief.requests).toEqual([]);
  });

  test.each([
    ["a page that is missing", json(404, {}), "status 404"],
    ["a web page", { status: 200, body: "<html>" }, "not JSON"],
    ["a list of another form", json(200, { tags: "x\n::error::y" }), "not of the expected form"],
    ["a page without end", json(200, { tags: ["a".repeat(9_000_000)] }), "larger than 8388608 bytes"],
  ])("fail as a whole by %s", async (_name, answer, problem) => {
    await using server = await listing((count) =>
      count === 1 ? json(200, { tags: ["v1"] }, next("/v2/second")) : answer,
    );
    const error = await failureOf(repositoryAt(server).tags());
    expect(error.message).toContain(problem);
    expect(error.message).not.toMatch(/\n|::/);
  });
});

describe("referrers", () => {
  const image = buildImage({ seed: "core", format: "oci" });
  const digest = parseDigest(image.digest) as Digest;
  const signatures = ["a", "b", "c"].map((seed) =>
    buildImage({ seed, format: "oci", subject: image, artifactType: `application/vnd.test.${seed}` }),
  );

  async function signed(options?: Parameters<typeof startRegistry>[0]): Promise<RegistryServer> {
    const server = await startRegistry(options);
    for (const artifact of [image, ...signatures]) pushTo(server, repositoryName, artifact);
    return server;
  }

  test.each([1, 2, 1000])("of all pages (of %i)", async (pageSize) => {
    await using server = await signed({ pageSize });
    const referrers = await repositoryAt(server).referrers(digest);
    expect(new Map(referrers?.map((one) => [one.digest, one.artifactType]))).toEqual(
      new Map(signatures.map((one, index) => [one.digest, `application/vnd.test.${"abc"[index]}`])),
    );
  });

  test("are none, where the registry has the API but nothing to tell", async () => {
    await using server = await startRegistry();
    expect(await repositoryAt(server).referrers(digest)).toEqual([]);
  });

  test.each([
    ["404", { status: 404, body: "404 page not found" }],
    ["400", { status: 400 }],
    ["405", { status: 405 }],
    ["501", { status: 501 }],
    [
      "JSON that is no index",
      { status: 200, headers: { "content-type": "application/json" }, body: '{"errors":[]}' },
    ],
    ["a web page with status 200", { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }],
  ])("are not supported by a registry that answers %s", async (_name, effect) => {
    await using server = await signed();
    server.fault({ when: { path: /referrers/ }, effect });
    expect(await repositoryAt(server).referrers(digest)).toBeUndefined();
  });

  test.each([429, 500, 503])("are a failure, not absent, by status %i", async (status) => {
    await using server = await signed();
    server.fault({ when: { path: /referrers/ }, times: Number.POSITIVE_INFINITY, effect: { status } });
    expect((await failureOf(repositoryAt(server).referrers(digest))).status).toBe(status);
  });

  test("are a failure when a later page is missing", async () => {
    await using server = await signed({ pageSize: 1 });
    server.fault({ when: { path: /referrers/ }, skip: 1, effect: { status: 404 } });
    expect((await failureOf(repositoryAt(server).referrers(digest))).status).toBe(404);
  });

  test("are a failure when the index is none", async () => {
    await using server = await signed();
    const headers = { "content-type": mediaTypes.ociIndex };
    server.fault({ when: { path: /referrers/ }, effect: { status: 200, headers, body: image.bytes } });
    expect((await failureOf(repositoryAt(server).referrers(digest))).message).toContain(
      "its Content-Type says",
    );
  });
});
