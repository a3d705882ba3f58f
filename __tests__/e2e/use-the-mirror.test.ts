/** The files that tell programs to read from a mirror, judged by the programs themselves. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";
import { pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import type { Namespace } from "../../src/oci/reference.ts";
import { containerdHosts, openShiftMirrorSet, registriesConf } from "../../src/report/mirror-files.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { imageOfArchives } from "./image-of-archives.ts";

const run = promisify(execFile);
const original: Namespace = { registry: "docker.io", path: "goharbor" };
const image = "docker.io/goharbor/harbor-core";

/** A folder that is there for one test, and a mirror that holds the image below a path. */
async function startMirror(path: string): Promise<
  AsyncDisposable & {
    readonly folder: string;
    readonly server: RegistryServer;
    readonly mirror: Namespace;
    readonly digest: string;
  }
> {
  const folder = await mkdtemp(join(tmpdir(), "use-the-mirror-"));
  const server = await startRegistry();
  const digest = pushTo(server, `${path}/harbor-core`, imageOfArchives(), "v2.15.2");
  return {
    folder,
    server,
    mirror: { registry: server.host, path },
    digest,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The repositories that a registry was asked for. */
function askedFor({ requests }: RegistryServer): readonly string[] {
  const names = requests.flatMap(({ path }) => /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)];
}

if (!isInstalled("containerd")) {
  describe("containerd", () => skipWithout("containerd", "Debian's package containerd"));
} else {
  // The daemon gives its socket to root.
  describe.skipIf(process.getuid?.() !== 0)("containerd", () => {
    test.each([
      ["the same namespace", "goharbor"],
      ["the namespace with more in front of it", "team/goharbor"],
      ["the namespace with two names in front of it", "one/two/goharbor"],
    ])("reads Docker Hub's images by hosts.toml from a mirror with %s", async (_what, path) => {
      await using world = await startMirror(path);
      const { folder, server, mirror } = world;
      await mkdir(join(folder, "certs.d/docker.io"), { recursive: true });
      const lines = containerdHosts(mirror, original) ?? [];
      await writeFile(join(folder, "certs.d/docker.io/hosts.toml"), lines.join("\n"));
      await using daemon = await startContainerd(folder);
      const fetch = ["content", "fetch", "--hosts-dir", join(folder, "certs.d"), `${image}:v2.15.2`];
      await run("ctr", ["--address", daemon.socket, ...fetch]);
      const { stdout } = await run("ctr", ["--address", daemon.socket, "images", "ls"]);
      expect(stdout).toContain(world.digest);
      expect(askedFor(server)).toEqual([`${path}/harbor-core`]);
    });
  });
}

/** A daemon with all its files in a folder. */
async function startContainerd(folder: string): Promise<AsyncDisposable & { readonly socket: string }> {
  const socket = join(folder, "containerd.sock");
  const settings = [
    "version = 2",
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    // What starts containers: it needs a network of its own.
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    "[grpc]",
    `  address = "${socket}"`,
    "[ttrpc]",
    `  address = "${folder}/ttrpc.sock"`,
  ];
  const file = join(folder, "config.toml");
  await writeFile(file, settings.join("\n"));
  const daemon = spawn("containerd", ["--config", file], { stdio: "ignore" });
  const ended = once(daemon, "exit");
  for (let tries = 0; tries < 300 && daemon.exitCode === null && !existsSync(socket); tries += 1)
    await pause(100);
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      daemon.kill();
      await ended;
    },
  };
}

if (!isInstalled("skopeo")) {
  describe("skopeo", () => skipWithout("skopeo", "Debian's package skopeo"));
} else {
  describe("skopeo", () => {
    /** Asks for an image by its own name, with such a file of settings. */
    async function inspect(reference: string, conf: readonly string[], folder: string): Promise<unknown> {
      const file = join(folder, "registries.conf");
      await writeFile(file, conf.join("\n"));
      const { stdout } = await run("skopeo", [
        ...["--insecure-policy", "--registries-conf", file],
        ...["inspect", "--no-tags", `docker://${reference}`],
      ]);
      return JSON.parse(stdout);
    }

    it("reads an image by registries.conf from a mirror with another namespace", async () => {
      await using world = await startMirror("mirrors/harbor");
      const conf = registriesConf(world.mirror, original);
      expect(await inspect(`${image}:v2.15.2`, conf, world.folder)).toMatchObject({ Digest: world.digest });
      expect(askedFor(world.server)).toEqual(["mirrors/harbor/harbor-core"]);
    });

    it("reads images by tag and by digest, as OpenShift's nodes do for the two objects", async () => {
      await using world = await startMirror("mirrors/harbor");
      const conf = onNodes([
        openShiftMirrorSet("Tag", world.mirror, original),
        openShiftMirrorSet("Digest", world.mirror, original),
      ]);
      for (const reference of [`${image}:v2.15.2`, `${image}@${world.digest}`])
        expect(await inspect(reference, conf, world.folder)).toMatchObject({ Digest: world.digest });
      expect(askedFor(world.server)).toEqual(["mirrors/harbor/harbor-core"]);
    });
  });
}

/**
 * What the Machine Config Operator makes of the objects: one registry, and each mirror for tags or for digests alone.
 * https://github.com/openshift/runtime-utils/blob/master/pkg/registries/registries.go
 */
function onNodes(objects: readonly (readonly string[])[]): readonly string[] {
  const sets = objects.map((lines) => parse(lines.join("\n")) as MirrorSet);
  const mirrors = sets.flatMap(({ kind, spec }) =>
    [...(spec.imageTagMirrors ?? []), ...(spec.imageDigestMirrors ?? [])].flatMap(
      ({ source, mirrors: names }) =>
        names.map((location) => ({
          source,
          location,
          only: kind === "ImageTagMirrorSet" ? "tag" : "digest",
        })),
    ),
  );
  return [
    "[[registry]]",
    `location = "${mirrors[0]?.source}"`,
    ...mirrors.flatMap(({ location, only }) => [
      "[[registry.mirror]]",
      `location = "${location}"`,
      `pull-from-mirror = "${only}-only"`,
      // The mirror of the test is at a loopback address.
      "insecure = true",
    ]),
  ];
}

interface MirrorSet {
  kind: string;
  spec: Partial<
    Record<
      "imageTagMirrors" | "imageDigestMirrors",
      readonly { source: string; mirrors: readonly string[] }[]
    >
  >;
}
