/** Whole runs with charts: what gets to a registry, what goes, and what keeps a run from writing anything. */
import { afterEach, describe, expect, it } from "vitest";
import {
  buildArchive,
  buildChart,
  buildIndex,
  type Chart,
  type ChartServer,
  startChartRepository,
} from "../../sandbox/charts.ts";
import { startWorld, type World } from "../ecosystem/world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function start(charts: readonly Chart[]) {
  const [world, server] = await Promise.all([startWorld("distribution"), startChartRepository(charts)]);
  open.push(world, server);
  const { registry } = world.vendor;
  const mirror = (inputs: Readonly<Record<string, string>> = {}, keep = "") =>
    world.mirror(server.origin, `${registry.host}/mirror${keep}`, {
      repository: "",
      images: "shop",
      version: "newest:2",
      keep: "3",
      ...inputs,
    });
  return { world, server, registry, mirror };
}

const versions = (name: string, ...list: readonly string[]) =>
  list.map((version) => buildChart(name, version));
const tagsAt = ({ vendor }: World, repository: string) => [...vendor.registry.tags(repository).keys()].sort();
const archivesRead = ({ requests }: ChartServer) =>
  requests.map(({ path }) => path).filter((path) => path.endsWith(".tgz"));

describe("charts of a repository", () => {
  it("are mirrored by version, and read only where they are wanted", async () => {
    const { world, server, registry, mirror } = await start([
      ...versions("shop", "1.0.0", "1.1.0", "1.2.0", "1.3.0-rc.1"),
      ...versions("other", "9.0.0"),
    ]);
    const { done, outputs } = await mirror();
    expect(done).toBe(true);
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.1.0", "1.2.0"]);
    expect(registry.completeness("mirror/shop", "1.2.0")).toEqual([]);
    expect(archivesRead(server).sort()).toEqual(["/shop-1.1.0.tgz", "/shop-1.2.0.tgz"]);
    expect(world.github.requests).toEqual([]);
    expect(JSON.parse(outputs.images ?? "")[0]).toMatchObject({
      image: "shop",
      tag: "1.2.0",
      reference: `${registry.host}/mirror/shop:1.2.0`,
      artifactType: "application/vnd.cncf.helm.config.v1+json",
    });
    const again = await mirror();
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "2", failed: "0" });
    expect(JSON.parse(again.outputs.images ?? "")).toEqual(JSON.parse(outputs.images ?? ""));
  });

  it("have versions with a +, which is _ in the tag: by number, by range and by name", async () => {
    const { world, mirror } = await start(versions("shop", "100.0.0+up1.0.0", "103.1.0+up45.1", "9.0.0+up9"));
    expect((await mirror()).outputs.versions).toBe('["103.1.0_up45.1","100.0.0_up1.0.0"]');
    expect((await mirror({ version: "9.0.0+up9" })).done).toBe(true);
    expect(tagsAt(world, "mirror/shop")).toEqual(["100.0.0_up1.0.0", "103.1.0_up45.1", "9.0.0_up9"]);
    expect((await mirror({ version: ">=100 <103" })).outputs.versions).toBe('["100.0.0_up1.0.0"]');
  });

  it("come all by a pattern, each with its own versions", async () => {
    const { world, mirror } = await start([
      ...versions("shop", "1.0.0"),
      ...versions("agent", "0.1.0", "0.2.0"),
    ]);
    expect((await mirror({ images: "*", version: "newest:1" })).done).toBe(true);
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.0.0"]);
    expect(tagsAt(world, "mirror/agent")).toEqual(["0.2.0"]);
  });

  it("are pruned where the line says so, and not the last copy of one", async () => {
    const all = versions("shop", "1.0.0", "1.1.0", "1.2.0", "1.3.0");
    const { world, server, mirror } = await start(all);
    await mirror({ version: "glob:*" });
    expect((await mirror({}, ",keep=3")).outputs).toMatchObject({ pruned: "1" });
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.1.0", "1.2.0", "1.3.0"]);
    server.files.set("/index.yaml", buildIndex(all.slice(2)));
    expect((await mirror({}, ",keep=1")).outputs).toMatchObject({ pruned: "1" });
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.1.0", "1.3.0"]);
  });

  it("go through a run of several jobs with one digest", async () => {
    const { world, mirror } = await start(versions("shop", "1.0.0+b.1", "1.1.0"));
    const { plan = "", matrix = "" } = (await mirror({ mode: "plan" })).outputs;
    expect(JSON.parse(matrix).include).toHaveLength(1);
    expect((await mirror({ mode: "copy", plan, share: "1" })).done).toBe(true);
    expect(tagsAt(world, "mirror/shop")).toEqual([]);
    const { done, outputs } = await mirror({ mode: "publish", plan });
    expect(done).toBe(true);
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.0.0_b.1", "1.1.0"]);
    expect(JSON.parse(outputs.images ?? "")).toHaveLength(2);
  });

  it("in a registry go as they are, and are told for what they are", async () => {
    const { world, server, registry, mirror } = await start(versions("shop", "1.0.0+b.1", "1.1.0"));
    server.files.set("/shop-1.1.0.tgz.prov", "-----BEGIN PGP SIGNED MESSAGE-----\n");
    await mirror();
    const inputs = { repository: "", "versions-from": "tags", images: "shop", version: "glob:*" };
    const onward = () => world.mirror(`oci://${registry.host}/mirror`, `${world.plain.host}/onward`, inputs);
    const { outputs } = await onward();
    expect(world.plain.tags("onward/shop")).toEqual(registry.tags("mirror/shop"));
    expect(JSON.parse(outputs.images ?? "")[0].artifactType).toBe("application/vnd.cncf.helm.config.v1+json");
    const again = await onward();
    expect(JSON.parse(again.outputs.images ?? "")).toEqual(JSON.parse(outputs.images ?? ""));
  });

  it("are checked, and estimated by a dry run, without a byte written", async () => {
    const { registry, mirror } = await start(versions("shop", "1.0.0", "1.1.0"));
    expect((await mirror({ "dry-run": "true" })).done).toBe(true);
    const check = await mirror({ check: "true" });
    expect(check.rows("read")).toEqual([expect.objectContaining({ outcome: "ok" })]);
    expect(check.done).toBe(true);
    expect(registry.state()).toEqual({});
  });
});

const shop = buildChart("shop", "1.0.0");
const chartYaml = ["shop/Chart.yaml", "name: shop\nversion: 1.0.0\n"] as const;
const large = Buffer.alloc(4_900_000);

/** An archive in the place of the right one, with its digest in the index. */
const archive = (bytes: Buffer) => (server: ChartServer) => {
  server.files.set("/index.yaml", buildIndex([{ ...shop, archive: bytes }]));
  server.files.set("/shop-1.0.0.tgz", bytes);
};

describe("nothing is written", () => {
  it.each<[what: string, spoil: (server: ChartServer) => void, problem: RegExp]>([
    [
      "of an index of 100 MB",
      (server) => server.files.set("/index.yaml", Buffer.alloc(100_000_000, "#")),
      /reading index\.yaml failed: .*larger than 67108864 bytes/,
    ],
    [
      "of an index with a hostile name",
      (server) => server.files.set("/index.yaml", buildIndex([{ ...shop, name: "../../shop" }])),
      /There is no tag at all of shop/,
    ],
    [
      "of an index with a hostile address",
      (server) =>
        server.files.set(
          "/index.yaml",
          buildIndex([shop]).replace("- shop-1.0.0.tgz", "- file:///etc/passwd"),
        ),
      /index\.yaml says that its archive is at file:\/\/\/etc\/passwd, which is not read/,
    ],
    [
      "of an archive that is not the index's",
      (server) => server.files.set("/shop-1.0.0.tgz", buildChart("shop", "1.0.1").archive),
      /its archive has the digest sha256:.*, and not sha256:/,
    ],
    [
      "of two charts of one version",
      (server) =>
        server.files.set(
          "/index.yaml",
          buildIndex([shop, { ...shop, archive: buildChart("shop", "2.0.0").archive }]),
        ),
      /index\.yaml lists several charts of this version/,
    ],
    [
      "of an archive that unpacks without end",
      archive(
        buildArchive([
          chartYaml,
          ...Array.from({ length: 22 }, (_, index) => [`shop/${index}`, large] as const),
        ]),
      ),
      /the archive unpacks to more than 104857600 bytes/,
    ],
    [
      "of an archive that climbs out",
      archive(buildArchive([chartYaml, ["shop/../../evil", "x"]])),
      /a file outside the chart's folder, shop\/\.\.\/\.\.\/evil/,
    ],
    [
      "of an archive without Chart.yaml",
      archive(buildArchive([["shop/values.yaml", ""]])),
      /has no Chart\.yaml/,
    ],
  ])("%s", async (_what, spoil, problem) => {
    const { server, registry, mirror } = await start([shop]);
    spoil(server);
    const { done, lines, warnings, outputs } = await mirror({ version: "glob:*", wait: "0" });
    expect(done).toBe(false);
    expect([...lines, ...warnings].join("\n")).toMatch(problem);
    expect(registry.state()).toEqual({});
    expect(registry.requests.filter(({ method }) => !["GET", "HEAD"].includes(method))).toEqual([]);
    expect(outputs.images ?? "[]").toBe("[]");
  });

  it("of one version beside another that is right, the right one is", async () => {
    const { world, server, mirror } = await start([shop, buildChart("shop", "1.1.0")]);
    server.files.set("/shop-1.0.0.tgz", "broken");
    const { done } = await mirror();
    expect(done).toBe(false);
    expect(tagsAt(world, "mirror/shop")).toEqual(["1.1.0"]);
  });
});
