import { isIndexType } from "../oci/media-types.ts";
import type { Plan } from "./plan.ts";
import { listedAtSource, type SourceImage } from "./snapshot.ts";

/** What a plan takes from one source registry, counted as Docker Hub counts pulls. */
export interface PullsNeeded {
  /** Canonical host of the source. */
  readonly registry: string;
  /** Images that are read there, each once, however many destinations get it. */
  readonly images: number;
  /** Manifests that are downloaded there, at least. */
  readonly pulls: number;
  /** Whether the number is a minimum: there are indexes whose platforms are not counted yet, and each is one pull more. */
  readonly atLeast: boolean;
}

/** How many manifests are read to copy an image; undefined where they have not been counted. */
type ManifestsOf = (image: SourceImage) => number | undefined;

/**
 * How many pulls the copies of a plan need at each source registry, in the order of the plan. A pull is a GET of a
 * manifest: one for an image, one more for each platform of an index. HEAD requests and blobs are none.
 * https://docs.docker.com/docker-hub/usage/pulls/
 */
export function pullsNeeded(
  plan: Pick<Plan, "steps">,
  manifestsOf: ManifestsOf = () => undefined,
): readonly PullsNeeded[] {
  const sources = plan.steps.flatMap((step) => (step.kind === "copy" ? [step.source] : []));
  return [...Map.groupBy(sources, ({ source }) => source.registry)].map(([registry, ofRegistry]) => {
    const images = Map.groupBy(ofRegistry, keyOf);
    const pulls = [...images.values()].map((forms) =>
      Math.max(...forms.map((image) => manifestsOf(image) ?? pullsOf(image))),
    );
    return {
      registry,
      images: images.size,
      pulls: pulls.reduce((sum, each) => sum + each, 0),
      atLeast: ofRegistry.some((image) => manifestsOf(image) === undefined && hasUnknownPlatforms(image)),
    };
  });
}

/** The image without its attestations is a part of the whole one: what both have is read once. */
function keyOf({ source, repository, tag }: SourceImage): string {
  return `${source.registry}/${repository}:${tag}`;
}

function pullsOf(image: SourceImage): number {
  // The index of a platform subset is made here, so only its platforms are read. No index is empty.
  const least = hasUnknownPlatforms(image) ? 2 : 1;
  const own = image.rewritten === undefined ? least : listedAtSource(image).length;
  return own + image.attachments.length;
}

function hasUnknownPlatforms({ mediaType, rewritten }: SourceImage): boolean {
  return rewritten === undefined && isIndexType(mediaType);
}
