import type { Namespace } from "../oci/reference.ts";
import type { Retention } from "../plan/retention.ts";
import type { DestinationType, VendorId } from "../vendors/vendor.ts";

/** A destination as the user asks for it: one line of the `destinations` input. */
export interface DestinationInput extends Namespace {
  readonly type: DestinationType;
  /** Vendor of the registry, if the user names it; undefined: its host name tells. */
  readonly vendor?: VendorId | undefined;
  readonly retention: Retention;
  /** Base URL of the vendor API, when not the usual one. */
  readonly api: URL | undefined;
  readonly registryId: string | undefined;
  readonly region: string | undefined;
  /** Whether a TCR namespace that has to be created is made public. */
  readonly public: boolean;
}
