/**
 * Charts, judged by Helm itself: what the Action makes of a chart repository is what `helm push` makes of the same archive, byte for
 * byte, and Helm takes it from there.
 */
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actionEnvironment, runAction } from "../../sandbox/action.ts";
import { buildChart, type ChartServer, startChartRepository } from "../../sandbox/charts.ts";
import { startGitHub } from "../../sandbox/github.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { readArchive } from "../../src/charts/archive.ts";
import { oddFields } from "../charts/odd-fields.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";

/** As in Harbor's chart. */
const harborFields = `apiVersion: v1
appVersion: 2.15.1
description: An open source trusted cloud native registry that stores, signs, and scans content
keywords:
- docker
- registry
- harbor
home: https://goharbor.io
icon: https://raw.githubusercontent.com/goharbor/website/main/static/img/logos/harbor-icon-color.png
sources:
- https://github.com/goharbor/harbor
- https://github.com/goharbor/harbor-helm
maintainers:
- name: Yan Wang
  email: yan-yw.wang@example.com
- name: Stone Zhang
  email: stone.zhang@example.com
`;

const requirements = `dependencies:
- name: inner
  version: 0.1.0
  repository: https://charts.example.com
  condition: inner.enabled
`;

const template =
  'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  image: "{{ .Values.image }}"\n';

interface Packed {
  readonly what: string;
  readonly name: string;
  readonly version: string;
  /** Makes the archive, and what belongs to it, in a folder. */
  readonly pack: (folder: string) => Promise<void>;
  readonly signed?: true;
  /** A library renders nothing. */
  readonly library?: true;
}

/** Lets Helm pack a chart. */
function packed(name: string, version: string, fields: string, files: Readonly<Record<string, string>> = {}) {
  return async (folder: string, ...options: readonly string[]): Promise<void> => {
    const source = join(folder, "sources", name);
    const all = {
      "Chart.yaml": `name: ${name}\nversion: ${version}\n${fields}`,
      "templates/map.yaml": template,
      ...files,
    };
    for (const [path, content] of Object.entries({ "values.yaml": "image: shop:1\n", ...all })) {
      mkdirSync(join(source, path, ".."), { recursive: true });
      writeFileSync(join(source, path), content);
    }
    await helm(folder, "package", source, "--destination", join(folder, "charts"), ...options);
    rmSync(join(folder, "sources"), { recursive: true });
  };
}

/** Puts a chart that another program has packed. */
function asItIs(name: string, version: string, fields: string, files: Readonly<Record<string, string>> = {}) {
  return async (folder: string): Promise<void> => {
    const content = { "values.yaml": "image: shop:1\n", "templates/map.yaml": template, ...files };
    writeFileSync(
      join(folder, "charts", `${name}-${version}.tgz`),
      buildChart(name, version, { fields, files: content }).archive,
    );
  };
}

/** Helm writes the query of an upload anew. */
const forHelm = { exactQuery: false };

const inner = { "charts/inner/Chart.yaml": "apiVersion: v1\nname: inner\nversion: 0.1.0\n" };

const packages: readonly Packed[] = [
  {
    what: "with the fields of Harbor's",
    name: "harbor",
    version: "1.19.1",
    pack: packed("harbor", "1.19.1", harborFields),
  },
  {
    what: "of Helm 2, without apiVersion",
    name: "old",
    version: "1.2.2",
    pack: asItIs("old", "1.2.2", "appVersion: 1.9.2\nengine: gotpl\n"),
  },
  {
    what: "with requirements.yaml",
    name: "parent",
    version: "0.3.0",
    pack: packed("parent", "0.3.0", "apiVersion: v1\n", { ...inner, "requirements.yaml": requirements }),
  },
  {
    what: "with dependencies in both files",
    name: "both",
    version: "0.3.1",
    pack: asItIs(
      "both",
      "0.3.1",
      "apiVersion: v2\ndependencies:\n- name: inner\n  version: 0.1.0\n  repository: a\n  alias: renamed\n- name: gone\n",
      { ...inner, "requirements.yaml": requirements },
    ),
  },
  {
    what: "with a + in its version",
    name: "build",
    version: "1.2.3-rc.1+build.7",
    pack: packed("build", "1.2.3-rc.1+build.7", "apiVersion: v2\nappVersion: v1.2\n"),
  },
  {
    what: "with fields of all kinds",
    name: "odd",
    version: "0.0.1",
    pack: asItIs("odd", "0.0.1", oddFields),
    library: true,
  },
  {
    what: "that is signed",
    name: "signed",
    version: "2.0.0",
    pack: (folder) =>
      packed(
        "signed",
        "2.0.0",
        "apiVersion: v2\ndescription: signed\n",
      )(folder, ...["--sign", "--key", "tester", "--keyring", join(folder, "secret.gpg")]),
    signed: true,
  },
];

/** Runs a program with a home of its own. This process goes on: it is the registry. */
async function run(folder: string, program: string, words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, words, { env: environmentOf(folder) });
  return stdout;
}

function helm(folder: string, ...words: readonly string[]): Promise<string> {
  return run(folder, "helm", words);
}

function environmentOf(folder: string): NodeJS.ProcessEnv {
  const home = join(folder, "home");
  mkdirSync(join(home, "gnupg"), { recursive: true, mode: 0o700 });
  return { PATH: process.env.PATH, HOME: home, GNUPGHOME: join(home, "gnupg"), TZ: "UTC" };
}

/** A key that signs, without a password, in the form that Helm reads. */
async function makeKey(folder: string): Promise<void> {
  const gpg = (...words: readonly string[]) => run(folder, "gpg", ["--batch", ...words]);
  await gpg(
    "--passphrase",
    "",
    "--quick-generate-key",
    "tester <tester@example.com>",
    "rsa2048",
    "sign",
    "never",
  );
  await gpg("--output", join(folder, "secret.gpg"), "--export-secret-keys");
  await gpg("--output", join(folder, "public.gpg"), "--export");
  await run(folder, "gpgconf", ["--kill", "all"]);
}

if (!isInstalled("helm")) skipWithout("helm", "go install helm.sh/helm/v3/cmd/helm@v3.18.6");
else if (!isInstalled("gpg")) skipWithout("gpg", "apt-get install gnupg");
else describe("charts of a chart repository", charts);

function charts(): void {
  let folder: string;
  let repository: ChartServer;
  let registry: RegistryServer;
  const digests: string[] = [];
  const archiveOf = ({ name, version }: Packed) =>
    readFileSync(join(folder, "charts", `${name}-${version}.tgz`));
  const tagOf = ({ version }: Packed) => version.replaceAll("+", "_");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "helm-"));
    mkdirSync(join(folder, "charts"));
    await makeKey(folder);
    for (const { pack } of packages) await pack(folder);
    await helm(folder, "repo", "index", join(folder, "charts"));
    repository = await startChartRepository([]);
    for (const file of readdirSync(join(folder, "charts")))
      repository.files.set(`/${file}`, readFileSync(join(folder, "charts", file)));
    registry = await startRegistry(forHelm);
    await mirror();
  });

  afterAll(async () => {
    await Promise.all([repository.close(), registry.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** Mirrors all charts with the built Action. */
  async function mirror(): Promise<void> {
    await using github = await startGitHub({ repository: "acme/app", releases: [], files: () => undefined });
    const inputs = {
      source: repository.origin,
      images: "*",
      version: "glob:*",
      destinations: `${registry.host}/mirror`,
    };
    const at = await mkdtemp(join(tmpdir(), "helm-action-"));
    const event = { name: "push", payload: {} };
    const { exitCode, log, outputs } = await runAction(
      actionEnvironment({ github }, { event, inputs, folder: at }),
    );
    expect(exitCode, log).toBe(0);
    digests.push(outputs.images ?? "");
    await rm(at, { recursive: true });
  }

  /** A manifest and its config, as a registry has them. */
  function held(path: string, tag: string) {
    const digest = registry.tags(path).get(tag) ?? "";
    const manifest = registry.manifest(path, digest)?.bytes ?? Buffer.alloc(0);
    const { config, layers } = JSON.parse(Buffer.from(manifest).toString("utf8"));
    return { digest, manifest: Buffer.from(manifest).toString("utf8"), config: config.digest, layers };
  }

  it("have one digest in two runs", async () => {
    await registry.close();
    registry = await startRegistry(forHelm);
    await mirror();
    const [first, second] = digests.map((text) =>
      JSON.parse(text).map(({ image, digest }: { image: string; digest: string }) => `${image} ${digest}`),
    );
    expect(first).toHaveLength(packages.length);
    expect(second).toEqual(first);
  });

  describe.each(packages)("a chart $what", (chart) => {
    const { name, version, signed = false, library = false } = chart;

    it("is what helm push makes of its archive", async () => {
      const file = join(folder, "charts", `${name}-${version}.tgz`);
      // Helm takes the date of the file.
      const { modified } = await readArchive(archiveOf(chart));
      const copy = join(folder, "pushed.tgz");
      cpSync(file, copy);
      rmSync(`${copy}.prov`, { force: true });
      if (signed) cpSync(`${file}.prov`, `${copy}.prov`);
      utimesSync(copy, modified, modified);
      expect(statSync(copy).mtime).toEqual(modified);
      await helm(folder, "push", copy, `oci://${registry.host}/pushed`, "--plain-http");
      const made = held(`mirror/${name}`, tagOf(chart));
      const pushed = held(`pushed/${name}`, tagOf(chart));
      expect(made.layers).toHaveLength(signed ? 2 : 1);
      expect(made).toEqual(pushed);
    });

    it("is pulled, shown and rendered by Helm", async () => {
      const place = `oci://${registry.host}/mirror/${name}`;
      const named = [place, "--version", version, "--plain-http"];
      const into = join(folder, "pulled", name);
      mkdirSync(into, { recursive: true });
      const verified = signed ? ["--verify", "--keyring", join(folder, "public.gpg")] : [];
      await helm(folder, "pull", ...named, "--destination", into, ...verified);
      expect(readFileSync(join(into, `${name}-${version}.tgz`)).equals(archiveOf(chart))).toBe(true);
      expect(await helm(folder, "show", "chart", ...named)).toContain(`version: ${version}`);
      if (!library) expect(await helm(folder, "template", "mine", ...named)).toContain('image: "shop:1"');
    });
  });
}
