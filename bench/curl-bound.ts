/**
 * What the registries and proxies of this machine can do at best: curl uploads the missing blobs from files to both
 * destinations (one POST and one PUT each) and reads them from the source, all three at the same time. Manifests and
 * tags are left out.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bound } from "./bounds.ts";
import { type StoredBlob, type StoredImage, uniqueBlobs } from "./content.ts";
import { type Setup, startWorld } from "./run.ts";
import { namespace } from "./workload.ts";

/** Transfers at a time of each curl: more gains nothing on loopback. */
const parallel = 8;

/** Measures the bound once, in a world of its own. */
export async function measureCurlBound(setup: Setup): Promise<Bound> {
  await using world = await startWorld(setup);
  const has = new Set(uniqueBlobs(setup.held).map(({ digest }) => digest));
  const lacking = uniqueBlobs(setup.wanted).filter(({ digest }) => !has.has(digest));
  // The longest first: otherwise it ends alone on one connection.
  const blobs = lacking.toSorted((one, other) => other.size - one.size);
  const { source, near, far } = world.links;
  const started = performance.now();
  const seconds = async (work: Promise<void>) => {
    await work;
    return (performance.now() - started) / 1000;
  };
  const [nearSeconds, farSeconds, sourceSeconds] = await Promise.all([
    seconds(upload(world.folder, "near", near.host, blobs)),
    seconds(upload(world.folder, "far", far.host, blobs)),
    seconds(download(world.folder, source.host, setup.wanted, blobs)),
  ]);
  return { nearSeconds, farSeconds, wallSeconds: Math.max(nearSeconds, farSeconds, sourceSeconds) };
}

async function upload(
  folder: string,
  place: string,
  host: string,
  blobs: readonly StoredBlob[],
): Promise<void> {
  const start = `http://${host}/v2/${namespace}/bound/blobs/uploads/`;
  // Every session is as good as another: which blob gets which does not matter.
  const started = await curl(
    folder,
    `${place}-post`,
    blobs.map(() => ({
      url: start,
      request: "POST",
      data: "",
      output: "/dev/null",
      "write-out": "%header{location}\\n",
    })),
  );
  const locations = started.trim().split("\n");
  await curl(
    folder,
    `${place}-put`,
    blobs.map(({ digest, path }, index) => ({
      url: withDigest(new URL(locations[index] ?? "", start), digest),
      "upload-file": path,
      header: "Content-Type: application/octet-stream",
      output: "/dev/null",
    })),
  );
}

function withDigest(location: URL, digest: string): string {
  location.searchParams.set("digest", digest);
  return location.href;
}

async function download(
  folder: string,
  host: string,
  images: readonly StoredImage[],
  blobs: readonly StoredBlob[],
): Promise<void> {
  const owners = new Map(images.flatMap(({ name, blobs: own }) => own.map(({ digest }) => [digest, name])));
  await curl(
    folder,
    "source",
    blobs.map(({ digest }) => ({
      url: `http://${host}/v2/${namespace}/${owners.get(digest)}/blobs/${digest}`,
      output: "/dev/null",
    })),
  );
}

/** Runs one curl for many transfers, and returns what it printed. */
async function curl(
  folder: string,
  name: string,
  transfers: readonly Readonly<Record<string, string>>[],
): Promise<string> {
  if (transfers.length === 0) return "";
  const sections = transfers.map((options) =>
    // `next` resets these as well.
    Object.entries({ ...options, fail: undefined, silent: undefined, "show-error": undefined })
      .map(([option, value]) => (value === undefined ? option : `${option} = "${value}"`))
      .join("\n"),
  );
  const path = join(folder, `${name}.curl`);
  await writeFile(path, sections.join("\nnext\n"));
  const global = ["--no-progress-meter", "--parallel", "--parallel-max", String(parallel)];
  const child = spawn("curl", ["--disable", ...global, "--config", path], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH },
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`curl ended with status ${code}`);
  return printed;
}
