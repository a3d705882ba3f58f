import { afterEach, beforeEach, expect, test } from "vitest";
import { blobsOf, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { readSizes } from "../../src/copy/sizes.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { repositoryOf } from "../../src/oci/reference.ts";
import type { CopyStep } from "../../src/plan/plan.ts";
import type { SourceImage } from "../../src/plan/snapshot.ts";
import { never, openWorld, type World } from "../inventory/harness.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const index = buildIndex(["a", "b"].map((seed) => buildImage({ seed, format: "oci" })));
const bytes = index.children.flatMap(blobsOf).reduce((sum, { size }) => sum + size, 0);

/** The steps that bring the index, found at this registry, to two destinations. */
function steps(found: RegistryServer): readonly CopyStep[] {
  const source: SourceImage = {
    source: { registry: found.host, path: "goharbor" },
    repository: "goharbor/app",
    tag: "v1.0.0",
    digest: digestOf(index.bytes),
    mediaType: index.mediaType,
    rewritten: undefined,
    attachments: [],
  };
  const of = { version: "v1.0.0", image: "app", tag: "v1.0.0", reason: "", replaces: undefined };
  return ["a.example/x", "b.example/x"].map((destination) => ({ kind: "copy", destination, source, ...of }));
}

async function sizesAt(servers: readonly RegistryServer[], spared: readonly RegistryServer[]) {
  const [found] = servers;
  if (found === undefined) throw new Error("a source is needed");
  const [first, ...others] = servers.map((server) => {
    const source = world.source(server);
    return source.repository(repositoryOf(source, "app"));
  });
  if (first === undefined) throw new Error("a source is needed");
  const context = {
    sourceRepositories: () => [first, ...others] as const,
    attachments: undefined,
    log: silentLog,
    signal: never,
  };
  const sizes = await readSizes(steps(found), context, (registry) =>
    spared.some(({ host }) => host === registry),
  );
  return [...sizes.values()].map(({ blobs, manifests }) => ({
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    manifests,
  }));
}

const got = (server: RegistryServer): readonly string[] =>
  server.requests.filter(({ method, path }) => method === "GET" && path !== "/v2/").map(({ path }) => path);

test("reads every manifest once for all destinations, and no blob", async () => {
  const server = await world.start();
  pushTo(server, "goharbor/app", index, "v1.0.0");
  expect(await sizesAt([server], [])).toEqual([{ bytes, manifests: 3 }]);
  expect(got(server)).toHaveLength(3);
  expect(got(server).filter((path) => !path.includes("/manifests/"))).toEqual([]);
});

test("asks a registry that is to be spared for nothing, and another one in its place", async () => {
  const [counting, free] = [await world.start(), await world.start()];
  for (const server of [counting, free]) pushTo(server, "goharbor/app", index, "v1.0.0");
  expect(await sizesAt([counting, free], [counting])).toEqual([{ bytes, manifests: 3 }]);
  expect(await sizesAt([counting], [counting])).toEqual([]);
  expect(counting.requests).toEqual([]);
});

test("an image that cannot be read has no size", async () => {
  const empty = await world.start();
  expect(await sizesAt([empty], [])).toEqual([]);
});
