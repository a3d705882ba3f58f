import { mebibyte, usualManners, usualRequests, type Vendor } from "./vendor.ts";

const ocync = "https://github.com/clowdhaus/ocync/blob/main/docs/src/content/registries";
const rulesImg = "https://github.com/bazel-contrib/rules_img/blob/main/docs/registry-support.md";
const quay = "https://github.com/quay/quay/blob/master/endpoints/v2";

/** Docker Hub, and the registries beside code. */
export const codeHosts: readonly Vendor[] = [
  {
    id: "docker-hub",
    name: "Docker Hub",
    hosts: "docker.io",
    host: /^docker\.io$/,
    login: {
      text: "`dockerhub-username` and `dockerhub-token`, or `docker/login-action`: a personal or an organisation access token. Or an OIDC connection.",
      source: "https://docs.docker.com/security/access-tokens/",
    },
    rights: {
      pull: 'A personal access token needs the permission "Repo Read-only" at least, an organisation access token `scope-image-pull` on this repository.',
      push:
        'Check `dockerhub-username` and `dockerhub-token`: a personal access token needs the permission "Repo Read & Write" and a user ' +
        "who may push to this namespace, an organisation access token `scope-image-push` on this repository. A tag that is " +
        "there already may be immutable by the repository's settings.",
      source: "https://docs.docker.com/security/access-tokens/reference/",
    },
    repositories: {
      madeBy: "push",
      text: "Made by the first push, with the default visibility of the account.",
      source: undefined,
    },
    listing: {
      route: "docker-hub",
      text: "By the Hub API: those that the login may see, else the public ones. An organisation access token needs `scope-repository-list` for the private ones, and Docker Hub does not say what it leaves out.",
      source: "https://docs.docker.com/reference/api/hub/latest/operations/listNamespaceRepositories/",
    },
    mount: {
      works: "yes",
      text: "Within Docker Hub, from what the login may read.",
      source: rulesImg,
    },
    upload: {
      form: { kind: "any" },
      text: "No known limit; chunks are sent only after a break.",
      source: "https://docs.docker.com/reference/api/registry/latest/",
    },
    deletion: {
      route: "docker-hub",
      text: "The Hub API takes the tag alone. The token needs the right to delete.",
      source: "https://docs.docker.com/reference/api/hub/latest/",
    },
    limits: {
      // It answered 429 to five cold connections, in the measurements of another tool (clowdhaus/ocync, `aimd.rs`).
      requests: { start: 4, ceiling: 16 },
      text: "Pulls in six hours, by account; a burst of cold connections was answered by 429, so it starts with four.",
      source: "https://docs.docker.com/docker-hub/usage/pulls/",
    },
  },
  {
    id: "ghcr",
    name: "GitHub Container Registry",
    hosts: "ghcr.io",
    host: /^ghcr\.io$/,
    login: {
      text: "Any user name and `GITHUB_TOKEN` (`packages: write`) or a classic token (`write:packages`), by `docker/login-action`.",
      source: "https://docs.github.com/packages/learn-github-packages/about-permissions-for-github-packages",
    },
    rights: {
      pull:
        "Log in to ghcr.io in an earlier step with a token that has `packages: read` (a classic one: `read:packages`), and give " +
        'the repository of this workflow access to the package ("Manage Actions access" in its settings), or make the package public.',
      push:
        "The token needs `packages: write` (a classic one: `write:packages`), and a package that exists already must give the " +
        'repository of this workflow the role Write ("Manage Actions access" in its settings).',
      source: "https://docs.github.com/packages/learn-github-packages/about-permissions-for-github-packages",
    },
    repositories: {
      madeBy: "push",
      text: "Made by the first push, private.",
      source: "https://docs.github.com/packages/learn-github-packages/about-permissions-for-github-packages",
    },
    listing: {
      route: "packages",
      text: "By the packages API, with a classic token that has `read:packages`: log in to ghcr.io with it, or give it as `github-token`. The token of a job gets no list.",
      source: "https://docs.github.com/rest/packages/packages#list-packages-for-an-organization",
    },
    mount: {
      works: "yes",
      text: "Within one user or organisation.",
      source: `${ocync}/ghcr.md`,
    },
    upload: {
      form: { kind: "whole" },
      text: "In one request only: of several chunks the last replaces the others. One that broke starts over.",
      source: `${ocync}/ghcr.md`,
    },
    deletion: {
      route: "packages",
      text: "The packages API deletes a version with all its tags, so a tag stays while another tag that stays has its digest. The token needs the role Admin on the package (a classic one: `delete:packages`); public versions of more than 5,000 downloads stay.",
      source: "https://docs.github.com/packages/learn-github-packages/deleting-and-restoring-a-package",
    },
    limits: {
      requests: usualRequests,
      text: "2,000 requests a minute for one login.",
      source: `${ocync}/ghcr.md`,
    },
    manners: {
      ...usualManners,
      grantsUnreadably: true,
      text: "Its tokens do not say what they grant; that for a public image is a no-op. One is asked for many packages at once.",
      source: "https://github.com/richlander/container-registry-api/blob/main/ghcr.md",
    },
  },
  {
    id: "gitlab",
    name: "GitLab Container Registry",
    hosts: "registry.gitlab.com, or your own (`type=gitlab`)",
    host: /^registry\.gitlab\.com$/,
    login: {
      text: "User and a personal, project or deploy token with `write_registry`; the token server is on another host.",
      source: "https://docs.gitlab.com/ee/user/project/deploy_tokens/",
    },
    repositories: {
      madeBy: "push",
      text: "The project must be there; repositories below its path are made by the first push.",
      source:
        "https://github.com/gitlabhq/gitlabhq/blob/master/app/services/auth/container_registry_authentication_service.rb",
    },
    listing: {
      route: "catalog",
      text: "`_catalog`, which is for administrators.",
      source:
        "https://github.com/gitlabhq/gitlabhq/blob/master/app/services/auth/container_registry_authentication_service.rb",
    },
    mount: { works: "unknown", text: "Unknown; tried, and uploaded where it is refused.", source: undefined },
    upload: {
      form: { kind: "any" },
      text: "No known limit; chunks are sent only after a break.",
      source: undefined,
    },
    deletion: {
      route: "registry",
      alone: true,
      text: "DELETE by tag takes the tag alone. The token needs the scope `api`: `write_registry` may push, but not delete.",
      source: "https://gitlab.com/gitlab-org/container-registry/-/blob/master/docs/spec/api.md",
    },
    limits: { requests: usualRequests, text: "Not known; a 429 is waited for.", source: undefined },
  },
  {
    id: "quay",
    name: "Quay",
    hosts: "quay.io, or your own (`type=quay`)",
    host: /^quay\.io$/,
    login: {
      text: "A robot (`<organisation>+<robot>`) and its token, or `$oauthtoken` and an OAuth token.",
      source: `${quay}/v2auth.py`,
    },
    repositories: {
      madeBy: "push",
      text: "Made by the first push, private, where the robot may create repositories.",
      source: `${quay}/v2auth.py`,
    },
    listing: {
      route: "quay",
      text: "By Quay's API: the public ones, and with an OAuth token (user `$oauthtoken`) those that it may see. It takes no robot.",
      source: "https://github.com/quay/quay/blob/master/endpoints/api/repository.py",
    },
    mount: { works: "yes", text: "Where the login may read the other repository.", source: undefined },
    upload: {
      form: { kind: "any" },
      text: "No known limit; chunks are sent only after a break.",
      source: undefined,
    },
    deletion: {
      route: "registry",
      alone: true,
      text: "DELETE by tag takes the tag alone, with the right to write.",
      source: `${quay}/manifest.py`,
    },
    limits: { requests: usualRequests, text: "Not known; a 429 is waited for.", source: undefined },
    manners: {
      // A token for pushing to a repository that is not there makes it: a dry run would leave something behind.
      reading: ["pull"],
      deleting: ["pull", "push"],
      absent: [401],
      text: "It is asked with a token for pulling only: one for pushing makes the repository at once. What is not there is answered by 401. The action `delete` is refused by its token server.",
      source: `${quay}/v2auth.py`,
    },
  },
  {
    id: "artifactory",
    name: "JFrog Artifactory",
    hosts: "<name>.jfrog.io, or your own (`type=artifactory`)",
    host: /\.jfrog\.io$/,
    login: {
      text: "User and password or identity token, by `docker/login-action`.",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/jfrog/adapter.go",
    },
    repositories: {
      madeBy: "user",
      text: "The Docker repository, which is the first part of the path, must be there; images in it are made by the first push.",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/jfrog/adapter.go",
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried; Harbor reads it of each Docker repository by itself.",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/jfrog/adapter.go",
    },
    mount: {
      works: "referenced",
      text: "Only what a manifest holds already, as another tool found; tried, and uploaded where it is refused.",
      source: rulesImg,
    },
    upload: {
      form: { kind: "patched", chunk: 64 * mebibyte },
      text: "By PATCH, at most 64 MiB at a time, and an empty PUT: an upload in a single PUT failed (RTFACT-19344).",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/jfrog/adapter.go",
    },
    deletion: {
      route: "artifactory",
      text: "`DELETE /artifactory/<repository>/<image>/<tag>` takes the tag alone. Only with the repository as first part of the path.",
      source:
        "https://jfrog.com/help/r/jfrog-artifactory-documentation/deletion-and-cleanup-of-docker-tags-and-repositories",
    },
    limits: { requests: usualRequests, text: "Not known; a 429 is waited for.", source: undefined },
    manners: {
      ...usualManners,
      absent: [403],
      text: "What is not there may be answered by 403.",
      source: "https://jfrog.atlassian.net/browse/RTFACT-13797",
    },
  },
];
