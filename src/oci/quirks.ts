import type { SlotLimits } from "./slots.ts";

/**
 * Small requests (HEAD, manifests, tags, upload starts) at one registry at a time. As many as a release has images go out
 * at once: towards a far registry, each further round is a round trip in which nothing moves. Sixteen in flight are 80
 * requests a second at 200 ms, under every published limit.
 */
const usualRequests: SlotLimits = { start: 12, ceiling: 16 };

/** Docker Hub answered 429 to five cold connections, in the measurements of another tool (clowdhaus/ocync, `aimd.rs`). */
const dockerHubRequests: SlotLimits = { start: 4, ceiling: 16 };

/** How many small requests a registry gets at a time. */
export function requestSlotsOf(registry: string): SlotLimits {
  return registry === "docker.io" ? dockerHubRequests : usualRequests;
}

/**
 * What is different about the uploads of registries, by host. Everything else is asked for and found out at run time.
 */
export interface UploadQuirk {
  readonly host: RegExp;
  /** `never`: several chunks break an upload, so one that broke starts over. `always`: at most so many bytes a request. */
  readonly chunks: "never" | { readonly limit: number };
  /** Where it is known from. */
  readonly source: string;
}

const mebibyte = 1024 * 1024;

export const uploadQuirks: readonly UploadQuirk[] = [
  {
    host: /^ghcr\.io$/,
    chunks: "never",
    source: "with several PATCHes, the last one replaces the others (clowdhaus/ocync, docs on registries)",
  },
  {
    host: /(^|\.)gcr\.io$|-docker\.pkg\.dev$/,
    chunks: "never",
    source:
      "Artifact Registry takes one PUT or one PATCH, not several chunks (clowdhaus/ocync, docs on registries)",
  },
  {
    host: /\.azurecr\.(io|cn|us)$/,
    chunks: { limit: 16 * mebibyte },
    source: "a streamed body of more than about 20 MB is refused (clowdhaus/ocync, docs on registries)",
  },
  {
    host: /\.jfrog\.io$/,
    chunks: { limit: 64 * mebibyte },
    source: "an upload in a single PUT failed (RTFACT-19344; goharbor/harbor uses PATCH and PUT)",
  },
];

/** What to mind when uploading to a registry; undefined for most. */
export function uploadQuirkOf(registry: string): UploadQuirk | undefined {
  const host = registry.replace(/:[0-9]+$/, "");
  return uploadQuirks.find((quirk) => quirk.host.test(host));
}
