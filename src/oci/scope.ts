/** What a request needs to be allowed: actions on a repository. */
export interface Scope {
  readonly repository: string;
  /** `pull`, `push`, `delete`, and what single registries have beside. */
  readonly actions: readonly string[];
}

/** As a token server is asked for it. https://distribution.github.io/distribution/spec/auth/scope/ */
export function printScope(scope: Scope): string {
  return `repository:${scope.repository}:${scope.actions.join(",")}`;
}
