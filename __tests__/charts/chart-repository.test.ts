/** What is asked of a chart repository, who gets its login, and what of it is refused. */
import { afterEach, describe, expect, it } from "vitest";
import {
  buildArchive,
  buildChart,
  buildIndex,
  type Chart,
  type ChartServer,
  startChartRepository,
} from "../../sandbox/charts.ts";
import { openChartRegistry } from "../../src/charts/chart-registry.ts";
import type { TransportOptions } from "../../src/http/transport.ts";
import { anonymous, type Credentials } from "../../src/oci/credentials.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { Repository } from "../../src/oci/repository.ts";
import { login, loginForms, networkWithNames, openNetwork, withLogin } from "../hostile/clients.ts";
import { hostileServer } from "../hostile/servers.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";

const shop = buildChart("shop", "1.0.0");
const next = buildChart("shop", "1.1.0");

const servers: ChartServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(charts: readonly Chart[], needs?: typeof login): Promise<ChartServer> {
  const server = await startChartRepository(charts, needs);
  servers.push(server);
  return server;
}

interface Options {
  readonly credentials?: Credentials;
  readonly network?: TransportOptions;
  readonly clock?: FakeClock;
}

function open(address: string, { credentials = anonymous, network = {}, clock = fakeClock() }: Options = {}) {
  const log = recordingLog();
  const registry = openChartRegistry({ address, credentials, transport: openNetwork(network), clock, log });
  return { repository: new Repository(registry, "shop"), log };
}

const pathsOf = ({ requests }: ChartServer) => requests.map(({ path }) => path);

/** An index that says one thing of a chart in another way. */
function indexWith(server: ChartServer, changed: (index: string) => string): void {
  server.files.set("/index.yaml", changed(buildIndex([shop])));
}

describe("a chart repository", () => {
  it("is read once: its index, and the archives that are wanted", async () => {
    const server = await serve([next, shop]);
    const { repository, log } = open(server.origin);
    expect(await repository.tags()).toEqual(["1.1.0", "1.0.0"]);
    const resolved = await repository.resolve("1.1.0");
    const manifest = await repository.manifest(resolved?.digest ?? "");
    expect(await repository.resolve("1.1.0")).toEqual(resolved);
    expect(await repository.resolve("2.0.0")).toBeUndefined();
    expect(await repository.referrers(manifest.digest)).toBeUndefined();
    const [config, content] = manifest.blobs;
    expect(content?.digest).toBe(digestOf(next.archive));
    for (const blob of manifest.blobs) {
      const { body } = await repository.readBlob(blob, { from: 0, to: blob.size });
      expect(digestOf(Buffer.concat(await body.toArray()))).toBe(blob.digest);
    }
    expect(config?.mediaType).toBe("application/vnd.cncf.helm.config.v1+json");
    expect(pathsOf(server)).toEqual(["/index.yaml", "/shop-1.1.0.tgz", "/shop-1.1.0.tgz.prov"]);
    expect(log.warnings).toEqual([]);
  });

  it("is looked at again after a minute, and its index is not sent again while it is the same", async () => {
    const server = await serve([shop]);
    indexWith(server, (index) => index.replace("  shop:", "  No:\n  shop:"));
    const clock = fakeClock();
    const { repository, log } = open(server.origin, { clock });
    expect(await repository.tags()).toEqual(["1.0.0"]);
    clock.advance(60_001);
    expect(await repository.tags()).toEqual(["1.0.0"]);
    expect(server.requests.map(({ status }) => status)).toEqual([200, 304]);
    server.files.set("/index.yaml", buildIndex([shop]).replace("  shop:", "  No:\n  shop: # again"));
    clock.advance(60_001);
    expect(await repository.tags()).toEqual(["1.0.0"]);
    expect(log.warnings).toHaveLength(1);
    server.files.set("/index.yaml", buildIndex([next, shop]));
    expect(await repository.tags()).toEqual(["1.0.0"]);
    clock.advance(60_001);
    expect(await repository.tags()).toEqual(["1.1.0", "1.0.0"]);
  });

  it("gives an archive again for which there was no room in memory", async () => {
    const server = await serve([shop]);
    const file = Buffer.alloc(5_000_000);
    const large = ["2.0.0", "2.0.1", "2.0.2"].map((version) => {
      const files = Array.from({ length: 5 }, (_, index) => [`shop/${index}`, file] as const);
      const chart = `name: shop\nversion: ${version}\n`;
      return {
        name: "shop",
        version,
        archive: buildArchive([["shop/Chart.yaml", chart], ...files], undefined, 0),
      };
    });
    server.files.set("/index.yaml", buildIndex([shop, ...large]));
    for (const { version, archive } of large) server.files.set(`/shop-${version}.tgz`, archive);
    const { repository } = open(server.origin);
    const manifest = await repository.manifest("1.0.0");
    for (const { version } of large) await repository.resolve(version);
    const blob = manifest.blobs[1];
    if (blob === undefined) throw new Error("the chart has no content");
    const { body } = await repository.readBlob(blob, { from: 0, to: blob.size });
    expect(digestOf(Buffer.concat(await body.toArray()))).toBe(digestOf(shop.archive));
    expect(pathsOf(server).filter((path) => path === "/shop-1.0.0.tgz")).toHaveLength(2);
  });

  it("has provenance beside the archive, and takes no web page for it", async () => {
    const server = await serve([shop, next]);
    server.files.set("/shop-1.0.0.tgz.prov", "-----BEGIN PGP SIGNED MESSAGE-----\n…");
    server.files.set("/shop-1.1.0.tgz.prov", "<html>Not found</html>");
    const { repository } = open(server.origin);
    expect((await repository.manifest("1.0.0")).blobs).toHaveLength(3);
    expect((await repository.manifest("1.1.0")).blobs).toHaveLength(2);
  });

  it("below a path, with archives elsewhere by their whole address", async () => {
    const server = await serve([]);
    const other = await serve([shop]);
    server.files.set(
      "/team/charts/index.yaml",
      buildIndex([shop]).replace("- shop-1.0.0.tgz", `- ${other.origin}/shop-1.0.0.tgz`),
    );
    const { repository } = open(`${server.origin}/team/charts`);
    expect(await repository.resolve("1.0.0")).toBeDefined();
    expect(pathsOf(server)).toEqual(["/team/charts/index.yaml"]);
  });

  it("gets its login, and no other host does", async () => {
    const server = await serve([shop, next], login);
    const other = await serve([next]);
    server.files.set(
      "/index.yaml",
      buildIndex([shop, next]).replace("- shop-1.1.0.tgz", `- ${other.origin}/shop-1.1.0.tgz`),
    );
    const { repository, log } = open(server.origin, { credentials: withLogin });
    expect(await repository.resolve("1.0.0")).toBeDefined();
    expect(await repository.resolve("1.1.0")).toBeDefined();
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(log.masked).toContain(loginForms[1]);
    const refused = open(server.origin).repository.tags();
    await expect(refused).rejects.toThrow(
      /reading index\.yaml failed with status 401: .*does not give it\. Give it the login of/,
    );
  });

  it("does not follow a redirect with its login, nor one into the network of the runner", async () => {
    const inside = await hostileServer((_request, response) => response.end("inside"), {
      address: "127.0.0.2",
    });
    const server = await serve([shop]);
    const redirecting = await hostileServer((request, response) => {
      if (request.url === "/index.yaml") response.end(buildIndex([shop]));
      else response.writeHead(302, { location: `${inside.origin}/latest/meta-data` }).end();
    });
    const network = networkWithNames();
    const { repository } = open(redirecting.origin, { credentials: withLogin, network });
    await expect(repository.resolve("1.0.0")).rejects.toThrow(/is not on the public internet/);
    indexWith(server, (index) => index.replace("- shop-1.0.0.tgz", `- ${inside.origin}/shop-1.0.0.tgz`));
    await expect(open(server.origin, { network }).repository.resolve("1.0.0")).rejects.toThrow(
      /is not on the public internet/,
    );
    expect(inside.connections()).toBe(0);
  });

  it.each([
    ["a file", "file:///etc/passwd", "is at file:///etc/passwd, which is not read"],
    [
      "plain HTTP",
      "http://charts.example.com/shop.tgz",
      "http://charts.example.com/shop.tgz, which is not read",
    ],
    ["a login", "https://me:secret@charts.example.com/shop.tgz", "which is not read: it has to be https://"],
    [
      "a registry",
      "oci://ghcr.io/team/shop:1.0.0",
      "is in a registry, oci://ghcr.io/team/shop:1.0.0. Set `source` to",
    ],
    ["no address", "https://", "which is not read"],
  ])("is refused an archive at %s", async (_what, url, problem) => {
    const server = await serve([shop]);
    indexWith(server, (index) => index.replace("- shop-1.0.0.tgz", `- "${url}"`));
    await expect(open(server.origin).repository.resolve("1.0.0")).rejects.toThrow(problem);
    expect(pathsOf(server)).toEqual(["/index.yaml"]);
  });

  it.each<[what: string, change: (server: ChartServer) => void, problem: RegExp]>([
    [
      "an archive that is not the index's",
      (server) => server.files.set("/shop-1.0.0.tgz", next.archive),
      /shop: reading the chart 1\.0\.0 failed: its archive has the digest sha256:[0-9a-f]{64}, and not sha256:[0-9a-f]{64}/,
    ],
    [
      "the archive of another version",
      (server) => {
        indexWith(server, (index) => index.replace("version: 1.0.0", "version: 1.0.1"));
      },
      /its archive is the chart shop 1\.0\.0\. Its owner has to mend index\.yaml/,
    ],
    [
      "two charts of one version",
      (server) => server.files.set("/index.yaml", buildIndex([shop, { ...next, version: "1.0.0" }])),
      /index\.yaml lists several charts of this version, with other digests/,
    ],
    [
      "no archive",
      (server) => server.files.delete("/shop-1.0.0.tgz"),
      /reading the chart 1\.0\.0 failed with status 404: 127\.0\.0\.1:[0-9]+ does not give it/,
    ],
    [
      "an archive that is too large",
      (server) => server.files.set("/shop-1.0.0.tgz", Buffer.alloc(33 * 1024 * 1024)),
      /the answer is larger than 33554432 bytes/,
    ],
    [
      "an index that is too large",
      (server) => server.files.set("/index.yaml", Buffer.alloc(100 * 1024 * 1024, "#")),
      /reading index\.yaml failed: .*the answer is larger than 67108864 bytes/,
    ],
    ["no index", (server) => server.files.delete("/index.yaml"), /status 404.*Check the address in `source`/],
    [
      "a web page for an index",
      (server) => server.files.set("/index.yaml", "<!doctype html>\n<html></html>"),
      /index\.yaml is not of the form that Helm writes/,
    ],
  ])("that has %s is told so in a sentence", async (_what, change, problem) => {
    const server = await serve([shop]);
    change(server);
    const { repository } = open(server.origin);
    const version = server.files.get("/index.yaml")?.toString().includes("1.0.1") ? "1.0.1" : "1.0.0";
    await expect(repository.resolve(version)).rejects.toThrow(problem);
  });

  it("that has no address of an archive is told so", async () => {
    const server = await serve([shop]);
    indexWith(server, (index) => index.replace("    urls:\n    - shop-1.0.0.tgz\n", ""));
    await expect(open(server.origin).repository.resolve("1.0.0")).rejects.toThrow(
      "index.yaml names no address of its archive",
    );
  });

  it("of which an old index tells no digest is taken by its archive alone", async () => {
    const server = await serve([shop]);
    indexWith(server, (index) => index.replace(/ {4}digest: .*\n/, ""));
    const manifest = await open(server.origin).repository.manifest("1.0.0");
    expect(manifest.blobs[1]?.digest).toBe(digestOf(shop.archive));
  });

  it("that lists one chart twice has it once", async () => {
    const server = await serve([shop, shop]);
    expect(await open(server.origin).repository.resolve("1.0.0")).toBeDefined();
  });

  it("is asked again where a connection breaks or the server is busy", async () => {
    const server = await serve([shop]);
    server.fault({ when: { path: /index\.yaml$/ }, times: 1, effect: { reset: true } });
    server.fault({ when: { path: /\.tgz$/ }, times: 1, effect: { status: 503 } });
    expect(await open(server.origin).repository.resolve("1.0.0")).toBeDefined();
  });
});
