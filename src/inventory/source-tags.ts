import { failureOf, OperationError, sentenceOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { printNamespace, repositoryOf } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
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
  const answers = await Promise.all(
    sources.map(async (source) => {
      try {
        const repository = source.repository(repositoryOf(source, image));
        const tags = await repository.tags(signal);
        reader?.knowTags(repository, tags);
        return tags;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof OperationError)) throw error;
        return { source, error };
      }
    }),
  );
  const refused = answers.filter((answer) => "error" in answer);
  const [first] = refused;
  if (first !== undefined && refused.length === answers.length) throw first.error;
  for (const { source, error } of refused)
    log.warning(`The versions at ${printNamespace(source)} are not known. ${sentenceOf(failureOf(error))}`);
  return new Set(answers.flatMap((answer) => ("error" in answer ? [] : answer)));
}
