import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import type { TagDeletion } from "./destination.ts";
import type { TcrInstance } from "./tcr-instance.ts";
import { entries, pageSize } from "./tcr-pages.ts";
import { hasCode } from "./tencent-api.ts";

/** A repository as the TCR API names it: the first part of its path is the namespace. */
export interface TcrRepository {
  readonly namespace: string;
  /** The path below the namespace; may contain slashes. */
  readonly name: string;
}

export interface TcrTags {
  /** Deletes tags and reads back that they are gone. Throws only the signal's reason. */
  delete(tags: readonly string[], signal: AbortSignal): Promise<readonly TagDeletion[]>;
}

/** Most tags in one `DeleteRepositoryTags`, by the vendor's SDK (`DeleteRepositoryTagsRequest` of package tcr, 2019-09-24). */
const batchSize = 20;

/**
 * Pauses before the second and third look at a tag that is still listed, in milliseconds. The API does not say that a
 * deletion is complete when it answers; a few seconds tell a slow list from a deletion that did not happen.
 */
const confirmationPauses = [1000, 3000] as const;

const imagesSchema = v.object({
  ImageInfoList: v.nullish(v.array(v.object({ ImageVersion: v.string() })), []),
});

/** The tags of one repository of a TCR instance. */
export function tcrTags(instance: TcrInstance, clock: Clock, repository: TcrRepository): TcrTags {
  const path = `${repository.namespace}/${repository.name}`;
  const names = { NamespaceName: repository.namespace, RepositoryName: repository.name };

  async function request(tags: readonly string[], signal: AbortSignal): Promise<void> {
    const operation = `deleting ${tags.length === 1 ? `the tag ${tags[0]}` : `${tags.length} tags`}`;
    const parameters = { ...names, Tags: tags };
    const call = { action: "DeleteRepositoryTags", operation, repository: path, parameters, signal };
    await instance.call(call, v.object({}));
  }

  async function isListed(tag: string, signal: AbortSignal): Promise<boolean> {
    const operation = `reading back the tag ${tag}`;
    const read = async (page: number) => {
      const parameters = { ...names, ImageVersion: tag, ExactMatch: true, Limit: pageSize, Offset: page };
      const call = { action: "DescribeImages", operation, repository: path, parameters, signal };
      return (await instance.call(call, imagesSchema)).ImageInfoList;
    };
    try {
      for await (const image of entries(read, ({ ImageVersion }) => ImageVersion)) {
        if (image.ImageVersion === tag) return true;
      }
      return false;
    } catch (error) {
      // The repository went away with its last tag.
      if (hasCode(error, "ResourceNotFound")) return false;
      throw error;
    }
  }

  async function staysListed(tag: string, signal: AbortSignal): Promise<boolean> {
    for (const pause of [0, ...confirmationPauses]) {
      if (pause > 0) await clock.sleep(pause, signal);
      if (!(await isListed(tag, signal))) return false;
    }
    return true;
  }

  async function confirm(tag: string, signal: AbortSignal): Promise<TagDeletion> {
    try {
      if (!(await staysListed(tag, signal))) return { tag, failure: undefined };
    } catch (error) {
      return failed(tag, error, signal);
    }
    return {
      tag,
      failure: `TCR still lists ${path}:${tag} after its deletion. Run again, or delete it in the TCR console.`,
    };
  }

  async function deleteBatch(tags: readonly string[], signal: AbortSignal): Promise<readonly TagDeletion[]> {
    try {
      await request(tags, signal);
    } catch (error) {
      const single = tags.length === 1;
      // One tag that is missing or protected may fail the whole batch; the others must not stay for it.
      if (!single && (hasCode(error, "ResourceNotFound") || isProtected(error))) {
        return inTurn(tags, async (tag) => deleteBatch([tag], signal));
      }
      if (!hasCode(error, "ResourceNotFound")) return tags.map((tag) => failed(tag, explain(error), signal));
    }
    return inTurn(tags, async (tag) => [await confirm(tag, signal)]);
  }

  return {
    delete: (tags, signal) => inTurn(batches(tags), (batch) => deleteBatch(batch, signal)),
  };
}

/** Works through items one after the other: the API's rate limit leaves nothing to gain by doing more at once. */
async function inTurn<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(...(await work(item)));
  return results;
}

function batches(tags: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(tags.length / batchSize);
  return Array.from({ length: count }, (_, batch) => tags.slice(batch * batchSize, (batch + 1) * batchSize));
}

/** Harbor, which TCR is built on, refuses to delete a tag that an immutability rule covers with this code. */
function isProtected(error: unknown): error is OperationError {
  return hasCode(error, "FailedOperation.PreconditionFailed");
}

function explain(error: unknown): unknown {
  if (!isProtected(error)) return error;
  const advice =
    "An immutable tag rule of the namespace protects this tag: exclude it from the rule in the TCR console, or keep it.";
  return new OperationError({ ...error.details, advice }, { cause: error });
}

/** @throws the signal's reason when it aborted: then the whole run ends, not this tag. */
function failed(tag: string, error: unknown, signal: AbortSignal): TagDeletion {
  signal.throwIfAborted();
  return { tag, failure: messageOf(error) };
}
