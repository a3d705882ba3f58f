/** What a request needs to be allowed: actions on a repository, or on the list of all repositories. */
export interface Scope {
  /** Undefined: the list of all repositories, which is the registry's own. */
  readonly repository: string | undefined;
  /** `pull`, `push`, `delete`, and what single registries have beside. */
  readonly actions: readonly string[];
}

/** What listing all repositories needs. */
export const catalogScope: Scope = { repository: undefined, actions: ["*"] };

/** As a token server is asked for it. https://distribution.github.io/distribution/spec/auth/scope/ */
export function printScope({ repository, actions }: Scope): string {
  const resource = repository === undefined ? "registry:catalog" : `repository:${repository}`;
  return `${resource}:${actions.join(",")}`;
}
