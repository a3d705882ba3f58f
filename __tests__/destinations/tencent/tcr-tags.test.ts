import { describe, expect, it } from "vitest";
import { createTcrInstance } from "../../../src/destinations/tencent/tcr-instance.ts";
import { tcrTags } from "../../../src/destinations/tencent/tcr-tags.ts";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { wordsOf } from "../../support/failures.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { fakeTcr } from "../fake-tcr.ts";

const signal = new AbortController().signal;
const repository = { namespace: "goharbor", name: "harbor-core" };

/** A repository of a fake TCR that holds these tags. */
function scenario(held: readonly string[]) {
  const clock = fakeClock();
  const tcr = fakeTcr();
  const tags = new Set(held);
  tcr.repositories.set("goharbor/harbor-core", tags);
  const url = new URL("https://tcr.tencentcloudapi.com");
  const key = { secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined };
  const api = createTencentApi({ transport: tcr.transport, clock, url, keys: fixedKey(key) });
  const target = { kind: "identified", registryId: "tcr-12345678", region: "ap-shanghai" } as const;
  const instance = createTcrInstance(api, target, clock);
  const batches = () =>
    tcr.calls
      .filter(({ action }) => action === "DeleteRepositoryTags")
      .map(({ parameters }) => parameters.Tags as readonly string[]);
  return { clock, tcr, tags, batches, deleter: tcrTags(instance, clock, repository) };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `v1.0.${index}`);
const gone = (tags: readonly string[]) => tags.map((tag) => ({ tag, failure: undefined }));

describe("deleting tags on TCR", () => {
  it("names the namespace, and the repository below it", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    expect(await deleter.delete(["v1"], signal)).toEqual(gone(["v1"]));
    expect(tcr.calls[0]?.parameters).toEqual({
      RegistryId: "tcr-12345678",
      NamespaceName: "goharbor",
      RepositoryName: "harbor-core",
      Tags: ["v1"],
    });
  });

  it("sends at most 20 tags in a call, and deletes no other", async () => {
    const { tags, batches, deleter } = scenario([...numbered(41), "dev"]);
    expect(await deleter.delete(numbered(41), signal)).toEqual(gone(numbered(41)));
    expect(batches().map((batch) => batch.length)).toEqual([20, 20, 1]);
    expect([...tags]).toEqual(["dev"]);
  });

  it("sends nothing for no tags", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    expect(await deleter.delete([], signal)).toEqual([]);
    expect(tcr.calls).toEqual([]);
  });

  it("reads every tag back by its exact name before the next batch is deleted", async () => {
    const { tcr, deleter } = scenario(numbered(21));
    await deleter.delete(numbered(21), signal);
    const actions = tcr.calls.map(({ action }) => action);
    expect(actions.slice(0, 22)).toEqual([
      "DeleteRepositoryTags",
      ...Array(20).fill("DescribeImages"),
      "DeleteRepositoryTags",
    ]);
    expect(tcr.calls[1]?.parameters).toMatchObject({ ImageVersion: "v1.0.0", ExactMatch: true, Offset: 1 });
  });

  it("looks again when a list is behind", async () => {
    const { tcr, clock, deleter } = scenario(["v1"]);
    tcr.staleLists = 2;
    expect(await deleter.delete(["v1"], signal)).toEqual(gone(["v1"]));
    expect(clock.slept).toEqual(expect.arrayContaining([1000, 3000]));
  });

  it("says so when a tag is still listed after its deletion", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    tcr.staleLists = Number.POSITIVE_INFINITY;
    const [deletion] = await deleter.delete(["v1"], signal);
    expect(wordsOf(deletion?.failure)).toContain(
      "TCR still lists it after its deletion: goharbor/harbor-core:v1",
    );
  });

  it("sees a tag that is still listed where pages count from 0", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    tcr.firstPage = 0;
    tcr.staleLists = Number.POSITIVE_INFINITY;
    const [deletion] = await deleter.delete(["v1"], signal);
    expect(wordsOf(deletion?.failure)).toContain("TCR still lists it after its deletion");
  });

  it("asks for one page of a tag that is gone, and for no page 0", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    await deleter.delete(["v1"], signal);
    expect(tcr.calls.slice(1).map(({ parameters }) => parameters.Offset)).toEqual([1]);
  });

  it("counts a tag that does not exist as gone, and deletes the others of its batch", async () => {
    const { tags, deleter } = scenario(["v1", "v3"]);
    expect(await deleter.delete(["v1", "v2", "v3"], signal)).toEqual(gone(["v1", "v2", "v3"]));
    expect([...tags]).toEqual([]);
  });

  it("counts all tags of a repository that does not exist as gone", async () => {
    const { tcr, deleter } = scenario([]);
    tcr.repositories.clear();
    expect(await deleter.delete(["v1", "v2"], signal)).toEqual(gone(["v1", "v2"]));
  });

  it("explains a tag that a rule protects, and deletes the others of its batch", async () => {
    const { tcr, tags, deleter } = scenario(["v1", "v2", "v3"]);
    tcr.immutable.add("v2");
    const [first, second, third] = await deleter.delete(["v1", "v2", "v3"], signal);
    expect([first, third]).toEqual(gone(["v1", "v3"]));
    expect(wordsOf(second?.failure)).toMatch(/deleting the tag v2 failed.*immutable tag rule/);
    expect([...tags]).toEqual(["v2"]);
  });

  it("gives another error for every tag of the batch, once, and goes on with the next batch", async () => {
    const { tcr, tags, batches, deleter } = scenario(numbered(21));
    tcr.errors.set("DeleteRepositoryTags", ["UnauthorizedOperation"]);
    const deletions = await deleter.delete(numbered(21), signal);
    const failures = deletions.filter(({ failure }) => failure !== undefined);
    expect(failures).toHaveLength(20);
    expect(wordsOf(failures[0]?.failure)).toMatch(
      /goharbor\/harbor-core: deleting 20 tags failed.*tcr:DeleteRepositoryTags/,
    );
    expect(batches()).toHaveLength(2);
    expect(tags.size).toBe(20);
  });

  it("does not report a tag as gone that it could not read back", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    tcr.errors.set("DescribeImages", ["InternalError"]);
    const [deletion] = await deleter.delete(["v1"], signal);
    expect(wordsOf(deletion?.failure)).toContain("reading back the tag v1 failed");
  });

  it("ends with the signal's reason when the run is cancelled", async () => {
    const { tcr, deleter } = scenario(["v1"]);
    const cancelled = AbortSignal.abort(new Error("cancelled"));
    await expect(deleter.delete(["v1"], cancelled)).rejects.toThrow("cancelled");
    expect(tcr.calls).toEqual([]);
  });
});
