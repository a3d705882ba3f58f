/** Worlds for runs in which another pushes, moves and deletes between the Action's requests, all from a seed. */
import {
  type Artifact,
  buildImage,
  buildIndex,
  type LayerOptions,
  type PushTarget,
} from "../../sandbox/images.ts";
import { digestOf } from "../../sandbox/registry/content.ts";
import { type Front, push, type Request } from "./chaos-front.ts";

/** Releases, oldest first. The last ones are mirrored. */
export const releases: readonly string[] = ["v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v2.0.0"];

/** What a seed makes. */
export interface ChaosWorld {
  readonly images: readonly string[];
  /** Each release's image by `image:tag`, with what is attached to it. */
  readonly contents: ReadonlyMap<string, Content>;
  /** `image:tag` that the destination holds before the run. */
  readonly held: readonly string[];
  readonly wanted: readonly string[];
  readonly keep: number;
  readonly overwrite: boolean;
}

export interface Content {
  readonly artifact: Artifact;
  /** What is attached, with its tag. */
  readonly attached: readonly (readonly [tag: string, artifact: Artifact])[];
}

type Random = () => number;

/** One of some, by chance. */
function oneOf<T>(random: Random, from: readonly T[]): T {
  const chosen = from[Math.floor(random() * from.length)];
  if (chosen === undefined) throw new Error("nothing to choose from");
  return chosen;
}

/** Makes a world of five releases of up to three images: with indexes, shared layers and digests, and signatures. */
export function worldOf(random: Random): ChaosWorld {
  const images = ["app", "core", "tool"].slice(0, 2 + Math.floor(random() * 2));
  const contents = new Map<string, Content>();
  for (const image of images) {
    let last: Artifact | undefined;
    for (const tag of releases) {
      const artifact: Artifact = imageOf(random, `${image}:${tag}`, image, last);
      contents.set(`${image}:${tag}`, { artifact, attached: attachedTo(random, artifact) });
      last = artifact;
    }
  }
  const wanted = releases.slice(random() < 0.3 ? -2 : -1);
  const held = [...contents.keys()].filter(
    (key) => !key.endsWith(releases.at(-1) ?? "") && random() > (key.endsWith("v1.2.0") ? 0.2 : 0.05),
  );
  return {
    images,
    contents,
    held,
    wanted,
    keep: 1 + Math.floor(random() * 3),
    overwrite: random() > 0.3,
  };
}

/** An image of a release: of one platform, or an index; now and then the one of the release before, or an index of that. */
function imageOf(random: Random, seed: string, image: string, last: Artifact | undefined): Artifact {
  const dice = random();
  if (last !== undefined && dice < 0.1) return last;
  const layers: readonly LayerOptions[] = [{ seed: `base of ${image}`, size: 3000 }, { size: 1500 }];
  const part = (platform: string): Artifact =>
    buildImage({ seed: `${seed} ${platform}`, layers, format: "oci", platform });
  if (last !== undefined && last.config !== undefined && dice < 0.25)
    return buildIndex([last, part("linux/arm64")]);
  if (dice < 0.5) return buildIndex([part("linux/amd64"), part("linux/arm64")]);
  return dice < 0.75 ? part("linux/amd64") : buildImage({ seed, layers });
}

function attachedTo(random: Random, artifact: Artifact): Content["attached"] {
  const attached: (readonly [string, Artifact])[] = [];
  if (random() < 0.5)
    attached.push([`${fallbackOf(artifact.digest)}.sig`, signatureOf(artifact.digest, "release")]);
  if (random() < 0.3) attached.push([fallbackOf(artifact.digest), buildIndex([sbomOf(artifact, "release")])]);
  return attached;
}

function fallbackOf(digest: string): string {
  return digest.replace(":", "-");
}

function signatureOf(digest: string, by: string): Artifact {
  return buildImage({ seed: `signature of ${digest} by ${by}`, format: "oci", layers: [{ size: 200 }] });
}

function sbomOf(subject: Artifact, by: string): Artifact {
  const seed = `SBOM of ${subject.digest} by ${by}`;
  return buildImage({
    seed,
    format: "oci",
    layers: [{ size: 300 }],
    subject,
    artifactType: "text/spdx+json",
  });
}

/** Puts all releases into the source. */
export function fillSource(
  world: ChaosWorld,
  source: PushTarget,
  pushTo: typeof import("../../sandbox/images.ts").pushTo,
): void {
  for (const [key, { artifact, attached }] of world.contents) {
    const [image = "", tag = ""] = key.split(":");
    pushTo(source, `source/${image}`, artifact, tag);
    for (const [attachedTag, each] of attached) pushTo(source, `source/${image}`, each, attachedTag);
  }
}

/** Puts what the destination holds, the signatures mostly with it. */
export async function fillDestination(
  world: ChaosWorld,
  front: Front,
  namespace: string,
  random: Random,
): Promise<void> {
  for (const key of world.held) {
    const { artifact, attached } = contentOf(world, key);
    const [image = "", tag = ""] = key.split(":");
    await push(front, `${namespace}/${image}`, artifact, tag);
    for (const [attachedTag, each] of attached)
      if (random() < 0.8) await push(front, `${namespace}/${image}`, each, attachedTag);
  }
}

export function contentOf(world: ChaosWorld, key: string): Content {
  const content = world.contents.get(key);
  if (content === undefined) throw new Error(`there is no ${key}`);
  return content;
}

/** When another works: a run that is disturbed before it prunes often deletes nothing. */
const habits = {
  copying: { copying: 0.03, tagging: 0, pruning: 0 },
  tagging: { copying: 0, tagging: 0.15, pruning: 0.03 },
  pruning: { copying: 0, tagging: 0, pruning: 0.12 },
  always: { copying: 0.02, tagging: 0.04, pruning: 0.06 },
} as const;

/**
 * Another who works at the destination while the Action runs.
 * @returns what the front calls before each request.
 */
export function intruder(
  world: ChaosWorld,
  namespace: string,
  random: Random,
  told: (move: string) => void,
): (front: Front, next: Pick<Request, "method" | "kind">) => Promise<void> {
  const habit = habits[oneOf(random, ["copying", "tagging", "pruning", "pruning", "always"] as const)];
  const most = 1 + Math.floor(random() * 8);
  let moves = 0;
  return async (front, { method }) => {
    if (moves >= most) return;
    const sent = front.requests.filter(({ by }) => by === "action");
    const tagged = sent.findLastIndex(
      ({ method: used, kind, reference }) =>
        used === "PUT" && kind === "manifests" && world.wanted.includes(reference),
    );
    const uploaded = sent.some(({ method: used, kind }) => used === "PUT" && kind === "manifests");
    const prunes = tagged >= 0 && sent.slice(tagged).some(({ kind }) => kind === "tags");
    const chance = habit[prunes ? "pruning" : uploaded ? "tagging" : "copying"];
    if (random() >= (method === "DELETE" ? 3 * chance : chance)) return;
    moves += 1;
    told(`before request ${front.requests.length}: ${await move(world, namespace, front, random, moves)}`);
  };
}

async function move(
  world: ChaosWorld,
  namespace: string,
  front: Front,
  random: Random,
  count: number,
): Promise<string> {
  const image = oneOf(random, world.images);
  const repository = `${namespace}/${image}`;
  // Mostly what is to be pruned.
  const tag = oneOf(random, random() < 0.5 ? releases.slice(0, 3) : releases);
  const { artifact, attached } = contentOf(world, `${image}:${tag}`);
  const elsewhere = oneOf(random, ["lts", "stable", "dev", oneOf(random, releases)]);
  const arm = buildImage({ seed: `${repository} ${count}`, format: "oci", platform: "linux/s390x" });
  const remove = async (reference: string): Promise<void> => {
    const byTag = await front.send("DELETE", `/v2/${repository}/manifests/${reference}`);
    const digest = front.state.tags.get(`${repository}:${reference}`);
    // A registry that deletes by digest only.
    if (byTag.status !== 202 && digest !== undefined)
      await front.send("DELETE", `/v2/${repository}/manifests/${digest}`);
  };
  const all: Readonly<Record<string, () => Promise<string>>> = {
    retag: async () => {
      await push(front, repository, artifact, elsewhere);
      return `${image}:${elsewhere} is set to what ${tag} is`;
    },
    replace: async () => {
      await push(front, repository, arm, tag);
      return `${image}:${tag} is set to something new`;
    },
    wrap: async () => {
      const inner = buildIndex([artifact, arm]);
      await push(front, repository, random() < 0.3 ? buildIndex([inner]) : inner, elsewhere);
      return `${image}:${elsewhere} is set to an index with ${tag}`;
    },
    refer: async () => {
      await push(front, repository, sbomOf(artifact, "another"), elsewhere);
      return `${image}:${elsewhere} is set to an SBOM of ${tag}`;
    },
    sign: async () => {
      const fallback = fallbackOf(artifact.digest);
      if (random() < 0.5) {
        await push(front, repository, signatureOf(artifact.digest, `another ${count}`), `${fallback}.sig`);
        return `${image}:${tag} gets another signature`;
      }
      const [, present] = attached.find(([name]) => name === fallback) ?? [];
      const list = [...(present?.children ?? []), sbomOf(artifact, `another ${count}`)];
      await push(front, repository, buildIndex(list), fallback);
      return `${image}:${tag} gets another SBOM`;
    },
    delete: async () => {
      await remove(tag);
      return `${image}:${tag} is deleted`;
    },
    "delete all": async () => {
      const names = [...front.state.tags.keys()].filter((name) => name.startsWith(`${repository}:`));
      if (names.length === 0) return "nothing is there to delete";
      const name = oneOf(random, names).slice(repository.length + 1);
      await remove(name);
      return `${image}:${name} is deleted`;
    },
    lose: async () => {
      const blobs = [...front.state.blobs].filter((name) => name.startsWith(`${repository}@`));
      if (blobs.length === 0) return "no blob is there to delete";
      const blob = oneOf(random, blobs).slice(repository.length + 1);
      await front.send("DELETE", `/v2/${repository}/blobs/${blob}`);
      return `a blob of ${image} is lost: ${blob}`;
    },
    "bring back": async () => {
      await push(front, repository, artifact, tag);
      for (const [name, each] of attached) await push(front, repository, each, name);
      return `${image}:${tag} is pushed again`;
    },
  };
  return oneOf(random, Object.values(all))();
}

/** A name of its own for what a seed makes. */
export function namespaceOf(seed: number): string {
  return `chaos-${digestOf(String(seed)).slice(7, 19)}`;
}
