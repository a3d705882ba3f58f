import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import type { EventInput } from "../../src/github/event.ts";
import { readEventFile, readTrigger, type Trigger } from "../../src/github/event.ts";
import { resolveSelection, type SelectionInputs } from "../../src/run/wanted.ts";

function event(name: string, more: Partial<EventInput> = {}): EventInput {
  return {
    name,
    path: "/event.json",
    repository: "acme/mirror",
    refName: undefined,
    refType: undefined,
    ...more,
  };
}

function trigger(name: string, payload: unknown): Promise<Trigger> {
  return readTrigger(event(name), () => Promise.resolve(JSON.stringify(payload)));
}

const unread = () => Promise.reject(new Error("the file was read"));

const releasePayload = {
  action: "published",
  release: {
    tag_name: "v2.15.2",
    prerelease: false,
    draft: false,
    published_at: "2026-07-01T02:52:00Z",
    id: 1,
  },
  repository: { name: "harbor", owner: { login: "goharbor" } },
};

function runPayload(run: Readonly<Record<string, unknown>>) {
  const usual = { name: "Publish Release", event: "push", conclusion: "success", head_branch: "v2.15.2" };
  return { action: "completed", workflow_run: { ...usual, ...run } };
}

describe("readTrigger", () => {
  test("a release event gives its tag, flags, date and repository", async () => {
    expect(await trigger("release", releasePayload)).toEqual({
      kind: "release",
      action: "published",
      repository: { owner: "goharbor", name: "harbor" },
      tag: "v2.15.2",
      prerelease: false,
      draft: false,
      publishedAt: Date.UTC(2026, 6, 1, 2, 52),
    });
  });

  test.each([
    ["of a version's tag", {}, "v2.15.2"],
    ["of a branch", { head_branch: "release-2.15.0" }, undefined],
    ["of no branch", { head_branch: null }, undefined],
    ["of a pull request whose branch is called like a version", { event: "pull_request" }, undefined],
    ["of a pull request, with the base's rights", { event: "pull_request_target" }, undefined],
  ])("a workflow_run %s", async (_what, run, tag) => {
    expect(await trigger("workflow_run", runPayload(run))).toEqual({
      kind: "workflow_run",
      repository: { owner: "acme", name: "mirror" },
      workflow: "Publish Release",
      conclusion: "success",
      tag,
    });
  });

  test.each([
    [{ inputs: { version: " v2.15.2 " } }, "v2.15.2"],
    [{ inputs: { version: "" } }, undefined],
    [{ inputs: { other: "x" } }, undefined],
    [{ inputs: { version: true } }, undefined],
    [{ inputs: null }, undefined],
    [{}, undefined],
  ])("a workflow_dispatch with %j wants %s", async (payload, version) => {
    expect(await trigger("workflow_dispatch", payload)).toEqual({ kind: "workflow_dispatch", version });
  });

  const repository = { owner: "acme", name: "mirror" };
  test.each<[EventInput, Trigger]>([
    [event("push", { refName: "v1.0.0", refType: "tag" }), { kind: "push", repository, tag: "v1.0.0" }],
    [event("push", { refName: "main", refType: "branch" }), { kind: "push", repository, tag: undefined }],
    [
      event("push", { repository: undefined, refName: "v1.0.0", refType: "tag" }),
      { kind: "push", repository: undefined, tag: "v1.0.0" },
    ],
    [event("schedule"), { kind: "schedule" }],
    [event("issues"), { kind: "other", name: "issues" }],
    [event("", { path: undefined }), { kind: "other", name: "" }],
  ])("%j needs no file", async (given, expected) => {
    expect(await readTrigger(given, unread)).toEqual(expected);
  });

  test.each([
    ["no JSON", "release", "{"],
    ["no object", "release", "null"],
    ["no release", "release", '{"action":"published"}'],
    ["a tag that is no text", "release", JSON.stringify({ ...releasePayload, release: { tag_name: 1 } })],
    ["no run", "workflow_run", "{}"],
    ["inputs that are a list", "workflow_dispatch", '{"inputs":"x"}'],
  ])("a file with %s is called malformed", async (_what, name, text) => {
    const reading = readTrigger(event(name), () => Promise.resolve(text));
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow(
      `The file of the ${name} event (GITHUB_EVENT_PATH) is malformed: its text`,
    );
  });

  test("a file that cannot be read, or is not named, is a mistake that says so", async () => {
    await expect(readTrigger(event("release"), unread)).rejects.toThrow(/cannot be read: the file was read/);
    const unnamed = event("release", { path: undefined });
    await expect(readTrigger(unnamed, unread)).rejects.toThrow(/GITHUB_EVENT_PATH\) is not set/);
  });
});

describe("readEventFile", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "event-"));
    await writeFile(join(folder, "event.json"), "12345");
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("reads a file up to the limit and none beyond it", async () => {
    expect(await readEventFile(join(folder, "event.json"), 5)).toBe("12345");
    await expect(readEventFile(join(folder, "event.json"), 4)).rejects.toThrow("larger than 4 bytes");
  });
});

describe("resolveSelection", () => {
  const harbor = { owner: "goharbor", name: "harbor" };
  const acme = { owner: "acme", name: "app" };
  const tags = (tag: string) => ({ kind: "tags", tags: [tag] });

  function inputs(more: Partial<SelectionInputs> = {}): SelectionInputs {
    return {
      name: undefined,
      version: undefined,
      versionsFrom: "releases",
      images: "auto",
      repository: undefined,
      retention: { keep: 3, keepBy: "semver" },
      destinations: [{ retention: { keep: 3, keepBy: "semver" } }],
      prereleases: false,
      ...more,
    };
  }

  function released(more: Partial<Extract<Trigger, { kind: "release" }>> = {}): Trigger {
    const usual = { action: "published", tag: "v1.2.3", prerelease: false, draft: false, publishedAt: 5 };
    return { kind: "release", repository: acme, ...usual, ...more };
  }

  function ran(more: Partial<Extract<Trigger, { kind: "workflow_run" }>> = {}): Trigger {
    const usual = { workflow: "Publish", conclusion: "success", tag: "v1.2.3" };
    return { kind: "workflow_run", repository: acme, ...usual, ...more };
  }

  const eventRelease = { tag: "v1.2.3", prerelease: false, publishedAt: 5 };

  test.each<[string, Partial<SelectionInputs>, Trigger, object]>([
    ["release", {}, released(), { repository: acme, selection: tags("v1.2.3"), eventRelease }],
    [
      "release of an action that also publishes",
      {},
      released({ action: "released" }),
      { selection: tags("v1.2.3") },
    ],
    [
      "release, prereleases wanted",
      { prereleases: true },
      released({ tag: "v1.3.0-rc1", prerelease: true }),
      { selection: tags("v1.3.0-rc1") },
    ],
    [
      "release here, releases of another repository",
      { repository: harbor },
      released(),
      { repository: harbor, selection: tags("v1.2.3"), eventRelease: undefined },
    ],
    [
      "release, repository spelt otherwise",
      { repository: { owner: "Acme", name: "App" } },
      released(),
      { eventRelease },
    ],
    [
      "release and a version input",
      { version: { kind: "newest", count: 2 } },
      released(),
      { repository: acme, selection: { kind: "newest", count: 2 }, eventRelease },
    ],
    [
      "a deleted release and a version input",
      { version: { kind: "newest", count: 2 } },
      released({ action: "deleted" }),
      { eventRelease: undefined },
    ],
    ["workflow_run", {}, ran(), { repository: acme, selection: tags("v1.2.3"), eventRelease: undefined }],
    [
      "workflow_run here, releases of another repository",
      { repository: harbor },
      ran(),
      { repository: harbor, selection: tags("v1.2.3") },
    ],
    [
      "failed workflow_run and a version input",
      { version: { kind: "newest", count: 2 } },
      ran({ conclusion: "failure" }),
      { selection: { kind: "newest", count: 2 } },
    ],
    [
      "push of a tag",
      {},
      { kind: "push", repository: acme, tag: "v1.2.3" },
      { repository: acme, selection: tags("v1.2.3") },
    ],
    [
      "push of a branch and a version input",
      { version: { kind: "newest", count: 2 } },
      { kind: "push", repository: acme, tag: undefined },
      { repository: acme, selection: { kind: "newest", count: 2 } },
    ],
    [
      "push of a tag in no repository that is known",
      {},
      { kind: "push", repository: undefined, tag: "v1.2.3" },
      { repository: harbor },
    ],
    [
      "schedule",
      {},
      { kind: "schedule" },
      // Mostly in a repository that does nothing but mirror.
      { repository: harbor, selection: { kind: "kept", retentions: [{ keep: 3, keepBy: "semver" }] } },
    ],
    [
      "schedule with destinations that keep otherwise, one of them all",
      {
        retention: { keep: 2, keepBy: "minor" },
        destinations: [
          { retention: { keep: "all", keepBy: "minor" } },
          { retention: { keep: 5, keepBy: "published" } },
        ],
      },
      { kind: "schedule" },
      {
        selection: {
          kind: "kept",
          retentions: [
            { keep: 2, keepBy: "minor" },
            { keep: 5, keepBy: "published" },
          ],
        },
      },
    ],
    [
      "dispatch",
      {},
      { kind: "workflow_dispatch", version: "newest:1" },
      { repository: harbor, selection: { kind: "newest", count: 1 } },
    ],
    [
      "dispatch and a version input",
      { version: { kind: "newest", count: 2 } },
      { kind: "workflow_dispatch", version: "v9.9.9" },
      { selection: { kind: "newest", count: 2 } },
    ],
    [
      "no event but a version input",
      { version: { kind: "newest", count: 2 } },
      { kind: "other", name: "" },
      { repository: harbor, selection: { kind: "newest", count: 2 } },
    ],
  ])("%s", (_name, given, from, expected) => {
    expect(resolveSelection(inputs(given), from)).toMatchObject({ kind: "releases", ...expected });
  });

  test.each<[string, Trigger]>([
    ["flagged", released({ tag: "v3.0.0", prerelease: true })],
    ["by its tag alone", released({ tag: "v3.0.0-rc1" })],
    ["tag pushed", { kind: "push", repository: acme, tag: "v3.0.0-rc1" }],
    ["tag of a workflow_run", ran({ tag: "v3.0.0-rc1" })],
  ])("a prerelease (%s) that is not wanted is nothing to do, with the reason", (_name, from) => {
    const { kind, ...rest } = resolveSelection(inputs(), from);
    expect(kind).toBe("nothing");
    expect(rest).toHaveProperty(
      "reason",
      expect.stringMatching(/^v3\.0\.0.* is a prerelease.*"prereleases" is false/),
    );
  });

  test.each<[string, Partial<SelectionInputs>, Trigger, RegExp]>([
    ["a draft", {}, released({ draft: true, publishedAt: undefined }), /v1\.2\.3 is a draft/],
    ["created", {}, released({ action: "created" }), /"created".*published, released, prereleased/],
    ["edited", {}, released({ action: "edited" }), /"edited"/],
    ["deleted", {}, released({ action: "deleted" }), /"deleted"/],
    ["failed run", {}, ran({ conclusion: "failure" }), /"Publish" ended with failure/],
    ["run that goes on", {}, ran({ conclusion: undefined }), /"Publish" has not ended/],
    ["run of a branch", {}, ran({ tag: undefined }), /not of a version's tag.*Set the input "version"/],
    [
      "push of a branch",
      {},
      { kind: "push", repository: acme, tag: undefined },
      /branch.*Set the input "version"/,
    ],
    [
      "schedule that keeps all",
      {
        retention: { keep: "all", keepBy: "semver" },
        destinations: [{ retention: { keep: "all", keepBy: "semver" } }],
      },
      { kind: "schedule" },
      /keep is all.*Set the input "version"/,
    ],
    [
      "dispatch without a version",
      {},
      { kind: "workflow_dispatch", version: undefined },
      /Set the input "version"/,
    ],
    [
      "dispatch with a wrong one",
      {},
      { kind: "workflow_dispatch", version: "newest:x" },
      /"version" of the workflow_dispatch event.*newest:3/,
    ],
    [
      "another event",
      {},
      { kind: "other", name: "issues" },
      /issues names no version.*Set the input "version"/,
    ],
    ["no event", {}, { kind: "other", name: "" }, /no event.*Set the input "version"/],
  ])("%s is a mistake that says what to set", (_name, given, from, message) => {
    expect(() => resolveSelection(inputs(given), from)).toThrow(InputError);
    expect(() => resolveSelection(inputs(given), from)).toThrow(message);
  });
});
