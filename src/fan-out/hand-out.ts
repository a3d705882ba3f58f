import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { CopyStep, Plan } from "../plan/plan.ts";
import type { PlanDocument } from "./document.ts";
import { cutIntoShares } from "./shares.ts";

/**
 * The plan as the other jobs get it: what is copied, in shares by destination, and what is pruned.
 * @param inputs digest of the inputs that it was made from.
 * @param most shares for each destination.
 * @param blobsOf the blobs of an image; none when they are not known, which only makes shares less even.
 */
export function handOut(
  plan: Plan,
  inputs: Digest,
  most: number,
  blobsOf: (step: CopyStep) => readonly Pick<Descriptor, "digest" | "size">[],
): Omit<PlanDocument, "schemaVersion"> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  const shares = [...Map.groupBy(steps, (step) => step.destination).values()].flatMap((own) =>
    cutIntoShares(
      own.map((item) => ({ item, blobs: blobsOf(item) })),
      most,
    ),
  );
  const shareOf = new Map(shares.flatMap((own, index) => own.map((step) => [step, index + 1] as const)));
  return {
    inputs,
    repository: plan.repository,
    versions: [...plan.versions],
    // The copies of one image stand side by side: gzip then stores its digest once.
    copies: steps
      .toSorted((one, other) => compare(keyOf(one), keyOf(other)))
      .map((step) => plannedCopy(step, shareOf.get(step) ?? 1)),
    prunes: plan.steps
      .filter((step) => step.kind === "prune")
      .map(({ destination, version, image, tag, untagged }) => ({
        destination,
        version,
        image,
        tag,
        untagged,
      })),
  };
}

function plannedCopy(step: CopyStep, share: number): PlanDocument["copies"][number] {
  const { destination, version, image, tag, source } = step;
  return {
    destination,
    version,
    image,
    tag,
    digest: source.digest,
    share,
  };
}

function keyOf({ version, image, tag, destination }: CopyStep): string {
  return [version, image, tag, destination].join(" ");
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
