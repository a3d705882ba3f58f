import type { Repository } from "../oci/repository.ts";
import type { ImageSize } from "../plan/estimate.ts";
import type { CopyStep } from "../plan/plan.ts";
import { madeHere, type SourceImage } from "../plan/snapshot.ts";
import { type ReadingContext, readContents } from "./copy.ts";
import { type ImageContent, manifestsIn } from "./image-copy.ts";

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
  const contents = await readContents(
    steps.filter(({ source }) => readable.has(source)),
    {
      ...context,
      sourceRepositories: (image) => readable.get(image) ?? context.sourceRepositories(image),
    },
  );
  return new Map(
    [...contents].flatMap(([image, content]) =>
      content instanceof Error ? [] : [[image, sizeOf(image, content)] as const],
    ),
  );
}

function sizeOf(image: SourceImage, content: ImageContent): ImageSize {
  return { blobs: content.blobs, manifests: manifestsIn(content) - madeHere(image).length };
}
