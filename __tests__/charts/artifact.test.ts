/** The bytes that Helm makes of charts: `__tests__/ecosystem/helm.test.ts` has Helm itself make them. */
import { describe, expect, it } from "vitest";
import { buildChart } from "../../sandbox/charts.ts";
import { readArchive } from "../../src/charts/archive.ts";
import { makeArtifact } from "../../src/charts/artifact.ts";
import { oddFields } from "./odd-fields.ts";

const provenance = Buffer.from("-----BEGIN PGP SIGNED MESSAGE-----\n");

async function artifactOf(
  fields: string,
  options: { readonly prov?: boolean; readonly files?: Record<string, string> } = {},
) {
  const { archive } = buildChart("odd", "0.0.1", { fields, files: options.files ?? {} });
  const { manifest, blobs } = makeArtifact(await readArchive(archive), options.prov ? provenance : undefined);
  const [config = Buffer.alloc(0)] = blobs.values();
  return {
    manifest: Buffer.from(manifest.bytes).toString("utf8"),
    config: Buffer.from(config).toString("utf8"),
    read: manifest,
  };
}

describe("a chart as Helm pushes it", () => {
  it("has its metadata for a config", async () => {
    expect((await artifactOf(oddFields)).config).toMatchInlineSnapshot(
      `"{"name":"odd","sources":["https://example.com/a?b=1\\u0026c=\\u003cd\\u003e","https://example.com/second"],"version":"0.0.1","description":"Two lines,  a tab, \\u003cb\\u003e\\u0026amp;\\u003c/b\\u003e, \\"quotes\\", \\\\ and 中文 – ünïcode 🙂 . ","keywords":["1.5","31","8","1000","1.2345675e+06","12345678901234567890","1e-05","1000","true","false","2026-05-27","~x","1.0"],"maintainers":[{"name":"Somebody"},{"name":"Somebody","email":"a@example.com","url":"https://example.com"},{"email":"only@example.com"}],"icon":"https://example.com/a?b=1\\u0026c=\\u003cd\\u003e","apiVersion":"v1","appVersion":"1.1","deprecated":true,"annotations":{"10":"ten","9":"nine","A":"true","a":"1","b":"\\u003c\\u0026\\u003e\\u2028","org.opencontainers.image.source":"https://example.com/of-the-annotations","org.opencontainers.image.title":"another","org.opencontainers.image.version":"9.9.9"},"kubeVersion":"\\u003e=1.20.0-0","dependencies":[{"name":"inner","version":"1.x.x","repository":"","tags":["one"],"enabled":true,"import-values":["data",{"child":"a.b","parent":2}]},{"name":"other","repository":"","alias":"another"}],"type":"library"}"`,
    );
  });

  it("has what the metadata says for annotations", async () => {
    expect((await artifactOf(oddFields)).manifest).toMatchInlineSnapshot(
      `"{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:e6681f42f796baee9659a49acc77881861e19b3a4f74890a10bdfda6d10a11da","size":1119},"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"sha256:740959df8d6bb2bdd56e1267da4e246d82b6820216c7e519df72db89046ddabf","size":685}],"annotations":{"10":"ten","9":"nine","A":"true","a":"1","b":"\\u003c\\u0026\\u003e\\u2028","org.opencontainers.image.authors":"Somebody, Somebody (a@example.com),  (only@example.com)","org.opencontainers.image.created":"2026-05-27T03:17:53Z","org.opencontainers.image.description":"Two lines,  a tab, \\u003cb\\u003e\\u0026amp;\\u003c/b\\u003e, \\"quotes\\", \\\\ and 中文 – ünïcode 🙂 . ","org.opencontainers.image.source":"https://example.com/of-the-annotations","org.opencontainers.image.title":"odd","org.opencontainers.image.version":"0.0.1"}}"`,
    );
  });

  it("has its layers in the order of their digests", async () => {
    const { read } = await artifactOf("apiVersion: v2\n", { prov: true });
    const [, ...layers] = read.blobs;
    expect(layers.map(({ digest }) => digest)).toEqual(layers.map(({ digest }) => digest).toSorted());
    expect(layers.map(({ mediaType }) => mediaType).toSorted()).toEqual([
      "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
      "application/vnd.cncf.helm.chart.provenance.v1.prov",
    ]);
  });

  it("of Helm 2 has apiVersion v1, and its dependencies from requirements.yaml", async () => {
    const requirements = "dependencies:\n- name: a\n  version: 1.0.0\n";
    const { config } = await artifactOf("appVersion: 1.10\n", {
      files: { "requirements.yaml": requirements },
    });
    expect(config).toBe(
      '{"name":"odd","version":"0.0.1","apiVersion":"v1","appVersion":"1.1","dependencies":[{"name":"a","version":"1.0.0","repository":""}]}',
    );
  });
});
