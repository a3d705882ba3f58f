import { type Namespace, parseNamespace, printNamespace, sameNamespace } from "../../oci/reference.ts";
import { linesOf } from "../values.ts";
import type { Surroundings } from "./fields.ts";

/** What the step's input `destinations` says to a file: where images go that have no target, and what the file cannot say of one. */

/** How many versions are kept, a line of the step says of what the step brings there itself. */
const ownAttributes = /^keep(?:-by)?=/;

export function stepDestinations(text: string): Pick<Surroundings, "keepsNamespaces" | "destinationLine"> {
  const lines = linesOf(text).flatMap((line) => {
    const [name = "", ...attributes] = line.split(",").map((item) => item.trim());
    const place = parseNamespace(name);
    return place === undefined ? [] : [{ place, attributes }];
  });
  return {
    keepsNamespaces: lines.length > 0 && lines.every(({ place }) => place.path === ""),
    destinationLine: (place) => [printNamespace(place), ...attributesOf(place)].join(","),
  };

  /** Those of the same place, else of its registry. */
  function attributesOf(place: Namespace): readonly string[] {
    const { attributes = [] } =
      lines.find((line) => sameNamespace(line.place, place)) ??
      lines.find((line) => sameNamespace(line.place, { ...place, path: "" })) ??
      {};
    return attributes.filter((attribute) => !ownAttributes.test(attribute));
  }
}
