/** Every registry of the table is checked as a destination that prunes: what its rows say, and that it is as it was before. */
import { afterEach, describe, expect, test } from "vitest";
import { type ProfileName, profileNames } from "../../sandbox/profiles.ts";
import { seed, startWorld, versions, type World } from "./world.ts";

/** The outcomes of "push" and "delete" where nothing is yet, and where an older version is. */
interface Row {
  readonly name: ProfileName;
  readonly empty: readonly [push: string, deletion: string];
  readonly held: readonly [push: string, deletion: string];
}

const rows: readonly Row[] = [
  { name: "ecr", empty: ["unknown", "unknown"], held: ["ok", "unknown"] },
  // Lists no tags, so nobody knows which repositories are there.
  { name: "ecr-public", empty: ["unknown", "missing"], held: ["unknown", "missing"] },
  { name: "acr", empty: ["unknown", "unknown"], held: ["ok", "unknown"] },
  { name: "artifact-registry", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
  // Its logins may not give up an upload, and its tokens are unreadable.
  { name: "ghcr", empty: ["unknown", "unknown"], held: ["unknown", "unknown"] },
  { name: "gitlab", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
  { name: "quay", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
  { name: "artifactory", empty: ["unknown", "unknown"], held: ["ok", "unknown"] },
  { name: "alibaba", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
  { name: "swr", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
  { name: "volcengine", empty: ["unknown", "missing"], held: ["ok", "missing"] },
  { name: "harbor", empty: ["ok", "ok"], held: ["ok", "ok"] },
  { name: "distribution", empty: ["unknown", "unknown"], held: ["ok", "ok"] },
];

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]();
});

/** Checks a destination that holds these versions. @returns outcome by subject, and what else there is to judge. */
async function checked(name: ProfileName, held: readonly string[]) {
  const world = await startWorld(name);
  worlds.push(world);
  const { plain, vendor } = world;
  seed(plain, "source", [versions[0]]);
  seed(vendor.registry, "goharbor", held);
  const before = JSON.stringify(vendor.registry.state());
  const api = vendor.api === undefined ? "" : `,api=${vendor.api.origin}`;
  const line = `${vendor.registry.host}/${vendor.namespace},type=${name}${api}`;
  const result = await world.mirror(`${plain.host}/source`, line, { check: "true" }, vendor.variables);
  return { result, world, untouched: JSON.stringify(vendor.registry.state()) === before };
}

test("the rows are those of the profiles", () => {
  expect(rows.map(({ name }) => name)).toEqual(profileNames);
});

describe.each(rows)("$name", ({ name, empty, held }) => {
  test.each([
    ["where nothing is yet", [], empty],
    ["where an older version is", [versions[2]], held],
  ] as const)("%s", async (_case, tags, [push, deletion]) => {
    const { result, world, untouched } = await checked(name, tags);
    const { registry, api } = world.vendor;
    expect(result.outcomes("sign in")).toEqual(["ok"]);
    expect(result.outcomes("push")).toEqual([push]);
    expect(result.outcomes("delete")).toEqual([deletion]);
    expect(result.done).toBe(deletion !== "missing");
    expect(untouched).toBe(true);
    expect(registry.events).toEqual([]);
    expect(registry.repositories()).toEqual(tags.length === 0 ? [] : ["goharbor/app", "goharbor/web"]);
    expect(registry.uploadsOpen()).toBe(0);
    const writes = (api?.requests ?? []).filter(({ headers }) =>
      /Create|Delete/.test(String(headers["x-amz-target"])),
    );
    expect(writes).toEqual([]);
  });
});
