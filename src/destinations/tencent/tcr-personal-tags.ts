import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { deleteInBatches } from "./tag-confirmation.ts";
import type { TcrTags } from "./tcr-tags.ts";
import { hasCode, type TencentApi } from "./tencent-api.ts";

/** What calls an action of the Personal edition in its region. */
export interface TcrPersonal {
  readonly api: TencentApi;
  readonly region: string;
}

/** Most tags in one `BatchDeleteImagePersonal`. No limit is documented, so that of the Enterprise edition is used. */
const batchSize = 20;

/** Largest page of `DescribeImagePersonal`. */
const pageLimit = 100;

/** Most pages that are read for one tag: 10,000 tags whose names contain it. It also bounds a server that invents new ones. */
const mostPages = 100;

const imagesSchema = v.object({
  Data: v.object({ TagInfo: v.nullish(v.array(v.object({ TagName: v.string() })), []) }),
});

/**
 * The tags of one repository of the Personal edition.
 * @param path `namespace/repository`.
 */
export function personalTags(
  { api, region }: TcrPersonal,
  clock: Clock,
  path: string,
): Pick<TcrTags, "delete"> {
  async function request(tags: readonly string[], signal: AbortSignal): Promise<void> {
    const subject = tags.length === 1 ? `the tag ${tags[0]}` : `${tags.length} tags`;
    const parameters = { RepoName: path, Tags: tags };
    const call = {
      action: "BatchDeleteImagePersonal",
      operation: "deleting",
      subject,
      repository: path,
      region,
      parameters,
      signal,
    };
    await api.call(call, v.object({}));
  }

  /** Here the tag is a search text, and offsets count entries, not pages as in the Enterprise edition. */
  async function isListed(tag: string, signal: AbortSignal): Promise<boolean> {
    const operation = "reading back the tag";
    const seen = new Set<string>();
    for (let page = 0; page < mostPages; page++) {
      const parameters = { RepoName: path, Tag: tag, Limit: pageLimit, Offset: page * pageLimit };
      const call = {
        action: "DescribeImagePersonal",
        operation,
        subject: tag,
        repository: path,
        region,
        parameters,
        signal,
      };
      const names = (await api.call(call, imagesSchema)).Data.TagInfo.map(({ TagName }) => TagName);
      if (names.includes(tag)) return true;
      if (names.every((name) => seen.has(name))) return false;
      for (const name of names) seen.add(name);
    }
    return false;
  }

  async function isListedAtAll(tag: string, signal: AbortSignal): Promise<boolean> {
    try {
      return await isListed(tag, signal);
    } catch (error) {
      // The repository went away with its last tag.
      if (hasCode(error, "ResourceNotFound")) return false;
      throw error;
    }
  }

  const judge = (error: unknown) => (hasCode(error, "ResourceNotFound") ? "gone" : "failed");
  const explain = (error: unknown) => error;
  const deletion = { path, batchSize, clock, request, isListed: isListedAtAll, judge, explain } as const;
  return { delete: (tags, signal) => deleteInBatches(deletion, tags, signal) };
}
