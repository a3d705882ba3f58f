import type { DescriptorPlatform } from "../oci/manifest.ts";
import type { Platform } from "../oci/platform.ts";

/** Which platforms of an index are wanted; undefined: all. A platform without a variant stands for all its variants. */
export function platformFilter(
  platforms: "all" | readonly Platform[],
): ((of: DescriptorPlatform) => boolean) | undefined {
  if (platforms === "all") return undefined;
  return (of) =>
    platforms.some(
      ({ os, architecture, variant }) =>
        os === of.os && architecture === of.architecture && (variant === undefined || variant === of.variant),
    );
}
