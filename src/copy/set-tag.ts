import type { Manifest } from "../oci/manifest.ts";
import type { ManifestRole, Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";

/**
 * Sets a tag and reads it back. One that is not there afterwards is set once more.
 * @param role what the manifest is to an image, for messages.
 * @throws OperationError when the tag does not lead to the manifest.
 */
export async function setTag(
  repository: Repository,
  tag: string,
  manifest: Manifest,
  signal: AbortSignal,
  role: ManifestRole = "image",
): Promise<void> {
  for (const again of [true, false]) {
    await repository.putManifest(tag, manifest, signal, role);
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

/** Says why a tag was not set. */
export function tagFailure(repository: Repository, tag: string, problem: string): Error {
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "setting the tag",
    subject: tag,
  };
  return repository.registry.failure(request, { problem });
}
