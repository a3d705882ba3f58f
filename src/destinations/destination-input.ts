import type { Namespace } from "../oci/reference.ts";
import type { Retention } from "../plan/retention.ts";
import type { VendorId } from "../vendors/vendor.ts";

/** A destination as the user asks for it: one line of the `destinations` input. */
export interface DestinationInput extends Namespace {
  /**
   * The row of the table of registries: the one that the line names, else that of the host name. `registry`: the line asks for
   * the registry API alone, even where the vendor has another.
   */
  readonly type: VendorId | "registry";
  readonly retention: Retention;
  /** Base URL of the vendor API, when not the usual one. */
  readonly api: URL | undefined;
  /** Origin of the token server on another host that may have the registry's login. */
  readonly tokenServer: URL | undefined;
  readonly registryId: string | undefined;
  readonly region: string | undefined;
  /** Whether a TCR namespace that has to be created is made public. */
  readonly public: boolean;
  /** Whether images keep BuildKit's attestations in their index here. */
  readonly attestations: boolean;
  /** Another mechanism fills it, such as a synchronisation rule: it is never written to, and its images are waited for. */
  readonly filledBySync?: true;
}

/**
 * Whether a destination is one like any other: only the Docker configuration has its login. Docker Hub's and TCR's may come
 * from inputs.
 */
export function isPlainRegistry({ type }: Pick<DestinationInput, "type">): boolean {
  return type !== "docker-hub" && type !== "tcr" && type !== "tcr-personal";
}
