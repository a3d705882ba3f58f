import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { type Namespace, repositoryOf } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import type { CopyStep } from "../plan/plan.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import type { ImageContent } from "./image-copy.ts";

/**
 * The repositories that an image can be read from: where it was found, then those of its name at the other sources. The
 * digest proves what is read, so any of them may serve it if the first fails.
 */
export type SourceRepositories = (image: SourceImage) => readonly [Repository, ...Repository[]];

/** A blob that a destination needs. */
export interface BlobNeed {
  readonly descriptor: Descriptor;
  /** Repositories of the destination that must have it, in the order of the images. At least one. */
  readonly repositories: readonly string[];
  /** Repositories outside the plan from which the destination may mount it: sources on the same registry. */
  readonly mountable: readonly string[];
  /** Repositories at sources that have it; then those that may have it, at other sources. */
  readonly sources: readonly Repository[];
}

/** The blobs that the images of a destination need, each once, the largest first. */
export function blobNeeds(
  steps: readonly CopyStep[],
  destination: Namespace,
  contents: ReadonlyMap<SourceImage, ImageContent | Error>,
  sourceRepositories: SourceRepositories,
): readonly BlobNeed[] {
  const users = new Map<
    Digest,
    {
      descriptor: Descriptor;
      repositories: Set<string>;
      sources: Set<Repository>;
      others: Set<Repository>;
    }
  >();
  for (const step of steps) {
    const content = contents.get(step.source);
    if (content === undefined || content instanceof Error) continue;
    for (const descriptor of content.blobs) {
      const user = users.get(descriptor.digest) ?? {
        descriptor,
        repositories: new Set(),
        sources: new Set(),
        others: new Set(),
      };
      user.repositories.add(repositoryOf(destination, step.image));
      const [source, ...others] = sourceRepositories(step.source);
      user.sources.add(source);
      for (const other of others) user.others.add(other);
      users.set(descriptor.digest, user);
    }
  }
  const needs = [...users.values()].map(({ descriptor, repositories, sources, others }) => ({
    descriptor,
    repositories: [...repositories],
    mountable: [...sources]
      .filter((source) => source.registry.registry === destination.registry)
      .map((source) => source.name),
    sources: [...sources, ...others],
  }));
  return needs.sort((one, other) => other.descriptor.size - one.descriptor.size);
}
