import type { SlotLimits } from "../http/slots.ts";

/** The registries that are known by name. The name is also a value of the attribute `type`, for a domain of one's own. */
export const vendorIds = [
  "docker-hub",
  "tcr",
  "tcr-personal",
  "ecr",
  "ecr-public",
  "acr",
  "artifact-registry",
  "ghcr",
  "gitlab",
  "quay",
  "artifactory",
  "alibaba",
  "swr",
  "volcengine",
  "harbor",
  "distribution",
] as const;

export type VendorId = (typeof vendorIds)[number];

/** What is known of a registry, and where it was read. */
export interface Fact {
  /** One or two sentences for people. */
  readonly text: string;
  /** Public address of the page or code that says so; undefined where nothing was found, and the text says that. */
  readonly source: string | undefined;
}

/**
 * How blobs are sent. `any`: in one request, and in chunks after a connection broke. `whole`: several chunks break an
 * upload, so one that broke starts over. `limited`: at most so many bytes a request. `patched`: bytes go by PATCH only, so
 * many at a time, and the PUT at the end is empty.
 */
export type UploadForm =
  | { readonly kind: "any" | "whole" }
  | { readonly kind: "limited" | "patched"; readonly chunk: number };

/**
 * How tags are deleted. `docker-hub` and `tcr`: by destinations of their own. `registry`: DELETE by tag, and by digest where
 * that is refused. `none`: not at all with the logins that there are. All others: a vendor's own API.
 */
export type DeletionRoute =
  | "docker-hub"
  | "tcr"
  | "registry"
  | "harbor"
  | "acr"
  | "ecr"
  | "packages"
  | "artifactory"
  | "none";

/**
 * How repositories are listed. `catalog`: by the list of the distribution project, or by Harbor's API where the registry turns
 * out to be one. All others: a vendor's own API, where these logins can use it.
 */
export type ListingRoute =
  | "docker-hub"
  | "packages"
  | "quay"
  | "ecr"
  | "tcr"
  | "tcr-personal"
  | "harbor"
  | "catalog";

/** How a registry's token server and answers differ from the specifications. */
export interface Manners {
  /** Actions of the token with which a destination is asked what it holds. */
  readonly reading: readonly string[];
  /** Actions of the token with which a manifest is deleted. */
  readonly deleting: readonly string[];
  /** Statuses beside 404 that a destination gives for what is not there. */
  readonly absent: readonly number[];
  /**
   * Present where a token does not say what it grants, and grants all that was asked for. Elsewhere, such a token serves one
   * repository.
   */
  readonly grantsUnreadably?: true;
}

/** What a host name tells of a registry. */
export interface HostParts {
  /** Of AWS: number of the account, region, and the domain of its APIs. */
  readonly account?: string;
  readonly region?: string;
  readonly domain?: string;
  /** Name of a TCR instance. */
  readonly instance?: string;
  /** Set where the name leads past the public endpoint. */
  readonly private?: string;
  /** First label of TCR Personal, which stands for a region. */
  readonly prefix?: string;
}

/** The rights that a login needs, in words for the user. */
export interface Rights {
  /** After a refused read. */
  readonly pull: string;
  /** After a refused write. */
  readonly push: string;
  /** After "no such repository" to a write; undefined: what the row says of repositories. */
  readonly create?: string;
  /** Where this runner cannot reach the registry at all. Undefined: the network is the likely reason. */
  readonly shutOut?: string;
  readonly source: string;
}

/** One registry of the ecosystem: what the code goes by, and the same in words with its source. */
export interface Vendor {
  readonly id: VendorId;
  readonly name: string;
  /** Host names, for people; undefined where it runs anywhere. */
  readonly hosts: string | undefined;
  /**
   * Matches its host names, the port aside; undefined where they say nothing. Its named groups are those of
   * `HostParts`.
   */
  readonly host: RegExp | undefined;
  /** Matches its token servers that have nothing in common with the registry's own name. They may have its login. */
  readonly tokenServer?: RegExp | undefined;
  readonly login: Fact;
  /** Undefined: nothing that a user could not guess. */
  readonly rights?: Rights | undefined;
  /** `push`: the first push makes a repository. `api`: made here, by the vendor's API. `user`: must be there. */
  readonly repositories: Fact & { readonly madeBy: "push" | "api" | "user" };
  readonly listing: Fact & { readonly route: ListingRoute };
  /**
   * Whether a blob can be mounted from another repository. Where a mount is refused, the blob is uploaded. `referenced`: only
   * a blob that a manifest refers to can be mounted.
   */
  readonly mount: Fact & { readonly works: "yes" | "referenced" | "unknown" };
  readonly upload: Fact & { readonly form: UploadForm };
  /** `alone`: the registry's own API deletes a tag by its name and leaves the other tags of its digest. */
  readonly deletion: Fact & { readonly route: DeletionRoute; readonly alone?: true };
  /** Small requests at a time. */
  readonly limits: Fact & { readonly requests: SlotLimits };
  /**
   * Why an upload that is opened and cancelled leaves no repository behind. Undefined: no source says so, and none is opened
   * just to see whether it works.
   */
  readonly uploadGivenUp?: Fact | undefined;
  /** Undefined: as the specifications have it. */
  readonly manners?: Fact & Manners;
}

/**
 * Small requests (HEAD, manifests, tags, upload starts) at one registry at a time. All images of a release are asked for at
 * once: with a far registry, each further round costs a round trip in which nothing moves. Sixteen in flight are 80 requests
 * a second at 200 ms, under every published limit.
 */
export const usualRequests: SlotLimits = { start: 12, ceiling: 16 };

/** The manners of the specifications: one token for reading and writing, `delete` to delete, 404 for what is not there. */
export const usualManners: Manners = {
  reading: ["pull", "push"],
  deleting: ["pull", "push", "delete"],
  absent: [],
};

/** One mebibyte, in bytes. */
export const mebibyte = 1024 * 1024;
