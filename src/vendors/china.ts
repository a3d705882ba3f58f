import { usualManners, usualRequests, type Vendor } from "./vendor.ts";

const harborAdapters = "https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter";
const unknownMount = {
  works: "unknown",
  text: "Unknown; tried, and uploaded where it is refused.",
  source: undefined,
} as const;
const anyUpload = {
  form: { kind: "any" },
  text: "No known limit; chunks are sent only after a break.",
  source: undefined,
} as const;
const unknownLimits = {
  requests: usualRequests,
  text: "Not known; a 429 is waited for.",
  source: undefined,
} as const;

/** The registries of clouds in China. */
export const china: readonly Vendor[] = [
  {
    id: "tcr",
    name: "Tencent TCR",
    hosts: "<instance>.tencentcloudcr.com, or your own (`type=tcr`)",
    // Public and private (`<instance>-vpc`); the private domain leads past the public endpoint.
    host: /^(?:(?<instance>[a-z0-9-]+?)(?<private>-vpc)?|.+)\.tencentcloudcr\.com$/,
    login: {
      text: "A role (`tcr-role-arn`), an API key (`tcr-secret-id`, `tcr-secret-key`), or a login of the instance (`tcr-username`, `tcr-password`).",
      source: "https://www.tencentcloud.com/document/product/1051/54755",
    },
    rights: {
      pull: "The user of the API key, or the service account, needs `tcr:PullRepository` on this namespace.",
      push: "The user of the API key, or the service account, needs `tcr:PushRepository` and `tcr:CreateRepository` on this namespace.",
      create:
        "TCR makes no namespace on a push: make it in the TCR console, or set `tcr-secret-id` and `tcr-secret-key`, with " +
        "which it is made here.",
      shutOut:
        "The public endpoint of the TCR instance may be closed, or its allowlist keep this runner's address out: see " +
        "`tcr-open-access`.",
      source: "https://www.tencentcloud.com/document/product/598/57160",
    },
    repositories: {
      madeBy: "api",
      text: "The namespace is made here with the API key, else by you; repositories are made by the first push.",
      source: `${harborAdapters}/tencentcr/adapter.go`,
    },
    listing: {
      route: "tcr",
      text: "`DescribeRepositories`, with an API key or a role of the instance's account (`tcr:DescribeRepositories`); without one, `_catalog` is tried.",
      source: "https://www.tencentcloud.com/document/product/1051/50720",
    },
    mount: unknownMount,
    upload: anyUpload,
    deletion: {
      route: "tcr",
      text: "`DeleteRepositoryTags`, 20 tags a call, with the API key; a login of the instance cannot delete.",
      source: "https://www.tencentcloud.com/document/product/1051/41098",
    },
    limits: {
      requests: usualRequests,
      text: "API 10 calls a second; none published for the registry.",
      source: `${harborAdapters}/tencentcr/adapter.go`,
    },
    uploadGivenUp: {
      text: "Leaves nothing behind, as at Harbor, which TCR is built on: a repository is made with its first manifest. Tencent does not say.",
      source: "https://github.com/goharbor/harbor/blob/main/src/server/registry/manifest.go",
    },
  },
  {
    id: "tcr-personal",
    name: "Tencent TCR Personal",
    hosts: "ccr.ccs.tencentyun.com, <region>.ccs.tencentyun.com",
    host: /^(?<prefix>.+)\.ccs\.tencentyun\.com$/,
    login: {
      text: "The account's number and the password of the Personal edition (`tcr-username`, `tcr-password`, or `docker/login-action`).",
      source: "https://github.com/tkestack/image-transfer",
    },
    rights: {
      pull: "Log in with the number of the account and the password of TCR Personal; a sub-account needs `tcr:PullRepositoryPersonal`.",
      push: "Log in with the number of the account and the password of TCR Personal; a sub-account needs `tcr:PushRepositoryPersonal`.",
      create:
        "TCR Personal makes no namespace on a push: make it in the TCR console, or set `tcr-secret-id` and `tcr-secret-key`, " +
        "with which it is made here.",
      source: "https://www.tencentcloud.com/document/product/1051/37250",
    },
    repositories: {
      madeBy: "api",
      text: "The namespace is made with an API key; without one it must be there. A push makes the repository.",
      source: "https://www.tencentcloud.com/document/product/1051/41098",
    },
    listing: {
      route: "tcr-personal",
      text: "`DescribeRepositoryFilterPersonal`, with an API key or a role of the account; without one, `_catalog` is tried.",
      source: "https://cloud.tencent.com/document/product/1141/41584",
    },
    mount: unknownMount,
    upload: anyUpload,
    deletion: {
      route: "tcr",
      text: "`BatchDeleteImagePersonal`, with the API key beside the login.",
      source: "https://www.tencentcloud.com/document/product/1051/41098",
    },
    limits: unknownLimits,
  },
  {
    id: "alibaba",
    name: "Alibaba Container Registry",
    hosts:
      "registry.<region>.aliyuncs.com, registry-intl.<region>.aliyuncs.com, <id>.<region>.personal.cr.aliyuncs.com, " +
      "<instance>-registry.<region>.cr.aliyuncs.com, or your own (`type=alibaba`)",
    // https://www.alibabacloud.com/help/en/acr/user-guide/individual-edition-instance-independent-domain-name-capacity-limit
    // A bucket of its object storage, whose first label anybody can choose, is at <bucket>.oss-<region>.
    host: /(^|-)registry(-intl)?(-vpc|-internal)?\.((?!oss-)[a-z]{2,3}-[a-z0-9-]+\.)?aliyuncs\.com$|^registry-[a-z0-9-]+\.ack\.aliyuncs\.com$|\.cr\.aliyuncs\.com$/,
    // https://www.alibabacloud.com/blog/reverse-proxy-to-access-alibaba-cloud-container-registry_597957
    // Zhangjiakou and Guangzhou have a hyphen before the region:
    // https://www.alibabacloud.com/help/en/ack/ack-edge/user-guide/network-configuration-for-public-network-access
    tokenServer: /^dockerauth(-ee)?(-vpc)?[.-](?!oss-)[a-z]{2,3}-[a-z0-9-]+\.aliyuncs\.com$/,
    login: {
      text: "User and the registry's password, or a temporary login (`aliyun/acr-login`).",
      source: `${harborAdapters}/aliacr/adapter.go`,
    },
    repositories: {
      madeBy: "push",
      text: "The namespace must be there, and must let a push make repositories.",
      source: `${harborAdapters}/aliacr/adapter.go`,
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried; Harbor lists them by an API of Alibaba's own.",
      source: `${harborAdapters}/aliacr/adapter.go`,
    },
    mount: unknownMount,
    upload: anyUpload,
    deletion: {
      route: "registry",
      text: "By the registry API, as Harbor does it: by tag, else by digest. Where that is refused, the tags stay and the run says so.",
      source: `${harborAdapters}/aliacr/adapter.go`,
    },
    limits: unknownLimits,
    manners: {
      ...usualManners,
      text: "Attestations of BuildKit are refused (`unknown manifest class`): put `attestations=false` on its line.",
      source: "https://github.com/koordinator-sh/koordinator/pull/3194",
    },
  },
  {
    id: "swr",
    name: "Huawei SWR",
    hosts: "swr.<region>.myhuaweicloud.com",
    host: /^swr\.[a-z0-9-]+\.myhuaweicloud\.(com|eu)$/,
    login: {
      text: "User `<region>@<AK>` and a password made from the secret key, or a temporary login; `huaweicloud/swr-login` gives it.",
      source: "https://github.com/huaweicloud/swr-login",
    },
    repositories: {
      madeBy: "push",
      text: "The organisation must be there; repositories are made by the first push.",
      source: `${harborAdapters}/huawei/huawei_adapter.go`,
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried; Harbor lists them by an API of Huawei's own.",
      source: `${harborAdapters}/huawei/huawei_adapter.go`,
    },
    mount: unknownMount,
    upload: anyUpload,
    deletion: {
      route: "registry",
      text: "By the registry API, as Harbor does it: by tag, else by digest. Its own API would need an IAM token, which no Docker login holds.",
      source: `${harborAdapters}/huawei/image_registry.go`,
    },
    limits: unknownLimits,
    manners: {
      ...usualManners,
      deleting: ["pull", "push"],
      text: "Deleting goes with the token for pushing, as Harbor does it.",
      source: `${harborAdapters}/huawei/huawei_adapter.go`,
    },
  },
  {
    id: "volcengine",
    name: "Volcengine CR",
    hosts: "<instance>-<region>.cr.volces.com",
    host: /\.cr\.volces\.com$/,
    login: {
      text: "User and the instance's password, or a temporary login.",
      source: `${harborAdapters}/volcenginecr/auth.go`,
    },
    repositories: {
      madeBy: "user",
      text: "Namespace and repository must be there: Harbor makes both before it pushes, by an API of Volcengine's own.",
      source: `${harborAdapters}/volcenginecr/adapter.go`,
    },
    listing: {
      route: "catalog",
      text: "`_catalog` is tried; Harbor lists them by an API of Volcengine's own.",
      source: `${harborAdapters}/volcenginecr/adapter.go`,
    },
    mount: unknownMount,
    upload: anyUpload,
    deletion: {
      route: "none",
      text: "Tags stay: only its own API deletes them, with a key that no Docker login holds.",
      source: `${harborAdapters}/volcenginecr/artifact_registry.go`,
    },
    limits: unknownLimits,
  },
];
