import { failureOf, sentenceOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { printNamespace, repositoryOf } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { askEach } from "./answers.ts";
import type { AttachmentFinder } from "./attachments.ts";
import type { Source } from "./sources.ts";

/** A source whose tags are listed. */
export interface SourceToList extends Pick<Source, "registry" | "path" | "onlyNamed" | "client"> {
  readonly repository: (name: string) => Pick<Repository, "reference" | "tags">;
}

/** Who needs the lists as well. */
export type TagReader = Pick<AttachmentFinder, "knowTags">;

/**
 * The tags of an image at all sources. One that does not answer is passed over, with a warning, where another does.
 * @throws OperationError when none answers: the versions are not known then.
 */
export async function tagsAtSources(
  image: string,
  sources: readonly SourceToList[],
  reader: TagReader | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const ask = async (source: SourceToList): Promise<readonly string[]> => {
    const repository = source.repository(repositoryOf(source, image));
    const tags = await repository.tags(signal);
    reader?.knowTags(repository, tags);
    return tags;
  };
  const { answers, refused } = await askEach(sources, ask, signal);
  for (const { source, error } of refused)
    log.warning(`The versions at ${printNamespace(source)} are not known. ${sentenceOf(failureOf(error))}`);
  return new Set(answers.flat());
}
