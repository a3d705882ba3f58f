import { mebibyte, usualManners, usualRequests, type Vendor } from "./vendor.ts";

const ocync = "https://github.com/clowdhaus/ocync/blob/main/docs/src/content/registries";
const rulesImg = "https://github.com/bazel-contrib/rules_img/blob/main/docs/registry-support.md";
const harborAdapters = "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter";

/** The registries of AWS, Azure and Google. */
export const clouds: readonly Vendor[] = [
  {
    id: "ecr",
    name: "Amazon ECR",
    hosts: "<account>.dkr.ecr.<region>.amazonaws.com",
    host: /^(?<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?<region>[a-z0-9-]+)\.(?<domain>amazonaws\.com(?:\.cn)?)$/,
    login: {
      text: "User `AWS` and a password for 12 hours, by Basic; `aws-actions/amazon-ecr-login` and the helper `ecr-login` give it.",
      source: `${ocync}/ecr.md`,
    },
    rights: {
      pull: "The role needs `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer` on this repository.",
      push: "The role needs the actions of AWS's page on pushing an image, `ecr:PutImage` among them, on this repository.",
      create:
        "ECR makes no repository on a push: make it there, or a repository creation template for this prefix, or set the AWS key " +
        "in the environment, with which it is made here.",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html",
    },
    repositories: {
      madeBy: "api",
      text: "Must be there: made here with the AWS key of the environment, else by you or by a creation template.",
      source: `${harborAdapters}/awsecr/adapter.go`,
    },
    listing: {
      route: "ecr",
      text: "`DescribeRepositories`, with the AWS key of the environment; without one, `_catalog` is tried.",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html",
    },
    mount: {
      works: "referenced",
      text: "Only where the account has `BLOB_MOUNTING` enabled, within one account and region, and only what a manifest holds.",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html",
    },
    upload: {
      form: { kind: "any" },
      text: "No known limit; chunks are sent only after a break.",
      source: undefined,
    },
    deletion: {
      route: "ecr",
      text: "`BatchDeleteImage` takes the tag alone. It needs the AWS key that `aws-actions/configure-aws-credentials` leaves in the environment; with the Docker login alone, tags stay.",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html",
    },
    limits: {
      requests: usualRequests,
      text: "Manifests 10 a second, upload starts and ends 100 a second.",
      source: `${ocync}/ecr.md`,
    },
  },
  {
    id: "ecr-public",
    name: "Amazon ECR Public",
    hosts: "public.ecr.aws",
    host: /^public\.ecr\.aws$/,
    login: {
      text: "User `AWS` and a password of the public registry (region us-east-1); `amazon-ecr-login` with `registry-type: public` gives it. Public images need none.",
      source: `${ocync}/ecr-public.md`,
    },
    repositories: {
      madeBy: "user",
      text: "Must be there: make them in the console of the public registry.",
      source: undefined,
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried; its own API lists those of the key's account only, and its registry API no tags, either. Name the images one a line, with their tags: `name:v1.2.3`.",
      source: "https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_DescribeRepositories.html",
    },
    mount: { works: "unknown", text: "Unknown; tried, and uploaded where it is refused.", source: undefined },
    upload: {
      form: { kind: "any" },
      text: "No known limit; chunks are sent only after a break.",
      source: undefined,
    },
    deletion: {
      route: "none",
      text: "Tags stay: its registry API lists no tags, so what is old there cannot be told.",
      source: "https://github.com/containers/skopeo/issues/1230",
    },
    limits: {
      requests: { start: 2, ceiling: 4 },
      text: "A tenth of those of private ECR.",
      source: `${ocync}/ecr-public.md`,
    },
  },
  {
    id: "acr",
    name: "Azure Container Registry",
    hosts: "<name>.azurecr.io, .cn, .us",
    host: /\.azurecr\.(io|cn|us)$/,
    login: {
      text: "A service principal, a scoped token or the admin user; `az acr login` leaves an identity token, which is exchanged by OAuth2.",
      source: "https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md",
    },
    repositories: {
      madeBy: "push",
      text: "Made by the first push.",
      source: "https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md",
    },
    listing: {
      route: "catalog",
      text: "`_catalog`, for a login that may read the catalog.",
      source: "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/azurecr/adapter.go",
    },
    mount: { works: "unknown", text: "Unknown; tried, and uploaded where it is refused.", source: undefined },
    upload: {
      form: { kind: "limited", chunk: 16 * mebibyte },
      text: "Chunks of 16 MiB: a body of more than about 20 MB was refused to another tool.",
      source: `${ocync}/acr.md`,
    },
    deletion: {
      route: "acr",
      text: "`DELETE /acr/v1/<repository>/_tags/<tag>` takes the tag alone; the manifest stays, without a tag. The role needs `AcrDelete`.",
      source:
        "https://learn.microsoft.com/dotnet/api/azure.containers.containerregistry.registryartifact.deletetag",
    },
    limits: {
      requests: usualRequests,
      text: "Reading and writing operations a minute, by tier; a 429 is waited for.",
      source: `${ocync}/acr.md`,
    },
    manners: {
      reading: ["pull", "push", "metadata_read"],
      deleting: ["delete", "metadata_read"],
      absent: [],
      text: "Listing tags needs the action `metadata_read`.",
      source: `${harborAdapters}/azurecr/auth.go`,
    },
  },
  {
    id: "artifact-registry",
    name: "Google Artifact Registry",
    hosts: "<location>-docker.pkg.dev, gcr.io, *.gcr.io",
    host: /(^|\.)gcr\.io$|-docker\.pkg\.dev$/,
    login: {
      text: "User `oauth2accesstoken` and an access token (1 hour), `_json_key` and a key file, or the helper `gcloud`; after `google-github-actions/auth`.",
      source: "https://docs.cloud.google.com/artifact-registry/docs/reference/docker-api",
    },
    repositories: {
      madeBy: "user",
      text: "The Artifact Registry repository (`<project>/<repository>`) must be there; images in it are made by the first push.",
      source: "https://docs.cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling",
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried.",
      source: undefined,
    },
    mount: {
      works: "unknown",
      text: "One tool saw it work, another did not; tried, and uploaded where it is refused.",
      source: rulesImg,
    },
    upload: {
      form: { kind: "whole" },
      text: "In one request only: chunked uploads are not supported. One that broke starts over.",
      source: "https://github.com/dotnet/sdk-container-builds/pull/287",
    },
    deletion: {
      route: "registry",
      alone: true,
      text: "DELETE by tag takes the tag alone; the manifest stays, without a tag. The role needs `artifactregistry.tags.delete`.",
      source: `${harborAdapters}/googlegcr/adapter.go`,
    },
    limits: {
      requests: usualRequests,
      text: "One quota a project for all requests; a 429 is waited for.",
      source: `${ocync}/gar.md`,
    },
    manners: {
      ...usualManners,
      deleting: ["pull", "push"],
      text: "Deleting goes with the token for pushing.",
      source: `${harborAdapters}/googlegcr/adapter.go`,
    },
  },
];
