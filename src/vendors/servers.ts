import { usualRequests, type Vendor } from "./vendor.ts";

const ownLimits = {
  requests: usualRequests,
  text: "Those of its operator; a 429 is waited for.",
  source: undefined,
} as const;

/** Registries that people run themselves. */
export const servers: readonly Vendor[] = [
  {
    id: "harbor",
    name: "Harbor",
    hosts: "your own (`type=harbor`)",
    host: undefined,
    login: {
      text: "A robot (`robot$<project>+<name>`) and its secret, or a user; who signs in by OIDC uses the CLI secret.",
      source: "https://github.com/goharbor/harbor/issues/20738",
    },
    repositories: {
      madeBy: "push",
      text: "The project must be there; repositories are made by the first push.",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/harbor/base/adapter.go",
    },
    listing: {
      route: "harbor",
      text: "By Harbor's API: those of a public project, and those that the login may list (`List Repository` for a robot).",
      source: "https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml",
    },
    mount: {
      works: "yes",
      text: "Where the login may read the other repository.",
      source: "https://github.com/bazel-contrib/rules_img/blob/main/docs/registry-support.md",
    },
    upload: {
      form: { kind: "any" },
      text: "No known limit but that of a proxy in front; chunks are sent only after a break.",
      source: undefined,
    },
    deletion: {
      route: "harbor",
      text: "The Harbor API takes the tag alone, and then the artifact, if no tag is left on it. The robot needs Delete Tag, and Read and Delete Artifact. Whether it has them is tried before anything is copied, and a version with an immutable tag is left.",
      source: "https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml",
    },
    limits: ownLimits,
    uploadGivenUp: {
      text: "Leaves nothing behind: a repository is made with its first manifest.",
      source: "https://github.com/goharbor/harbor/blob/main/src/server/registry/manifest.go",
    },
  },
  {
    id: "distribution",
    name: "Any other registry",
    hosts: "your own (distribution, zot, Nexus)",
    host: undefined,
    login: {
      text: "What the Docker configuration holds; none for a registry that asks for none.",
      source: "https://distribution.github.io/distribution/spec/auth/token/",
    },
    repositories: {
      madeBy: "push",
      text: "Made by the first push, as the specification has it.",
      source: "https://github.com/opencontainers/distribution-spec/blob/main/spec.md",
    },
    listing: {
      route: "catalog",
      text: "`_catalog`, for a login that may read it; where the registry calls itself Harbor, its API, for a login with `List Repository`.",
      source: "https://distribution.github.io/distribution/spec/api/#listing-repositories",
    },
    mount: {
      works: "yes",
      text: "Tried, and uploaded where it is refused.",
      source:
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository",
    },
    upload: {
      form: { kind: "any" },
      text: "In one request; in chunks after a break.",
      source:
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks",
    },
    deletion: {
      route: "registry",
      text: "DELETE by tag; where that is refused, by digest if no other tag that stays has it. Version 2 of distribution deletes by digest only, and only with `storage.delete.enabled`.",
      source: "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags",
    },
    limits: ownLimits,
  },
];
