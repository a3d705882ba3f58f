import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { buildArchive, buildChart, tarHeader } from "../../sandbox/charts.ts";
import { readArchive } from "../../src/charts/archive.ts";
import { digestOf } from "../../src/oci/digest.ts";

const chartYaml = "name: shop\nversion: 1.0.0\napiVersion: v2\n";
const chartFile = ["shop/Chart.yaml", chartYaml] as const;
const end = Buffer.alloc(1024);

/** A record of pax: its length counts itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = rest.length + 2;
  return `${length + (String(length).length > 2 ? 1 : 0)}${rest}`;
}

function padded(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)]);
}

describe("an archive of a chart", () => {
  it("tells the chart, its digest, and when it was packed", async () => {
    const { archive } = buildChart("shop", "1.0.0");
    expect(await readArchive(archive)).toMatchObject({
      digest: digestOf(archive),
      size: archive.length,
      modified: new Date("2026-05-27T03:17:53Z"),
      metadata: { name: "shop", version: "1.0.0" },
    });
  });

  it("may have charts within, folders, and Chart.yaml at its end", async () => {
    const folder = tarHeader("shop/charts/", 0, new Date(0), "5");
    const inner = "name: inner\nversion: 9.9.9\n";
    const archive = gzipSync(
      Buffer.concat([
        folder,
        tarHeader("shop/charts/inner/Chart.yaml", inner.length),
        padded(inner),
        tarHeader("shop/big", 1024 * 1024),
        Buffer.alloc(1024 * 1024),
        tarHeader("shop/Chart.yaml", chartYaml.length),
        padded(chartYaml),
        end,
      ]),
    );
    expect((await readArchive(archive)).metadata).toMatchObject({ name: "shop", version: "1.0.0" });
  });

  it("may name files by headers of their own, as tars of GNU and pax do", async () => {
    const pax = record("path", "shop/Chart.yaml") + record("mtime", "1700000000.75");
    const long = `shop/templates/${"x".repeat(200)}.yaml\0`;
    const archive = gzipSync(
      Buffer.concat([
        tarHeader("pax_global_header", record("comment", "a").length, new Date(0), "g"),
        padded(record("comment", "a")),
        tarHeader("././@LongLink", long.length, new Date(0), "L"),
        padded(long),
        tarHeader("cut", 0),
        tarHeader("PaxHeaders/x", pax.length, new Date(0), "x"),
        padded(pax),
        tarHeader("other", chartYaml.length),
        padded(chartYaml),
        end,
      ]),
    );
    expect(await readArchive(archive)).toMatchObject({ modified: new Date(1_700_000_000_750) });
  });

  const bomb = Buffer.concat([
    tarHeader("shop/Chart.yaml", chartYaml.length),
    padded(chartYaml),
    ...Array.from({ length: 26 }, (_, index) => [
      tarHeader(`shop/${index}`, 4 * 1024 * 1024),
      Buffer.alloc(4 * 1024 * 1024),
    ]).flat(),
    end,
  ]);
  const broken = tarHeader("shop/Chart.yaml", chartYaml.length);
  broken[0] = 0x41;

  it.each([
    ["that is a web page", Buffer.from("<html></html>"), "the archive is not packed with gzip"],
    ["that is cut off", buildChart("shop", "1.0.0").archive.subarray(0, -20), "unexpected end of file"],
    ["of no tar", gzipSync("x".repeat(600)), "holds no tar, or a broken one"],
    ["with a broken head", gzipSync(Buffer.concat([broken, end])), "holds no tar, or a broken one"],
    [
      "whose last file is cut off",
      gzipSync(Buffer.concat([tarHeader("shop/other", 5000), Buffer.alloc(512)])),
      "ends in the middle of a file",
    ],
    ["without files", gzipSync(end), "the archive has no Chart.yaml"],
    ["without Chart.yaml", buildArchive([["shop/values.yaml", "{}"]]), "the archive has no Chart.yaml"],
    [
      "with Chart.yaml one folder too deep",
      buildArchive([["a/shop/Chart.yaml", chartYaml]]),
      "has no Chart.yaml",
    ],
    ["with Chart.yaml in no folder", buildArchive([["Chart.yaml", chartYaml]]), "outside the chart's folder"],
    [
      "with two of them",
      buildArchive([chartFile, ["other/Chart.yaml", chartYaml]]),
      "the archive has more than one Chart.yaml",
    ],
    ["that climbs out", buildArchive([chartFile, ["shop/../../etc/passwd", "x"]]), "shop/../../etc/passwd"],
    ["with an absolute path", buildArchive([chartFile, ["/etc/passwd", "x"]]), undefined],
    ["with an absolute path below", buildArchive([chartFile, ["shop//etc/passwd", "x"]]), "shop//etc/passwd"],
    ["with a path of Windows", buildArchive([chartFile, ["shop\\..\\x", "x"]]), "outside the chart's folder"],
    ["with a drive", buildArchive([chartFile, ["shop/c:/x", "x"]]), "outside the chart's folder"],
    ["that unpacks without end", gzipSync(bomb), "unpacks to more than 104857600 bytes"],
    [
      "with a file that is too large",
      gzipSync(Buffer.concat([tarHeader("shop/big", 6_000_000), Buffer.alloc(6_000_128), end])),
      "a file of 6000000 bytes",
    ],
    [
      "with an endless header",
      gzipSync(Buffer.concat([tarHeader("x", 2 * 1024 * 1024, new Date(0), "x"), end])),
      "a header of 2097152 bytes",
    ],
    [
      "of which Chart.yaml is no YAML",
      buildArchive([["shop/Chart.yaml", "a: [b"]]),
      "Chart.yaml is not YAML",
    ],
    [
      "of which Chart.yaml is a list",
      buildArchive([["shop/Chart.yaml", "- a"]]),
      "Chart.yaml is not of Helm's form",
    ],
    [
      "with a name that is a list",
      buildArchive([["shop/Chart.yaml", "name: [a]\nversion: 1.0.0"]]),
      "Chart.yaml is not of Helm's form (name",
    ],
  ])("%s is refused in a sentence", async (_what, archive, problem) => {
    const reading = readArchive(archive);
    if (problem === undefined) expect((await reading).metadata.name).toBe("shop");
    else await expect(reading).rejects.toThrow(problem);
  });
});
