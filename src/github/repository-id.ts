export interface RepositoryId {
  readonly owner: string;
  readonly name: string;
}

/** A repository on GitHub, `owner/name`, by GitHub's own limits on names; undefined if the text is not one. */
export function repositoryIdOf(text: string): RepositoryId | undefined {
  const match = /^([A-Za-z0-9](?:[A-Za-z0-9_-]{0,99}))\/([A-Za-z0-9._-]{1,100})$/.exec(text);
  const [, owner, name] = match ?? [];
  if (owner === undefined || name === undefined || name === "." || name === "..") return undefined;
  return { owner, name };
}
