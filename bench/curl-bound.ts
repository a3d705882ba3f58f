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

/**
 * Processes of curl at a time and registry, each with one connection. curl's own `--parallel` keeps one connection
 * waiting for another and reaches less.
 */
const processes = 4;

/** Measures the bound once, in a world of its own. */
export async function measureCurlBound(setup: Setup): Promise<Bound> {
  await using world = await startWorld(setup);
  const has = new Set(uniqueBlobs(setup.held).map(({ digest }) => digest));
  const blobs = uniqueBlobs(setup.wanted).filter(({ digest }) => !has.has(digest));
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
  const one = async (share: readonly StoredBlob[], index: number) => {
    const started = await curl(
      join(folder, `${place}-post-${index}`),
      share.map(() => ({
        url: start,
        request: "POST",
        data: "",
        output: "/dev/null",
        "write-out": "%header{location}\\n",
      })),
    );
    // Every session is as good as another: which blob gets which does not matter.
    const locations = started.trim().split("\n");
    await curl(
      join(folder, `${place}-put-${index}`),
      share.map(({ digest, path }, at) => ({
        url: withDigest(new URL(locations[at] ?? "", start), digest),
        "upload-file": path,
        // Without it curl asks before every body whether it may send it.
        header: "Expect:",
        output: "/dev/null",
      })),
    );
  };
  await Promise.all(evenShares(blobs, processes).map(one));
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
  const one = (share: readonly StoredBlob[], index: number) =>
    curl(
      join(folder, `source-${index}`),
      share.map(({ digest }) => ({
        url: `http://${host}/v2/${namespace}/${owners.get(digest)}/blobs/${digest}`,
        output: "/dev/null",
      })),
    );
  await Promise.all(evenShares(blobs, processes).map(one));
}

/** What two requests cost beside the bytes, in bytes: without it one share would get all the small blobs. */
const requestsCost = 500_000;

/** Divides blobs into shares of about the same cost: the largest first, each to the smallest share so far. */
export function evenShares(blobs: readonly StoredBlob[], count: number): readonly (readonly StoredBlob[])[] {
  const shares = Array.from({ length: count }, () => ({ cost: 0, blobs: [] as StoredBlob[] }));
  for (const blob of blobs.toSorted((one, other) => other.size - one.size)) {
    const smallest = shares.reduce((least, share) => (share.cost < least.cost ? share : least));
    smallest.blobs.push(blob);
    smallest.cost += blob.size + requestsCost;
  }
  return shares.map((share) => share.blobs);
}

/**
 * Runs one curl for many transfers, one after the other, and returns what it printed.
 * @throws Error when one of them failed.
 */
async function curl(path: string, transfers: readonly Readonly<Record<string, string>>[]): Promise<string> {
  if (transfers.length === 0) return "";
  // `next` resets all options, so that each transfer has these anew.
  const quiet = ["fail", "silent", "show-error"];
  const sections = transfers.map((options) =>
    [...quiet, ...Object.entries(options).map(([option, value]) => `${option} = "${value}"`)].join("\n"),
  );
  await writeFile(path, sections.join("\nnext\n"));
  const child = spawn("curl", ["--disable", "--config", path], {
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
