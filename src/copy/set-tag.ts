import { OperationError } from "../errors.ts";
import { defaultRetryPolicy, delayBefore } from "../http/retry.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { ManifestRole, Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";

/** Looks at a tag before it is put again. @throws OperationError where it is not to be set any more. */
export type LookAgain = () => Promise<void>;

/**
 * Sets a tag and reads it back. One that is not there afterwards is set once more.
 * @param role what the manifest is to an image, for messages.
 * @throws OperationError when the tag does not lead to the manifest.
 */
export async function setTag(
  repository: Repository,
  tag: string,
  manifest: Manifest,
  lookAgain: LookAgain,
  signal: AbortSignal,
  role: ManifestRole = "image",
): Promise<void> {
  for (const again of [true, false]) {
    await putTag(repository, tag, manifest, lookAgain, signal, role);
    const found = await unlessWithheld(repository.resolve(tag, signal));
    // The tag is there, and its digest is the one that the answer to the PUT has confirmed.
    if (found === "withheld") return;
    const present = found?.digest;
    if (present === manifest.digest) return;
    if (present !== undefined)
      throw tagFailure(repository, tag, `the tag was set, and now leads to ${present}: another has moved it`);
    if (!again)
      throw tagFailure(repository, tag, "the registry said that it had set the tag, and does not have it");
  }
}

/**
 * Puts a tag, and puts it again after trouble that passes. A registry can ask for a pause of minutes, in which others push:
 * before each further try, the tag is looked at.
 */
async function putTag(
  repository: Repository,
  tag: string,
  manifest: Manifest,
  lookAgain: LookAgain,
  signal: AbortSignal,
  role: ManifestRole,
): Promise<void> {
  const policy = defaultRetryPolicy;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await repository.putManifest(tag, manifest, signal, role);
      return;
    } catch (error) {
      if (!(error instanceof OperationError) || !error.temporary || attempt >= policy.attempts) throw error;
      const pause = delayBefore(attempt, policy, error.details.retryAfterMs);
      await repository.registry.clock.sleep(pause, signal);
      await lookAgain();
    }
  }
}

/** Says why a tag was not set. */
export function tagFailure(repository: Repository, tag: string, problem: string): Error {
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "setting the tag",
    subject: tag,
  };
  return repository.registry.failure(request, { problem });
}
