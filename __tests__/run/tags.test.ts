import { describe, expect, test } from "vitest";
import { listedCatalogue } from "../../src/harbor/catalogue.ts";
import { silentLog } from "../../src/log/log.ts";
import type { ImageRule } from "../../src/plan/component.ts";
import { parseSelection } from "../../src/plan/selection.ts";
import { lastCopyCheck, lookAtRepositories, lookAtTags } from "../../src/run/tags.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type TagSource, tagSource } from "./tag-sources.ts";

const main = { registry: "source.example.com", path: "team" };
const spare = { registry: "spare.example.com", path: "team" };
const mirror = { registry: "mirror.example.com", path: "team" };
const other = { registry: "other.example.com", path: "team" };

const rule = (from: string, fromTag = "{{tag}}", toTag = fromTag): ImageRule => ({
  from,
  fromTag,
  to: from,
  toTag,
});
const keeping = (keep: number | "all") => ({ retention: { keep, keepBy: "semver" as const } });

describe("right before a version is deleted", () => {
  function checkAt(sources: readonly TagSource[], images: readonly ImageRule[] = [rule("app"), rule("db")]) {
    const destinations = [
      { ...mirror, ...keeping(1) },
      { ...other, ...keeping(1) },
    ];
    const context = { log: recordingLog(), signal: AbortSignal.timeout(10_000) };
    return lastCopyCheck(listedCatalogue(images), { sources, destinations }, new Set(), context);
  }
  const both = { app: ["v1"], db: ["v1"] };
  const lastCopy = {
    kind: "obstacle",
    problem: "it is at no source any more, so what is here may be the last copy",
  };

  test("it may go where each image is at some source", async () => {
    const why = checkAt([tagSource(main, { app: ["v1"] }), tagSource(spare, { db: ["v1"] })]);
    expect(await why("v1")).toBeUndefined();
  });

  test("it stays when a source has lost one image since the plan was made", async () => {
    const tags: Record<string, readonly string[]> = { ...both };
    const why = checkAt([tagSource(main, tags)]);
    expect(await why("v1")).toBeUndefined();
    tags.db = ["v2"];
    expect(await why("v1")).toEqual({ ...lastCopy, subject: "db:v1" });
  });

  test("what only a destination that prunes has stays", async () => {
    const here = tagSource(mirror, both);
    const why = checkAt([here, tagSource(main, {})]);
    expect(await why("v1")).toEqual({ ...lastCopy, subject: "app:v1" });
    expect(here.asked).toEqual([]);
    expect(await checkAt([here])("v1")).toEqual({ ...lastCopy, subject: "app:v1" });
  });

  test("what only another destination has that prunes stays: both would delete it at once", async () => {
    const why = checkAt([tagSource(mirror, both), tagSource(other, both), tagSource(main, {})]);
    expect(await why("v1")).toEqual({ ...lastCopy, subject: "app:v1" });
  });

  test("it stays where no source answers, and may go where one of two does and has it", async () => {
    const mute = tagSource(main, undefined);
    expect(await checkAt([mute])("v1")).toMatchObject({
      kind: "operation",
      host: main.registry,
      status: 403,
      consequence: "what is here may be the last copy, so it is not deleted",
    });
    expect(await checkAt([mute, tagSource(spare, both)])("v1")).toBeUndefined();
    expect(await checkAt([mute, tagSource(spare, {})])("v1")).toMatchObject(lastCopy);
  });

  test("an image counts by the tag that its line reads, at the source that its line names", async () => {
    const named = tagSource({ ...spare, onlyNamed: true }, { tool: ["1.0.0"], app: ["v1.0.0"] });
    const images = [{ ...rule("tool", "{{version}}", "{{tag}}"), source: spare }];
    expect(await checkAt([tagSource(main, {}), named], images)("v1.0.0")).toBeUndefined();
    expect(await checkAt([tagSource(main, {}), named], [rule("app")])("v1.0.0")).toEqual({
      ...lastCopy,
      subject: "app:v1.0.0",
    });
  });

  test("a run that is cancelled ends", async () => {
    const context = { log: silentLog, signal: AbortSignal.abort(new Error("cancelled")) };
    const why = lastCopyCheck(
      listedCatalogue([rule("app")]),
      { sources: [tagSource(main, both)], destinations: [] },
      new Set(),
      context,
    );
    await expect(why("v1")).rejects.toThrow("cancelled");
  });
});

describe("a tag that is asked for by its name", () => {
  const aliases = [rule("app"), rule("app", "{{tag}}", "{{major}}")];
  const look = (images: readonly ImageRule[], source: TagSource, keep: number | "all" = "all") => {
    const destinations = [{ ...mirror, ...keeping(keep) }] as never;
    const inputs = {
      images,
      sources: [{ ...main, tokenServer: undefined }],
      destinations,
      prereleases: false,
    };
    const places = { sources: [source], destinations, attachments: undefined };
    const context = { log: silentLog, signal: AbortSignal.timeout(10_000) };
    return lookAtTags({ selection: parseSelection("v1.0.0, v1.1.0") }, inputs, places, context);
  };
  const tags = { app: ["v1.0.0", "v1.1.0", "v1.2.0"] };

  test("needs no list where nothing is pruned", async () => {
    const source = tagSource(main, tags);
    const images = [rule("app"), rule("tool", "7.1"), rule("tool", "7.1", "{{major}}")];
    expect((await look(images, source)).universe.map(({ tag }) => tag)).toEqual(["v1.0.0", "v1.1.0"]);
    expect(source.asked).toEqual([]);
  });

  test("needs one where several versions make a tag, which belongs to the newest at the sources", async () => {
    expect((await look(aliases, tagSource(main, tags))).universe.map(({ tag }) => tag)).toEqual([
      "v1.0.0",
      "v1.1.0",
      "v1.2.0",
    ]);
    await expect(look(aliases, tagSource(main, undefined))).rejects.toThrow(/list tags/);
    await expect(look(aliases, tagSource(main, undefined), 1)).rejects.toThrow(/list tags/);
  });

  test("is mirrored where the list is refused, and no tag that is named is pruned for another", async () => {
    const { universe, wanted } = await look([rule("app")], tagSource(main, undefined), 1);
    expect(wanted.map(({ tag }) => tag)).toEqual(["v1.1.0", "v1.0.0"]);
    expect(universe).toEqual([]);
  });
});

describe("a version with several lines or names", () => {
  const destinations = [{ ...mirror, ...keeping("all") }] as never;
  const inputs = {
    images: [rule("app")],
    sources: [{ ...main, tokenServer: undefined }],
    destinations,
    prereleases: false,
  };
  const lookFor = (text: string, source: TagSource) => ({
    wanted: { selection: parseSelection(text) },
    places: { sources: [source], destinations, attachments: undefined },
    log: recordingLog(),
    signal: AbortSignal.timeout(10_000),
  });
  test("takes each line as if it were alone, and tells of one that fits nothing", async () => {
    const { wanted, places, log, signal } = lookFor(
      "edge\n2.x\n3.x",
      tagSource(main, { app: ["edge", "v1.0.0", "v2.0.0", "v2.1.0"] }),
    );
    const route = await lookAtTags(wanted, inputs, places, { log, signal });
    expect(route.wanted.map(({ tag }) => tag)).toEqual(["v2.1.0", "v2.0.0", "edge"]);
    expect(log.warnings).toEqual(['The line "3.x" of version fits no tag of source.example.com/team']);
  });

  const names = ["app", "db", "web"];
  const tags = { app: ["v1.0.0", "v2.0.0"], db: ["v1.0.0"], web: ["v3.0.0"] };

  test("of patterns, a tag is mirrored of the repositories that have it, and the others are told", async () => {
    const { wanted, places, log, signal } = lookFor("v1.0.0, v2.0.0", tagSource(main, tags));
    const looks = await lookAtRepositories(wanted, inputs, names, places, { log, signal });
    const found = looks.map((look) => [
      "route" in look && look.route.wanted.map(({ tag }) => tag),
      look.name,
    ]);
    expect(found).toEqual([
      [["v2.0.0", "v1.0.0"], "app"],
      [["v1.0.0"], "db"],
    ]);
    expect(log.infos).toEqual(["Without v2.0.0: db", "Without a version that is wanted: web"]);
    expect(log.warnings).toEqual([]);
  });

  test("of patterns, a tag that no repository has is a mistake, but not where one could not be asked", async () => {
    const none = lookFor("v1.0.0, v4.0.0", tagSource(main, tags));
    await expect(
      lookAtRepositories(none.wanted, inputs, names, none.places, { log: none.log, signal: none.signal }),
    ).rejects.toThrow('None of the 3 repositories that the input "images" fits has the tag v4.0.0.');
    const mute = lookFor("v1.0.0\nglob:v4*", tagSource(main, undefined));
    const looks = await lookAtRepositories(mute.wanted, inputs, names, mute.places, {
      log: mute.log,
      signal: mute.signal,
    });
    expect(looks.map((look) => "failure" in look)).toEqual([true, true, true]);
  });

  test("of patterns, a line is told that fits nothing in any repository", async () => {
    const { wanted, places, log, signal } = lookFor("1.x\n3.x\nglob:nightly-*", tagSource(main, tags));
    await lookAtRepositories(wanted, inputs, names, places, { log, signal });
    expect(log.warnings).toEqual([
      'The line "glob:nightly-*" of version fits no tag of source.example.com/team',
    ]);
  });
});
