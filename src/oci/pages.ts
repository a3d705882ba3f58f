/** Longest header that is read, in characters; real ones have some hundred. The pattern looks back at every `<`. */
const headerLimit = 8 * 1024;

/**
 * The address of the next page from a `Link` header, or undefined when there is none. Behind a proxy, some registries write
 * their inner host or path into it (https://github.com/sonatype/nexus-public/issues/1011): its query says where the list goes
 * on, and only that is taken, for the same list. A page is asked for with the login of this registry, and so nowhere else.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 * @throws Error when it has no query and points to another origin or brings a login.
 */
export function nextPage(header: string | undefined, current: URL): URL | undefined {
  if (header !== undefined && header.length > headerLimit)
    throw new Error("the address of the next page is too long");
  const match = /<([^<>]*)>\s*;[^,]*\brel=(?:"next"|next)(?=\s*(?:[;,]|$))/i.exec(header ?? "");
  if (match === null) return undefined;
  const target = match[1] ?? "";
  if (!URL.canParse(target, current.href)) throw new Error("the address of the next page cannot be read");
  const next = new URL(target, current);
  if (next.search !== "") {
    const page = new URL(current);
    page.search = next.search;
    return page;
  }
  if (next.origin !== current.origin) throw new Error(`the next page is on another host, ${next.host}`);
  if (next.username !== "" || next.password !== "")
    throw new Error("the address of the next page has a login in it");
  return next;
}
