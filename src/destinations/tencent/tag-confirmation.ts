import type { Clock } from "../../clock.ts";
import { failureOf } from "../../errors.ts";
import { failedDeletion, type TagDeletion } from "../destination.ts";

/** How the tags of one repository are deleted by a vendor's API that takes several at once. */
export interface BatchDeletion {
  /** `namespace/repository`, for messages. */
  readonly path: string;
  /** Most tags in one call. */
  readonly batchSize: number;
  readonly clock: Clock;
  /** Asks for the deletion of tags. Throws when it is refused. */
  request(tags: readonly string[], signal: AbortSignal): Promise<void>;
  /** Whether a tag is still there. */
  isListed(tag: string, signal: AbortSignal): Promise<boolean>;
  /** What a refused request means. `gone`: there was nothing to delete. `single`: one tag is refused, so each is tried alone. */
  judge(error: unknown): "gone" | "single" | "failed";
  /** Adds to a refusal what the user can do about it. */
  explain(error: unknown): unknown;
}

/**
 * Pauses before the second and third look at a tag that is still listed, in milliseconds. The API does not promise that a
 * deletion is complete when it answers. A few seconds tell a slow list from a deletion that did not happen.
 */
const confirmationPauses = [1000, 3000] as const;

/** Deletes tags and reads back that they are gone. Throws only the signal's reason. */
export function deleteInBatches(
  deletion: BatchDeletion,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  return inTurn(batches(tags, deletion.batchSize), (batch) => deleteBatch(deletion, batch, signal));
}

async function deleteBatch(
  deletion: BatchDeletion,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  try {
    await deletion.request(tags, signal);
  } catch (error) {
    const meaning = deletion.judge(error);
    // One tag that is missing or protected may fail the whole batch. The others must not stay because of it.
    if (tags.length > 1 && meaning !== "failed") {
      return inTurn(tags, async (tag) => deleteBatch(deletion, [tag], signal));
    }
    signal.throwIfAborted();
    if (meaning !== "gone") return tags.map((tag) => failedDeletion(tag, deletion.explain(error)));
  }
  return inTurn(tags, async (tag) => [await confirm(deletion, tag, signal)]);
}

async function confirm(deletion: BatchDeletion, tag: string, signal: AbortSignal): Promise<TagDeletion> {
  try {
    if (!(await staysListed(deletion, tag, signal))) return { tag, failure: undefined };
  } catch (error) {
    return failed(tag, error, signal);
  }
  const problem = "TCR still lists it after its deletion";
  const advice = "Run again, or delete it in the TCR console.";
  return { tag, failure: { kind: "obstacle", problem, subject: `${deletion.path}:${tag}`, advice } };
}

async function staysListed(deletion: BatchDeletion, tag: string, signal: AbortSignal): Promise<boolean> {
  for (const pause of [0, ...confirmationPauses]) {
    if (pause > 0) await deletion.clock.sleep(pause, signal);
    if (!(await deletion.isListed(tag, signal))) return false;
  }
  return true;
}

/** Works through items one after the other. With the API's rate limit, several at once would not be faster. */
async function inTurn<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(...(await work(item)));
  return results;
}

function batches(tags: readonly string[], size: number): readonly (readonly string[])[] {
  const count = Math.ceil(tags.length / size);
  return Array.from({ length: count }, (_, batch) => tags.slice(batch * size, (batch + 1) * size));
}

/** @throws the signal's reason when it aborted: then the whole run ends, not this tag. */
function failed(tag: string, error: unknown, signal: AbortSignal): TagDeletion {
  signal.throwIfAborted();
  return { tag, failure: failureOf(error) };
}
