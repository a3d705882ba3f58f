/** A plan that was changed on its way between jobs leads to less, never to more. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { bindPlan, bindShare } from "../../src/fan-out/bind.ts";
import { type PlanDocument, readPlan } from "../../src/fan-out/document.ts";
import { handOut } from "../../src/fan-out/hand-out.ts";
import { overtakenVersions, refuseOtherInputs } from "../../src/fan-out/same-inputs.ts";
import { makePlan, type Plan } from "../../src/plan/plan.ts";
import { keepByChoices } from "../../src/plan/retention.ts";
import type { Selection } from "../../src/plan/selection.ts";
import {
  contentDigest,
  harborImages,
  harborUniverse,
  imagesIn,
  snapshotOf,
  stepsOf,
} from "../plan/snapshot-builder.ts";
import { runs } from "../properties/arbitraries.ts";

const releases = ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4", "v2.13.5"];
const universe = harborUniverse.filter(({ tag }) => releases.includes(tag));
/** Something else fills the last one. */
const filled = "mainland.tencentcloudcr.com/goharbor";
const names = ["docker.io/goharbor", "goharbor.tencentcloudcr.com/goharbor", filled];
const inputs = contentDigest("inputs");
const images = releases.flatMap(harborImages);

/** What there is when the plan is made. */
const worlds = fc
  .record({
    wanted: fc.subarray(releases, { minLength: 1, maxLength: 3 }),
    destinations: fc.tuple(...names.map(destination)),
    missing: fc.dictionary(fc.constantFrom(...images), fc.constant("no source has it"), { maxKeys: 1 }),
    overwrite: fc.constantFrom(true, false, "skip" as const),
  })
  .map((world) => ({ ...world, universe }));

function destination(name: string) {
  return fc.record({
    name: fc.constant(name),
    ...(name === filled && { filledBySync: fc.constant(true as const) }),
    keep: name === filled ? fc.constant("all" as const) : fc.constantFrom(1, 2, 3, "all" as const),
    keepBy: fc.constantFrom(...keepByChoices),
    holds: fc.subarray(releases),
    lacks: fc.subarray(images, { maxLength: 2 }),
    contents: fc.dictionary(fc.constantFrom(...images), fc.constantFrom("one", "two"), { maxKeys: 2 }),
  });
}

/** A value for a field: one that another place of the plan has, or something else. */
const values = fc.constantFrom<unknown>(
  ...names,
  "docker.io/attacker",
  ...releases,
  "v9.9.9",
  "latest",
  "harbor-core",
  "secret-tool",
  "goharbor/harbor",
  "example/shop",
  contentDigest("inputs"),
  contentDigest("evil"),
  ...images.slice(0, 12).map((key) => contentDigest(key)),
  1,
  2,
  3,
  [],
  null,
);

/** Ways to change a document. Numbers choose, modulo how many there are. */
const changes = fc.oneof(
  fc.record({ kind: fc.constant("top" as const), field: fc.nat(), value: values }),
  fc.record({
    kind: fc.constantFrom("field" as const, "more" as const),
    list: fc.constantFrom("copies" as const, "prunes" as const),
    index: fc.nat(),
    field: fc.nat(),
    value: values,
  }),
  fc.record({
    kind: fc.constant("drop" as const),
    list: fc.constantFrom("copies" as const, "prunes" as const, "versions" as const),
    keep: fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
  }),
  fc.record({ kind: fc.constant("versions" as const), versions: fc.subarray([...releases, "v9.9.9"]) }),
  fc.record({ kind: fc.constant("prune all" as const) }),
);

type Change = typeof changes extends fc.Arbitrary<infer Value> ? Value : never;
type Text = Record<string, unknown>;

function changed(document: PlanDocument, change: Change): Text {
  const listOf = (name: "copies" | "prunes" | "versions"): readonly unknown[] => {
    const list: unknown = document[name];
    return Array.isArray(list) ? list : [];
  };
  switch (change.kind) {
    case "top":
      return { ...document, [at(Object.keys(document), change.field)]: change.value };
    case "versions":
      return { ...document, versions: change.versions };
    case "prune all":
      return {
        ...document,
        prunes: names.flatMap((place) =>
          releases.flatMap((version) =>
            harborImages(version).map((key) => {
              const [image = "", tag = ""] = key.split(":");
              return { destination: place, version, image, tag };
            }),
          ),
        ),
      };
    case "drop":
      return {
        ...document,
        [change.list]: listOf(change.list).filter((_entry, index) => at(change.keep, index)),
      };
    default: {
      const entries = listOf(change.list);
      const index = entries.length === 0 ? 0 : change.index % entries.length;
      const entry = (entries[index] ?? {}) as Text;
      const other = { ...entry, [at([...Object.keys(entry), "from", "source"], change.field)]: change.value };
      const rest = change.kind === "more" ? entries : entries.filter((_entry, place) => place !== index);
      return { ...document, [change.list]: [...rest, other] };
    }
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error("an empty list");
  return found;
}

/** What all jobs together copy, publish and delete by a document; a job that refuses it does nothing. */
function effects(text: unknown, now: Plan, selection: Selection) {
  const copied = new Set<string>();
  const published = new Set<string>();
  const deleted = new Set<string>();
  const job = (work: (document: PlanDocument) => void): void => {
    try {
      const document = readPlan(gzipSync(JSON.stringify(text)).toString("base64"));
      refuseOtherInputs(document, inputs);
      overtakenVersions(document, [selection], now.versions);
      work(document);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  };
  const add = (to: Set<string>, plan: Plan): void => {
    for (const { destination: place, version, image, tag, source } of stepsOf(plan, "copy"))
      to.add([place, version, image, tag, source.repository, source.digest].join(" "));
  };
  for (const share of [1, 2, 3, 4]) job((document) => add(copied, bindShare(document, share, now)));
  job((document) => {
    const plan = bindPlan(document, now, []);
    add(published, plan);
    for (const place of names)
      for (const key of imagesIn(stepsOf(plan, "prune", place))) deleted.add(`${place} ${key}`);
  });
  return { copied, published, deleted };
}

test("whatever is changed in it, nothing is copied, published or deleted that the honest one would not (property)", () => {
  fc.assert(
    fc.property(
      worlds,
      fc.array(changes, { minLength: 1, maxLength: 4 }),
      fc.constantFrom<Selection>({ kind: "newest", count: 3 }, { kind: "tags", tags: releases }),
      (world, all, selection) => {
        const now = makePlan(snapshotOf(world));
        expect([...stepsOf(now, "copy", filled), ...stepsOf(now, "prune", filled)]).toEqual([]);
        const honest: PlanDocument = { schemaVersion: 2, ...handOut(now, inputs, 2, () => []) };
        const text = all.reduce<Text>((before, change) => changed(before as PlanDocument, change), {
          ...honest,
        });
        const wanted = effects(honest, now, selection);
        const got = effects(text, now, selection);
        expect([...got.copied].filter((each) => !wanted.copied.has(each))).toEqual([]);
        expect([...got.published].filter((each) => !wanted.published.has(each))).toEqual([]);
        expect([...got.deleted].filter((each) => !wanted.deleted.has(each))).toEqual([]);
      },
    ),
    { ...runs, numRuns: 1000 },
  );
});
