import type { Vendor } from "./vendor.ts";

/** What to change after a registry refused to read (401, 403). */
export function pullAdvice({ rights }: Vendor): string {
  return rights?.pull ?? "If the image is not public, log in to its registry in an earlier step.";
}

/** What to change after a registry refused to write (401, 403). */
export function pushAdvice({ rights }: Vendor): string {
  return (
    rights?.push ??
    "Check that the login of this registry may push to this repository, that it exists, and that a tag which is there already is " +
      "not immutable."
  );
}

/** What to change after a registry did not know where to write (404). */
export function createAdvice({ rights, host, name, repositories }: Vendor): string {
  if (rights?.create !== undefined) return rights.create;
  // A registry with host names of its own has its own sentence in the table.
  if (host !== undefined) return `${name}: ${repositories.text}`;
  return (
    "Check that the namespace exists there and that the login may push to it: Harbor, for one, makes repositories on a " +
    "push, but no projects."
  );
}
