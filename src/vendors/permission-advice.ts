import { vendorOf } from "./vendors.ts";

/** What a login has to be allowed at a registry that grants rights in a way of its own, in words to a user. */
interface RegistryRights {
  /** Matches the registry's name, its port aside. */
  readonly registry: RegExp;
  /** After a refused read. */
  readonly pull: string;
  /** After a refused write. */
  readonly push: string;
  /** After "no such repository" to a write. Undefined: it is made by the first push. */
  readonly create: string | undefined;
}

const rights: readonly RegistryRights[] = [
  {
    // https://docs.docker.com/security/access-tokens/reference/
    registry: /^docker\.io$/,
    pull: 'A personal access token needs the permission "Repo Read-only" at least, an organisation access token `scope-image-pull` on this repository.',
    push:
      'Check `dockerhub-username` and `dockerhub-token`: a personal access token needs the permission "Repo Read & Write" and a user ' +
      "who may push to this namespace, an organisation access token `scope-image-push` on this repository. A tag that is " +
      "there already may be immutable by the repository's settings.",
    create: undefined,
  },
  {
    // https://docs.github.com/en/packages/learn-github-packages/about-permissions-for-github-packages
    registry: /^ghcr\.io$/,
    pull:
      "Log in to ghcr.io in an earlier step with a token that has `packages: read` (a classic one: `read:packages`), and give " +
      'the repository of this workflow access to the package ("Manage Actions access" in its settings), or make the package public.',
    push:
      "The token needs `packages: write` (a classic one: `write:packages`), and a package that exists already must give the " +
      'repository of this workflow the role Write ("Manage Actions access" in its settings).',
    create: undefined,
  },
  {
    // https://www.tencentcloud.com/document/product/598/57160, and the API's CreateServiceAccount
    registry: /\.tencentcloudcr\.com$/,
    pull: "The user of the API key, or the service account, needs `tcr:PullRepository` on this namespace.",
    push: "The user of the API key, or the service account, needs `tcr:PushRepository` and `tcr:CreateRepository` on this namespace.",
    create:
      "TCR makes no namespace on a push: make it in the TCR console, or set `tcr-secret-id` and `tcr-secret-key`, with " +
      "which it is made here.",
  },
  {
    // https://www.tencentcloud.com/document/product/1051/37250
    registry: /\.ccs\.tencentyun\.com$/,
    pull: "Log in with the number of the account and the password of TCR Personal; a sub-account needs `tcr:PullRepositoryPersonal`.",
    push: "Log in with the number of the account and the password of TCR Personal; a sub-account needs `tcr:PushRepositoryPersonal`.",
    create:
      "TCR Personal makes no namespace on a push: make it in the TCR console, or set `tcr-secret-id` and `tcr-secret-key`, " +
      "with which it is made here.",
  },
  {
    // https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
    registry: /^[0-9]+\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/,
    pull: "The role needs `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer` on this repository.",
    push: "The role needs the actions of AWS's page on pushing an image, `ecr:PutImage` among them, on this repository.",
    create:
      "ECR makes no repository on a push: make it there, or a repository creation template for this prefix, or set the AWS key " +
      "in the environment, with which it is made here.",
  },
];

function rightsAt(registry: string): RegistryRights | undefined {
  const host = registry.replace(/:[0-9]+$/, "");
  return rights.find((candidate) => candidate.registry.test(host));
}

/** What to change after a registry refused to read (401, 403). */
export function pullAdvice(registry: string): string {
  return rightsAt(registry)?.pull ?? "If the image is not public, log in to its registry in an earlier step.";
}

/** What to change after a registry refused to write (401, 403). */
export function pushAdvice(registry: string): string {
  return (
    rightsAt(registry)?.push ??
    "Check that the login of this registry may push to this repository, that it exists, and that a tag which is there already is " +
      "not immutable."
  );
}

/** What to change after a registry did not know where to write (404). */
export function createAdvice(registry: string): string {
  const vendor = vendorOf(registry);
  // A registry that is told by its name has a word of its own in the table.
  const known = vendor.host === undefined ? undefined : `${vendor.name}: ${vendor.repositories.text}`;
  return (
    rightsAt(registry)?.create ??
    known ??
    "Check that the namespace exists there and that the login may push to it: Harbor, for one, makes repositories on a " +
      "push, but no projects."
  );
}

/**
 * What to change where a registry does not let this runner reach it at all. TCR drops connections from outside the allowlist
 * of an instance, or refuses them, which looks like trouble with the network.
 */
export function shutOutAdvice(registry: string): string | undefined {
  if (!/\.tencentcloudcr\.com(?::[0-9]+)?$/.test(registry)) return undefined;
  return (
    "The public endpoint of the TCR instance may be closed, or its allowlist keep this runner's address out: see " +
    "`tcr-open-access`."
  );
}
