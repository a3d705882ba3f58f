import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { OperationError } from "../../errors.ts";
import type { Finding, TagDeletion } from "../destination.ts";
import { deleteInBatches } from "./tag-confirmation.ts";
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
  /**
   * Lists an image, which is how a deletion is read back. The deletion itself cannot be tried without deleting.
   * @throws OperationError when the key may not even do that.
   */
  tryDeletion(signal: AbortSignal): Promise<Finding>;
}

/** Most tags in one `DeleteRepositoryTags`, by the vendor's SDK (`DeleteRepositoryTagsRequest` of package tcr, 2019-09-24). */
const batchSize = 20;

const imagesSchema = v.object({
  ImageInfoList: v.nullish(v.array(v.object({ ImageVersion: v.string() })), []),
  TotalCount: v.nullish(v.number()),
});

/**
 * Why what has no tag stays. `DeleteImage` takes a tag, too, and nothing says that it takes a digest.
 * https://www.tencentcloud.com/document/api/1051/50726
 */
export const tagsOnly = "TCR's API deletes by tag only";

/** The tags of one repository of a TCR instance. */
export function tcrTags(instance: TcrInstance, clock: Clock, repository: TcrRepository): TcrTags {
  const path = `${repository.namespace}/${repository.name}`;
  const names = { NamespaceName: repository.namespace, RepositoryName: repository.name };

  async function request(tags: readonly string[], signal: AbortSignal): Promise<void> {
    const subject = tags.length === 1 ? `the tag ${tags[0]}` : `${tags.length} tags`;
    const parameters = { ...names, Tags: tags };
    const call = {
      action: "DeleteRepositoryTags",
      operation: "deleting",
      subject,
      repository: path,
      parameters,
      signal,
    };
    await instance.call(call, v.object({}));
  }

  async function isListed(tag: string, signal: AbortSignal): Promise<boolean> {
    const operation = "reading back the tag";
    const read = async (page: number) => {
      const parameters = { ...names, ImageVersion: tag, ExactMatch: true, Limit: pageSize, Offset: page };
      const call = {
        action: "DescribeImages",
        operation,
        subject: tag,
        repository: path,
        parameters,
        signal,
      };
      const { ImageInfoList, TotalCount } = await instance.call(call, imagesSchema);
      return { entries: ImageInfoList, total: TotalCount };
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

  async function tryDeletion(signal: AbortSignal): Promise<Finding> {
    const parameters = { ...names, Limit: 1, Offset: 1 };
    const operation = "listing images";
    const call = { action: "DescribeImages", operation, repository: path, parameters, signal };
    try {
      await instance.call(call, imagesSchema);
    } catch (error) {
      // The repository does not exist, but the key was allowed to ask.
      if (!hasCode(error, "ResourceNotFound")) throw error;
    }
    return {
      outcome: "unknown",
      finding:
        "The key may list images (`tcr:DescribeImages`); whether it may delete tags, TCR tells only when one is deleted.",
      remedy: "See that the policy of the key or role has `tcr:DeleteRepositoryTags` on this namespace.",
    };
  }

  const deletion = { path, batchSize, clock, request, isListed, judge, explain };
  return { tryDeletion, delete: (tags, signal) => deleteInBatches(deletion, tags, signal) };
}

function judge(error: unknown): "gone" | "single" | "failed" {
  if (hasCode(error, "ResourceNotFound")) return "gone";
  return isProtected(error) ? "single" : "failed";
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
