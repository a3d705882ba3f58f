import { china } from "./china.ts";
import { clouds } from "./clouds.ts";
import { codeHosts } from "./code-hosts.ts";
import { servers } from "./servers.ts";
import { type HostParts, type Manners, usualManners, type Vendor, type VendorId } from "./vendor.ts";

/**
 * Everything that differs between registries and is not found out at run time: the one table that the code goes by, and
 * that `docs/registries.md` shows.
 */
export const vendors: readonly Vendor[] = [...codeHosts, ...clouds, ...china, ...servers];

/**
 * The row of a registry, by its host name.
 * @param as what the user says that it is, for a domain of one's own; wins over the name. `registry` says nothing of it.
 */
export function vendorOf(registry: string, as?: VendorId | "registry"): Vendor {
  const host = hostOf(registry);
  const found =
    as === undefined || as === "registry"
      ? vendors.find((vendor) => vendor.host?.test(host))
      : vendors.find((vendor) => vendor.id === as);
  const [last] = vendors.slice(-1);
  if (found !== undefined) return found;
  if (last === undefined) throw new Error("the table of registries is empty");
  return last;
}

/** What the host name of a registry tells, by the named groups of the row that it matches. */
export function hostParts(registry: string): HostParts {
  return vendorOf(registry).host?.exec(hostOf(registry))?.groups ?? {};
}

function hostOf(registry: string): string {
  return registry.replace(/:[0-9]+$/, "");
}

/** The manners of a registry, or the usual ones. */
export function mannersOf(vendor: Vendor): Manners {
  return vendor.manners ?? usualManners;
}
