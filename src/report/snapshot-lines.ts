import { sentenceOf } from "../errors.ts";
import { failureTextLimit, printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import { printReference } from "../oci/reference.ts";
import type { DestinationSnapshot, Snapshot, WantedVersion } from "../plan/snapshot.ts";
import { countOf, listOf } from "../wording.ts";

/** Most missing images that a line names. */
const namedLimit = 12;

/** What was seen before the plan was made, for the log: each wanted version at the sources, then what each destination has of them. */
export function snapshotLines({ wanted, destinations }: Snapshot, paint: Paint): readonly string[] {
  const images = wanted.reduce((sum, { components }) => sum + components.length, 0);
  return [
    ...wanted.map((version) => versionLine(version, paint)),
    ...destinations.map((destination) => destinationLine(destination, images, paint)),
  ];
}

function versionLine({ version, components, missing }: WantedVersion, paint: Paint): string {
  const images = countOf(components.length, "image");
  if (missing.length === 0) return `${paint.good("✓")} ${version.tag} has ${images}, each at a source`;
  const names = missing.map(({ component }) => printReference(component.from, component.fromTag));
  return `${paint.bad("✗")} ${version.tag} has ${images}; at no source: ${listOf(names, namedLimit)}`;
}

function destinationLine(
  { name, failure, digests }: DestinationSnapshot,
  images: number,
  paint: Paint,
): string {
  return failure === undefined
    ? `${paint.good("✓")} ${name} has ${digests.size} of ${countOf(images, "wanted tag")}`
    : `${paint.bad("✗")} ${name}: ${printable(sentenceOf(failure), failureTextLimit)}`;
}
