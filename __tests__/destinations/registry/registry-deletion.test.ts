import { describe, expect, it } from "vitest";
import type { TagToDelete } from "../../../src/destinations/destination.ts";
import { registryRoute, type TagDeleter } from "../../../src/destinations/registry/registry-deletion.ts";
import { OperationError } from "../../../src/errors.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { obstacle, wordsOf } from "../../support/failures.ts";

const signal = new AbortController().signal;
const repository = "goharbor/harbor-core";
const [one, two] = [digestOf("one"), digestOf("two")];

/** A registry that deletes by these kinds of reference; by digest, all tags of the digest go. */
function scenario(
  tags: Record<string, Digest>,
  deletesBy: readonly ("tag" | "digest")[],
  granted?: readonly string[],
) {
  const held = new Map(Object.entries(tags));
  const deleted: string[] = [];
  const deleter: TagDeleter = {
    async deleteManifest(_repository, reference) {
      const kind = reference.includes(":") ? "digest" : "tag";
      if (!deletesBy.includes(kind)) return "unsupported";
      deleted.push(reference);
      const matching = [...held].filter(([tag, digest]) => tag === reference || digest === reference);
      for (const [tag] of matching) held.delete(tag);
      return matching.length > 0 ? "deleted" : "not-found";
    },
    resolve: async (_repository, tag) => held.get(tag),
    granted: async () => granted,
    needed: ["pull", "delete"],
  };
  const route = registryRoute(deleter);
  const deleteTags = (...wanted: TagToDelete[]) => route.deleteTags(repository, wanted, signal);
  return { held, deleted, deleter, route, deleteTags };
}

describe("deletion by the registry API", () => {
  it("may take other tags of a digest along, unless the registry is known not to", () => {
    const { route, deleter } = scenario({}, []);
    expect(route.deletion).toBe("shared-digest-unsafe");
    expect(registryRoute(deleter, true).deletion).toBe("by-tag");
  });

  it("deletes nothing by digest at a registry that was known to delete by tag and does not", async () => {
    const { held, deleted, deleter } = scenario({ v1: one, stable: one }, ["digest"]);
    const route = registryRoute(deleter, true);
    const [deletion] = await route.deleteTags(repository, [{ tag: "v1", digest: undefined }], signal);
    expect(wordsOf(deletion?.failure)).toContain("does not delete by tag");
    const [known] = await route.deleteTags(repository, [{ tag: "v1", digest: one }], signal);
    expect(wordsOf(known?.failure)).toContain("does not delete by tag");
    expect(deleted).toEqual([]);
    expect([...held.keys()]).toEqual(["v1", "stable"]);
  });

  it("deletes by tag where the registry does, and leaves other tags of the digest alone", async () => {
    const { held, deleted, deleteTags } = scenario({ v1: one, other: one }, ["tag", "digest"]);
    expect(await deleteTags({ tag: "v1", digest: one })).toEqual([{ tag: "v1", failure: undefined }]);
    expect(deleted).toEqual(["v1"]);
    expect([...held.keys()]).toEqual(["other"]);
  });

  it("counts a tag that does not exist as gone", async () => {
    const byTag = scenario({}, ["tag"]);
    expect(await byTag.deleteTags({ tag: "v1", digest: one })).toEqual([{ tag: "v1", failure: undefined }]);
    const byDigest = scenario({}, ["digest"]);
    expect(await byDigest.deleteTags({ tag: "v1", digest: one })).toEqual([
      { tag: "v1", failure: undefined },
    ]);
    expect(byDigest.deleted).toEqual([]);
  });

  it("deletes by digest where the registry refuses it by tag", async () => {
    const { held, deleted, deleteTags } = scenario({ v1: one, v2: one, v3: two }, ["digest"]);
    const deletions = await deleteTags({ tag: "v1", digest: one }, { tag: "v2", digest: one });
    expect(deletions).toEqual([
      { tag: "v1", failure: undefined },
      { tag: "v2", failure: undefined },
    ]);
    expect(deleted).toEqual([one]);
    expect([...held.keys()]).toEqual(["v3"]);
  });

  it("leaves a tag alone that has moved since the plan", async () => {
    const { held, deleted, deleteTags } = scenario({ v1: two }, ["digest"]);
    const [deletion] = await deleteTags({ tag: "v1", digest: one });
    expect(wordsOf(deletion?.failure)).toContain("has moved");
    expect(deleted).toEqual([]);
    expect(held.get("v1")).toBe(two);
  });

  it("does not guess a digest that the plan did not look up", async () => {
    const { held, deleteTags } = scenario({ v1: one }, ["digest"]);
    const [deletion] = await deleteTags({ tag: "v1", digest: undefined });
    expect(wordsOf(deletion?.failure)).toContain("not looked up");
    expect(held.get("v1")).toBe(one);
  });

  it("says how to allow deletion where the registry has none", async () => {
    const { held, deleteTags } = scenario({ v1: one }, []);
    const [deletion] = await deleteTags({ tag: "v1", digest: one });
    expect(wordsOf(deletion?.failure)).toContain("`storage.delete.enabled: true`");
    expect(held.get("v1")).toBe(one);
  });

  it("asks once whether tags can be deleted by name", async () => {
    const asks: string[] = [];
    const { deleter } = scenario({ v1: one, v2: two, v3: two }, ["digest"]);
    const original = deleter.deleteManifest;
    deleter.deleteManifest = async (path, reference, abort) => {
      asks.push(reference);
      return original(path, reference, abort);
    };
    const tags = [
      { tag: "v1", digest: one },
      { tag: "v2", digest: two },
    ];
    await registryRoute(deleter).deleteTags(repository, tags, signal);
    expect(asks).toEqual(["v1", one, two]);
  });

  it("tries no other tag of a repository where the login may not delete, but after a protected one", async () => {
    const { deleter, route } = scenario({ v1: one, v2: two }, ["tag"]);
    const asks: string[] = [];
    const answering = (status: number) => async (_path: string, subject: string) => {
      asks.push(subject);
      const where = { side: "destination", host: "registry.example.com", operation: "deleting" } as const;
      throw new OperationError({ ...where, subject, status, problem: "denied" });
    };
    const tags = [
      { tag: "v1", digest: one },
      { tag: "v2", digest: two },
    ];
    deleter.deleteManifest = answering(403);
    const deletions = await route.deleteTags(repository, tags, signal);
    expect(asks).toEqual(["v1"]);
    expect(deletions.map(({ tag, failure }) => [tag, failure])).toMatchObject([
      ["v1", { status: 403 }],
      ["v2", { status: 403 }],
    ]);
    asks.length = 0;
    deleter.deleteManifest = answering(412);
    await route.deleteTags(repository, tags, signal);
    expect(asks).toEqual(["v1", "v2"]);
  });

  it("goes on with the next tag after a failure", async () => {
    const { deleter, deleteTags } = scenario({ v2: two }, ["tag"]);
    const original = deleter.deleteManifest;
    deleter.deleteManifest = async (path, reference, abort) => {
      if (reference === "v1") throw new Error("connection reset");
      return original(path, reference, abort);
    };
    expect(await deleteTags({ tag: "v1", digest: one }, { tag: "v2", digest: two })).toEqual([
      { tag: "v1", failure: obstacle("connection reset") },
      { tag: "v2", failure: undefined },
    ]);
  });

  it("ends with the signal's reason when the run is cancelled", async () => {
    const { deleter, route } = scenario({ v1: one }, ["tag"]);
    const controller = new AbortController();
    deleter.deleteManifest = async () => {
      controller.abort(new Error("cancelled"));
      throw new Error("aborted");
    };
    const tags = [{ tag: "v1", digest: one }];
    await expect(route.deleteTags(repository, tags, controller.signal)).rejects.toThrow("cancelled");
  });
});

describe("a deletion that is only tried", () => {
  const tried = (deletesBy: readonly ("tag" | "digest")[], granted?: readonly string[], exists = true) => {
    const world = scenario({ "v2.15.1": one }, deletesBy, granted);
    return { world, finding: world.route.tryDeletion?.(signal, repository, exists) };
  };

  it.each([
    ["a registry that deletes", ["digest"], undefined, "ok"],
    ["a token that says so", ["digest"], ["pull", "delete"], "ok"],
    ["a token without the right", ["digest"], ["pull"], "missing"],
    ["a registry that deletes by tag only", ["tag"], undefined, "ok"],
    ["a registry that does not delete", [], undefined, "missing"],
  ] as const)("at %s", async (_case, deletesBy, granted, outcome) => {
    const { world, finding } = tried(deletesBy, granted);
    expect(await finding).toMatchObject({ outcome });
    expect([...world.held]).toEqual([["v2.15.1", one]]);
  });

  it("asks for a digest that nobody has, another one each time, and never for a tag", async () => {
    const { world, finding } = tried(["tag", "digest"]);
    await finding;
    await world.route.tryDeletion?.(signal, repository, true);
    expect(new Set(world.deleted).size).toBe(2);
    expect(world.deleted.every((reference) => /^sha256:[0-9a-f]{64}$/.test(reference))).toBe(true);
    expect(world.deleted).not.toContain(one);
  });

  it("sends nothing where there is no repository", async () => {
    const { world, finding } = tried(["digest"], undefined, false);
    expect(await finding).toMatchObject({ outcome: "unknown" });
    expect(world.deleted).toEqual([]);
  });

  it("says nothing against a registry that deletes by tag alone", async () => {
    const { deleter } = scenario({}, ["tag"]);
    expect(await registryRoute(deleter, true).tryDeletion?.(signal, repository, true)).toMatchObject({
      outcome: "unknown",
    });
  });
});
