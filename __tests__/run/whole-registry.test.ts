/** Places without a namespace: a destination that takes that of its source, and registries as a whole. */
import { expect, test } from "vitest";
import { seed, startWorld, versions } from "../ecosystem/world.ts";

const newestTwo = versions.slice(0, 2).toSorted();

test("a destination without a namespace gets the images below that of the source, and prunes there", async () => {
  await using world = await startWorld("distribution");
  const { plain, vendor } = world;
  seed(plain, "team/shop", versions);
  seed(vendor.registry, "team/shop", versions.slice(1));
  seed(vendor.registry, "other", versions);
  const result = await world.mirror(`${plain.host}/team/shop`, `${vendor.registry.host},keep=2`, {
    source: `${plain.host}/team/shop\n${plain.host}/empty`,
  });
  expect(result.lines.at(-1)).toBeDefined();
  expect(result.done).toBe(true);
  expect([...vendor.registry.tags("team/shop/app").keys()].toSorted()).toEqual(newestTwo);
  expect([...vendor.registry.tags("team/shop/web").keys()].toSorted()).toEqual(newestTwo);
  expect(vendor.registry.tags("other/app").size).toBe(versions.length);
  expect(JSON.parse(result.outputs.images ?? "")).toContainEqual(
    expect.objectContaining({
      image: "app",
      destination: `${vendor.registry.host}/team/shop`,
      reference: `${vendor.registry.host}/team/shop/app:${versions[0]}`,
    }),
  );
});

test("from a registry as a whole to another, repositories keep their paths", async () => {
  await using world = await startWorld("distribution");
  const { plain, vendor } = world;
  seed(plain, "team", versions);
  const images = "team/app\nteam/web";
  const there = (path: string): readonly string[] => [...vendor.registry.tags(path).keys()].toSorted();
  seed(vendor.registry, "team", versions.slice(1));
  expect((await world.mirror(plain.host, `${vendor.registry.host},keep=2`, { images })).done).toBe(true);
  expect(there("team/app")).toEqual(newestTwo);
  expect(there("team/web")).toEqual(newestTwo);
  const again = await world.mirror(plain.host, vendor.registry.host, { images });
  expect(again.done).toBe(true);
  expect(again.outputs).toMatchObject({ copied: "0", failed: "0" });
  expect(JSON.parse(again.outputs.images ?? "")).toContainEqual(
    expect.objectContaining({
      destination: vendor.registry.host,
      reference: `${vendor.registry.host}/team/app:${versions[0]}`,
    }),
  );
  const check = await world.mirror(plain.host, vendor.registry.host, { images, check: "true" });
  expect(check.done).toBe(true);
});

test("what lines with ! leave out is neither mirrored nor counted nor pruned", async () => {
  await using world = await startWorld("distribution");
  const { plain, vendor } = world;
  const [newest, second, third] = versions;
  seed(plain, "team", versions);
  const there = (path: string): readonly string[] => [...vendor.registry.tags(path).keys()].toSorted();
  // It has the version that is left out, as something else brought it there.
  seed(vendor.registry, "team", [newest, third]);
  const result = await world.mirror(plain.host, `${vendor.registry.host},keep=1`, {
    images: "**\n!/team\\/w.*/",
    version: `newest:1\n!${newest}`,
    repository: "",
    "versions-from": "tags",
  });
  expect(result.done).toBe(true);
  expect(there("team/app")).toEqual([newest, second].toSorted());
  expect(there("team/web")).toEqual([newest, third].toSorted());
});
