/** One measured run of one tool: fresh registries, fresh proxies, fresh destinations. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { GitHub } from "../sandbox/github.ts";
import { type StoredImage, uniqueBlobs } from "./content.ts";
import { type LinkProxy, type LinkReport, startLinkProxy } from "./link-process.ts";
import { type ProcessFigures, runProcesses } from "./processes.ts";
import { openLink, type Place, type Profile, places } from "./profiles.ts";
import { startRegistry } from "./registry.ts";
import { isTagged, problemsOf } from "./storage.ts";
import type { Tool } from "./tools.ts";

/** Everything that the runs of one benchmark have in common. */
export interface Setup {
  readonly profile: Profile;
  /** What is to be copied. */
  readonly wanted: readonly StoredImage[];
  /** What the destinations hold before. */
  readonly held: readonly StoredImage[];
  readonly sourceStorage: string;
  /** Undefined: the destinations start empty. */
  readonly heldStorage: string | undefined;
  readonly github: GitHub;
  /** Folder for the files of runs. */
  readonly workFolder: string;
  /** Longest time of a run in seconds. */
  readonly limitSeconds: number;
}

/** The world of one run. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly links: Readonly<Record<Place, LinkProxy>>;
  readonly gitHubLink: LinkProxy;
  /** Folders in which the destinations store. */
  readonly storages: Readonly<Record<"near" | "far", string>>;
}

/** What one run came to. Times in seconds from the start of the first process, sizes in bytes. */
export interface RunRecord extends ProcessFigures {
  readonly tool: string;
  /** Until the whole release was tagged there; undefined when it never was, or when it was from the start. */
  readonly nearSeconds: number | undefined;
  readonly farSeconds: number | undefined;
  /** Until the first byte to a registry or to GitHub. */
  readonly firstRequestSeconds: number | undefined;
  readonly links: Readonly<Record<Place, LinkReport>>;
}

/** Starts registries and proxies; the destinations get a copy of what they hold before. */
export async function startWorld(setup: Setup): Promise<World> {
  const folder = mkdtempSync(join(setup.workFolder, "run-"));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const storages = { near: join(folder, "near"), far: join(folder, "far") };
  for (const storage of Object.values(storages)) {
    if (setup.heldStorage === undefined) await mkdir(storage);
    else execFileSync("cp", ["-a", "--reflink=auto", setup.heldStorage, storage]);
  }
  try {
    const start = async (place: Place, storage: string) => {
      const readOnly = place === "source";
      const registry = stack.use(await startRegistry({ folder, storage, readOnly }));
      return stack.use(
        await startLinkProxy({ registryPort: registry.port, model: setup.profile.links[place] }),
      );
    };
    const source = await start("source", setup.sourceStorage);
    const near = await start("near", storages.near);
    const far = await start("far", storages.far);
    const gitHubLink = stack.use(
      await startLinkProxy({ registryPort: Number(new URL(setup.github.origin).port), model: openLink }),
    );
    const links = { source, near, far };
    const owned = stack.move();
    return { folder, links, gitHubLink, storages, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Lets a tool do the whole job once, measures it, and checks every destination afterwards. */
export async function runTool(setup: Setup, tool: Tool): Promise<RunRecord> {
  await using world = await startWorld(setup);
  const { links, gitHubLink, storages, folder } = world;
  const toolFolder = join(folder, "tool");
  await mkdir(toolFolder);
  const queues = tool.queues({
    hosts: { source: links.source.host, near: links.near.host, far: links.far.host },
    images: namesBySize(setup.wanted),
    versions: [...new Set(setup.wanted.map(({ version }) => version))],
    folder: toolFolder,
    github: {
      origin: `http://${gitHubLink.host}`,
      repository: setup.github.repository,
      release: setup.github.release,
    },
  });
  const near = watch(storages.near, setup.wanted);
  const far = watch(storages.far, setup.wanted);
  const startedAt = performance.now();
  const startedAtMonotonic = Number(process.hrtime.bigint() / 1000n) / 1000;
  const figures = await runProcesses(queues, setup.limitSeconds);
  const [nearAt, farAt] = [near.stop(), far.stop()];
  const seconds = (at: number | undefined) => (at === undefined ? undefined : (at - startedAt) / 1000);
  const reports = await reportsOf(links);
  const first = firstOf([...Object.values(reports), await gitHubLink.report()]);
  return {
    tool: tool.name,
    ...figures,
    nearSeconds: seconds(nearAt),
    farSeconds: seconds(farAt),
    firstRequestSeconds: first === undefined ? undefined : (first - startedAtMonotonic) / 1000,
    links: reports,
    problems: [...figures.problems, ...wrongAfterwards(setup, storages)],
  };
}

/** Names of the images, those with the most bytes first. */
export function namesBySize(images: readonly StoredImage[]): readonly string[] {
  const byName = Map.groupBy(images, ({ name }) => name);
  const sizes = [...byName].map(([name, versions]) => ({
    name,
    size: uniqueBlobs(versions).reduce((sum, { size }) => sum + size, 0),
  }));
  return sizes.toSorted((one, other) => other.size - one.size).map(({ name }) => name);
}

async function reportsOf(
  links: Readonly<Record<Place, LinkProxy>>,
): Promise<Readonly<Record<Place, LinkReport>>> {
  const [source, near, far] = await Promise.all(places.map((place) => links[place].report()));
  if (source === undefined || near === undefined || far === undefined) throw new Error("a proxy is silent");
  return { source, near, far };
}

function firstOf(reports: readonly LinkReport[]): number | undefined {
  const times = reports.flatMap(({ firstRequestAt }) => firstRequestAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

function wrongAfterwards(setup: Setup, storages: World["storages"]): readonly string[] {
  const expected = [
    ...new Map([...setup.held, ...setup.wanted].map((image) => [`${image.name}:${image.version}`, image])),
  ].map(([, image]) => image);
  return Object.entries(storages).flatMap(([place, storage]) =>
    problemsOf(storage, expected).map((problem) => `${place}: ${problem}`),
  );
}

/** How often a destination is looked at, in milliseconds: the error of the times until it is complete. */
const watchMs = 50;

/** Watches until all images are tagged. `stop` gives when that was seen, on the clock of `performance.now`. */
function watch(storage: string, images: readonly StoredImage[]): { stop(): number | undefined } {
  let missing = images.filter((image) => !isTagged(storage, image));
  const fromStart = missing.length === 0;
  let completeAt: number | undefined;
  const look = () => {
    missing = missing.filter((image) => !isTagged(storage, image));
    if (missing.length === 0 && !fromStart) completeAt ??= performance.now();
  };
  const timer = setInterval(look, watchMs);
  return {
    stop() {
      clearInterval(timer);
      look();
      return completeAt;
    },
  };
}
