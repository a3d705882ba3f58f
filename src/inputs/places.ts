import { printNamespace, repositoryOf, sameNamespace } from "../oci/reference.ts";
import type { RouteInputs } from "./types.ts";
import type { Mistake } from "./values.ts";

/** The namespaces that images come from: of several sources for the same images that of the first, and those that lines name. */
export function homesOf(sources: RouteInputs["sources"]): readonly string[] {
  const [first] = sources;
  const named = sources.filter(({ onlyNamed }) => onlyNamed === true);
  return [...new Set([...(first === undefined ? [] : [first]), ...named].map(({ path }) => path))];
}

/** An instance of TCR as a whole has a namespace in front of each image. */
export function refuseWithoutNamespace(
  { images, destinations }: Pick<RouteInputs, "images" | "destinations">,
  mistake: Mistake,
): void {
  const whole = destinations.find(({ type, path }) => type === "tcr" && path === "");
  if (whole === undefined) return;
  if (images === "auto")
    mistake(`Harbor's images have no namespace of their own: name one on the line of ${whole.registry}`);
  for (const to of images === "auto"
    ? []
    : images.map((rule) => rule.to).filter((each) => !each.includes("/")))
    mistake(
      `${to} has no namespace, and at ${whole.registry} an image needs one: name it on the line of the destination, or write ${to} => <namespace>/${to}`,
    );
}

/**
 * A source that is the destination itself is passed over; a repository that is both, under two namespaces, cannot be told so, and
 * what is pruned would be the only copy.
 */
export function refuseOwnRepositories(
  { images, sources, destinations }: Pick<RouteInputs, "images" | "sources" | "destinations">,
  mistake: Mistake,
): void {
  for (const { source, from, to } of images === "auto" ? [] : images) {
    const places = source === undefined ? sources.filter(({ onlyNamed }) => onlyNamed !== true) : [source];
    for (const place of places) {
      const own = destinations.find(
        (each) =>
          each.registry === place.registry &&
          !sameNamespace(each, place) &&
          repositoryOf(each, to) === repositoryOf(place, from),
      );
      if (own !== undefined)
        mistake(
          `${from} of ${printNamespace(place)} is what ${printNamespace(own)} has as ${to}: it would be its own copy`,
        );
    }
  }
}
