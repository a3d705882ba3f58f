import { printNamespace } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import type { ImageSize } from "../plan/estimate.ts";
import type { CopyStep } from "../plan/plan.ts";
import { madeHere, type SourceImage } from "../plan/snapshot.ts";
import { inTurns } from "../turns.ts";
import { type ReadingContext, readContents } from "./copy.ts";
import { type ImageContent, manifestsIn } from "./image-copy.ts";

/** Most repositories that are read at once: of each manifest only its sizes stay, so that many take little memory. */
const repositoriesAtOnce = 16;

/**
 * Reads how large the images of a plan are, each once for all destinations: their manifests say it, no blob is asked for.
 * An image that cannot be read is left out.
 * @param isSpared says from which registries nothing is read.
 */
export async function readSizes(
  steps: readonly CopyStep[],
  context: ReadingContext,
  isSpared: (registry: string) => boolean,
): Promise<ReadonlyMap<SourceImage, ImageSize>> {
  const readable = new Map<SourceImage, readonly [Repository, ...Repository[]]>();
  for (const { source } of steps) {
    const [first, ...others] = context
      .sourceRepositories(source)
      .filter(({ registry }) => !isSpared(registry.registry));
    if (first !== undefined) readable.set(source, [first, ...others]);
  }
  const byRepository = Map.groupBy(
    steps.filter(({ source }) => readable.has(source)),
    ({ source }) => `${printNamespace(source.source)} ${source.repository}`,
  );
  const sourceRepositories = (image: SourceImage) => readable.get(image) ?? context.sourceRepositories(image);
  const sizes = await inTurns([...byRepository.values()], repositoriesAtOnce, async (own) => {
    const contents = await readContents(own, { ...context, sourceRepositories });
    return [...contents].flatMap(([image, content]) =>
      content instanceof Error ? [] : [[image, sizeOf(image, content)] as const],
    );
  });
  return new Map(sizes.flat());
}

function sizeOf(image: SourceImage, content: ImageContent): ImageSize {
  return { blobs: content.blobs, manifests: manifestsIn(content) - madeHere(image).length };
}
