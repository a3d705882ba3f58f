import { describe, expect, it, onTestFinished } from "vitest";
import { type Artifact, buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import type { Deletion } from "../../sandbox/registry/manifests.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { noBytes } from "../../src/copy/outcome.ts";
import { prune } from "../../src/copy/prune.ts";
import type { DestinationAbilities } from "../../src/destinations/destination.ts";
import { registryRoute } from "../../src/destinations/registry/registry-deletion.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import type { KeepStep, PruneStep } from "../../src/plan/plan.ts";
import { copyStep } from "../report/result-builder.ts";
import { obstacle, wordsOf } from "../support/failures.ts";
import { fakeClock } from "../support/fake-clock.ts";

const signal = new AbortController().signal;

/**
 * A registry with what a test puts there, and the pruning of tags that hold what the plan saw.
 * @param offered how the registry deletes; by digest unless the destination is said to delete tags.
 * @param pauses clock for the pauses that the registry asks for. Default: what goes wrong is not tried again.
 */
async function startPlace(
  deletion: DestinationAbilities["deletion"] = "shared-digest-unsafe",
  offered: Deletion = deletion === "shared-digest-unsafe" ? "by-digest" : "by-tag",
  pauses?: Clock,
) {
  const server = await startRegistry({ deletion: offered });
  onTestFinished(() => server.close());
  const network = createTransport(silentLog, systemClock);
  onTestFinished(() => network.close());
  const client = new Registry({
    registry: server.host,
    side: "destination",
    credentials: anonymous,
    transport: pauses === undefined ? network : retrying(network, { clock: pauses, log: silentLog }),
    clock: systemClock,
    log: silentLog,
  });
  const repository = (name: string) => new Repository(client, name);
  const destination: DestinationAbilities = {
    name: `${server.host}/mirror`,
    registry: server.host,
    path: "mirror",
    credentials: anonymous,
    prepare: () => Promise.resolve(),
    ...registryRoute({
      deleteManifest: (name, reference, until) => repository(name).deleteManifest(reference, until),
      resolve: async (name, tag) => (await repository(name).resolve(tag, signal))?.digest,
      granted: () => Promise.resolve(undefined),
      needed: [],
    }),
    deletion,
  };
  const clock = pauses ?? { now: () => Date.now(), timeout: systemClock.timeout };
  const push = (artifact: Artifact, tag?: string) => pushTo(server, "mirror/app", artifact, tag);
  /** Prunes tags; what the plan saw is what they hold now. */
  const planned = (...tags: readonly string[]) => {
    const steps = tags.map(
      (tag): PruneStep => ({
        kind: "prune",
        destination: destination.name,
        version: tag,
        image: "app",
        tag,
        reason: "not among the newest",
        digest: parseDigest(server.tags("mirror/app").get(tag) ?? ""),
      }),
    );
    const carryOut = (...kept: readonly KeepStep[]) =>
      prune(steps, kept, { ...destination, repository }, { failures: 0, copies: [] }, clock, signal);
    return Object.assign(
      async (...kept: readonly string[]) => (await carryOut(...kept.map(keepStep))).prunes,
      {
        keeping: carryOut,
      },
    );
  };
  /**
   * Prunes what tags held that a run has overwritten, and then what other tags hold.
   * @param replaced what the tags held when the run set them. Default: what the plan saw.
   */
  const overwritten = async (
    held: Readonly<Record<string, string>>,
    tags: readonly string[] = [],
    replaced: Readonly<Record<string, string>> = held,
  ) => {
    const planned = { destination: destination.name, image: "app", reason: "its tag is overwritten" };
    const steps = [
      ...Object.entries(held).map(
        ([tag, text]): PruneStep => ({
          kind: "prune",
          ...planned,
          version: tag,
          tag,
          digest: known(text),
          untagged: known(text),
        }),
      ),
      ...tags.map(
        (tag): PruneStep => ({
          kind: "prune",
          ...planned,
          version: "v1",
          tag,
          digest: parseDigest(server.tags("mirror/app").get(tag) ?? ""),
        }),
      ),
    ];
    const copies = Object.entries(replaced).map(([tag, digest]) => ({
      step: copyStep({ destination: destination.name, image: "app", tag, version: tag }),
      failure: undefined,
      replaced: known(digest),
      bytes: noBytes,
      milliseconds: 0,
      moved: undefined,
    }));
    const kept = Object.keys(held).map(keepStep);
    const place = { ...destination, repository };
    return (await prune(steps, kept, place, { failures: 0, copies }, clock, signal)).prunes;
  };
  const holds = (digest: string) => server.manifest("mirror/app", digest) !== undefined;
  /** From now on every request takes this long. */
  const slow = (milliseconds: number) => {
    clock.now = () => server.requests.length * milliseconds;
  };
  const keepStep = (tag: string): KeepStep => ({
    kind: "keep",
    destination: destination.name,
    version: tag,
    images: [{ image: "app", tag }],
    reason: "among the newest",
  });
  return {
    server,
    push,
    planned,
    keepStep,
    overwritten,
    holds,
    slow,
    tags: () => [...server.tags("mirror/app").keys()].sort(),
  };
}

function known(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new Error(`${text} is no digest`);
  return digest;
}

const deletions = (server: RegistryServer) =>
  server.requests.filter(({ method }) => method === "DELETE").map(({ path }) => path);

describe("pruning where a deletion takes the manifest along", () => {
  it("deletes what nothing else needs", async () => {
    const { push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "new" }), "v2");
    expect(await planned("v1")()).toMatchObject([{ status: "pruned" }]);
    expect(tags()).toEqual(["v2"]);
  });

  it("leaves a child of an index that stays, at any depth", async () => {
    const { server, push, planned, tags } = await startPlace();
    const old = buildImage({ seed: "old" });
    push(old, "v1");
    push(buildIndex([buildIndex([old, buildImage({ seed: "arm" })])]), "lts");
    const [outcome] = await planned("v1")();
    expect(outcome).toMatchObject({
      status: "left",
      failure: obstacle("its manifest is needed by lts, which stays"),
    });
    expect(tags()).toEqual(["lts", "v1"]);
    expect(deletions(server).filter((path) => path.includes("sha256:"))).toEqual([]);
  });

  it("leaves what is needed by a tag that itself has to stay", async () => {
    const { push, planned, tags } = await startPlace();
    const one = buildImage({ seed: "one" });
    const two = buildIndex([one]);
    push(one, "v1");
    push(two, "v2");
    push(buildIndex([two]), "lts");
    expect((await planned("v1", "v2")()).map(({ status }) => status)).toEqual(["left", "left"]);
    expect(tags()).toEqual(["lts", "v1", "v2"]);
  });

  it("leaves what another tag has come to hold while the run copied", async () => {
    const { push, planned, tags } = await startPlace();
    const old = buildImage({ seed: "old" });
    push(old, "v1");
    const carryOut = planned("v1");
    push(old, "stable");
    expect(await carryOut()).toMatchObject([
      { status: "left", failure: obstacle("its manifest is needed by stable, which stays") },
    ]);
    expect(tags()).toEqual(["stable", "v1"]);
  });

  it("leaves a tag that was moved while the run copied, and deletes the others", async () => {
    const { push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "older" }), "v0");
    const carryOut = planned("v1", "v0");
    const moved = buildImage({ seed: "moved" });
    push(moved, "v1");
    expect(await carryOut()).toMatchObject([
      { status: "left", failure: obstacle(`the tag was moved to ${moved.digest} since the plan was made`) },
      { status: "pruned" },
    ]);
    expect(tags()).toEqual(["v1"]);
  });

  it("deletes a subject although its own signature tag stays behind", async () => {
    const { push, planned, tags } = await startPlace();
    const old = buildImage({ seed: "old" });
    push(old, "v1");
    const fallback = `${old.digest.replace(":", "-")}`;
    push(buildIndex([buildImage({ seed: "signature" })]), fallback);
    expect(await planned("v1")()).toMatchObject([{ status: "pruned" }]);
    expect(tags()).toEqual([fallback]);
  });

  it("leaves what an index needs whose tag only looks like that of a signature", async () => {
    const { push, planned, tags } = await startPlace();
    const old = buildImage({ seed: "old" });
    push(old, "v1");
    push(buildIndex([old]), `${old.digest.replace(":", "-")}.lts`);
    expect(await planned("v1")()).toMatchObject([{ status: "left" }]);
    expect(tags()).toContain("v1");
  });

  it("leaves all where a tag leads to a manifest that cannot be read", async () => {
    const { server, push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    const other = push(buildImage({ seed: "new" }), "v2");
    server.fault({
      when: { method: "GET", path: new RegExp(`/manifests/${other}$`) },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 404, body: "" },
    });
    expect(await planned("v1")()).toMatchObject([{ status: "left" }]);
    expect(tags()).toEqual(["v1", "v2"]);
  });

  it("leaves all where more manifests than the limit would have to be read", async () => {
    const { push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    const children = Array.from({ length: 1_001 }, (_, index) =>
      buildImage({ seed: `child-${index}`, layers: [] }),
    );
    push(buildIndex(children), "lts");
    expect(await planned("v1")()).toMatchObject([
      {
        status: "left",
        failure: { problem: expect.stringContaining("more than 1000 manifests of its repository") },
      },
    ]);
    expect(tags()).toEqual(["lts", "v1"]);
  });

  it("leaves all where it cannot be proven that nothing needs it", async () => {
    const { server, push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "new" }), "v2");
    const carryOut = planned("v1");
    server.fault({
      when: { method: "GET", path: /\/manifests\/sha256:/ },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403, body: "" },
    });
    const [outcome] = await carryOut();
    expect(outcome?.status).toBe("left");
    expect(wordsOf(outcome?.failure)).toMatch(
      /^it could not be proven that nothing else needs it: .* status 403/,
    );
    expect(tags()).toEqual(["v1", "v2"]);
  });

  it("deletes nothing where a version that is to be kept went away while the run copied, and says how to mend it", async () => {
    const { server, push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "new" }), "v2");
    const carryOut = planned("v1");
    server.deleteTag("mirror/app", "v2");
    const [outcome] = await carryOut("v2");
    expect(outcome?.status).toBe("failed");
    expect(wordsOf(outcome?.failure)).toMatch(
      /^what is to be kept here is gone, so nothing is deleted: app:v2\. Run with version: v2 /,
    );
    expect(tags()).toEqual(["v1"]);
    expect(deletions(server)).toEqual([]);
  });

  it.each(["manifests", "blobs"])(
    "deletes nothing where %s of what is to be kept are lost, at any depth",
    async (kind) => {
      const { server, push, planned, tags } = await startPlace();
      push(buildImage({ seed: "old" }), "v1");
      const child = buildImage({ seed: "child" });
      push(buildIndex([buildIndex([child])]), "v2");
      const carryOut = planned("v1");
      const lost = kind === "manifests" ? child.digest : child.layers[0]?.digest;
      server.fault({
        when: { method: ["HEAD", "GET"], path: new RegExp(`/${kind}/${lost}$`) },
        times: Number.POSITIVE_INFINITY,
        effect: { status: 404, body: "" },
      });
      const [outcome] = await carryOut("v2");
      expect(outcome?.status).toBe("failed");
      expect(wordsOf(outcome?.failure)).toContain(
        `so nothing is deleted: ${lost} of app:v2. Run with version: v2`,
      );
      expect(tags()).toEqual(["v1", "v2"]);
      expect(deletions(server)).toEqual([]);
    },
  );

  it("deletes nothing where what this run has brought was replaced, and names the version and its image", async () => {
    const { server, push, planned, keepStep, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    const brought = buildImage({ seed: "new" });
    push(brought, "v2");
    const carryOut = planned("v1");
    push(buildImage({ seed: "of another" }), "v2");
    const image = { image: "app", tag: "v2", digest: parseDigest(brought.digest) };
    const kept = { ...keepStep("v2"), images: [image] };
    const { prunes, keeps } = await carryOut.keeping(kept);
    expect(wordsOf(prunes[0]?.failure)).toContain(`so nothing is deleted: ${brought.digest} of app:v2. Run`);
    expect(keeps).toEqual([{ step: kept, missing: [image], failure: prunes[0]?.failure }]);
    expect(tags()).toEqual(["v1", "v2"]);
    expect(deletions(server)).toEqual([]);
  });

  it("deletes nothing where it is not known whether what is kept is there", async () => {
    const { server, push, planned, tags } = await startPlace();
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "new" }), "v2");
    const carryOut = planned("v1");
    server.fault({ when: { method: "HEAD", path: /v2$/ }, times: 9, effect: { status: 403, body: "" } });
    expect(await carryOut("v2")).toMatchObject([{ status: "left" }]);
    expect(tags()).toEqual(["v1", "v2"]);
  });
});

it("leaves all at the first answer that deletion is not offered, with the reason, and tries no other tag", async () => {
  const { server, push, planned } = await startPlace("shared-digest-unsafe", "disabled");
  const old = Array.from({ length: 28 }, (_, index) => `v0.${index}`);
  for (const tag of [...old, "v1"]) push(buildImage({ seed: tag }), tag);
  const outcomes = await planned(...old)("v1");
  expect(outcomes).toHaveLength(28);
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["left"]));
  expect(new Set(outcomes.map(({ failure }) => wordsOf(failure))).size).toBe(1);
  expect(wordsOf(outcomes[27]?.failure)).toContain("`storage.delete.enabled: true`");
  // By tag, and then by digest.
  expect(deletions(server)).toHaveLength(2);
});

describe("pruning where a tag goes alone", () => {
  it("leaves a tag that was moved while the run copied, deletes the others, and reads manifests only of what is kept", async () => {
    const { server, push, planned, tags } = await startPlace("by-tag");
    for (const tag of ["v1", "v0", "v3"]) push(buildImage({ seed: tag }), tag);
    const carryOut = planned("v1", "v0");
    const moved = buildImage({ seed: "moved" });
    push(moved, "v1");
    expect(await carryOut("v3")).toMatchObject([
      { status: "left", failure: obstacle(`the tag was moved to ${moved.digest} since the plan was made`) },
      { status: "pruned" },
    ]);
    expect(tags()).toEqual(["v1", "v3"]);
    const kept = server.tags("mirror/app").get("v3");
    const read = server.requests.filter(
      ({ method, path }) => method === "GET" && path.includes("/manifests/"),
    );
    expect(read.map(({ path }) => path)).toEqual([`/v2/mirror/app/manifests/${kept}`]);
    expect(deletions(server)).toHaveLength(1);
  });

  it("leaves a tag that cannot be looked at", async () => {
    const { server, push, planned } = await startPlace("by-tag");
    push(buildImage({ seed: "old" }), "v1");
    const carryOut = planned("v1");
    server.fault({ when: { method: "HEAD", path: /v1$/ }, times: 9, effect: { status: 403, body: "" } });
    const [outcome] = await carryOut();
    expect(outcome?.status).toBe("left");
    expect(wordsOf(outcome?.failure)).toMatch(/^it is not known whether the tag was moved since the plan/);
    expect(deletions(server)).toEqual([]);
  });
});

it.each(["by-tag", "last-tag-takes-manifest", "shared-digest-unsafe"] as const)(
  "sends no deletion for a tag that is gone at the look: another may set it meanwhile (%s)",
  async (deletion) => {
    const { server, push, planned } = await startPlace(deletion);
    push(buildImage({ seed: "old" }), "v1");
    push(buildImage({ seed: "new" }), "v2");
    const carryOut = planned("v1");
    server.deleteTag("mirror/app", "v1");
    expect(await carryOut()).toMatchObject([{ status: "pruned" }]);
    expect(deletions(server)).toEqual([]);
  },
);

it("deletes a child after the index that goes as well, and leaves it where that was not deleted", async () => {
  const { server, push, planned, tags } = await startPlace();
  const child = buildImage({ seed: "child" });
  const index = buildIndex([buildIndex([child])]);
  push(child, "v1");
  push(index, "v2");
  const carryOut = planned("v1", "v2");
  server.fault({
    when: { method: "DELETE", path: new RegExp(`${index.digest}$`) },
    times: 9,
    effect: { status: 403 },
  });
  const outcomes = await carryOut();
  expect(Object.fromEntries(outcomes.map(({ step, status }) => [step.tag, status]))).toEqual({
    v1: "left",
    v2: "left",
  });
  expect(tags()).toEqual(["v1", "v2"]);
  server.clearFaults();
  await planned("v1", "v2")();
  expect(tags()).toEqual([]);
});

describe("signatures of what is pruned", () => {
  const old = buildImage({ seed: "old", format: "oci" });
  const tagOf = ({ digest }: Artifact, suffix: string) => `${digest.replace(":", "-")}${suffix}`;
  const sbom = buildImage({ seed: "sbom", format: "oci" });
  const signatureOf = (seed: string) => buildImage({ seed: `signature of ${seed}`, format: "oci" });
  const signed = [tagOf(old, ".sig"), tagOf(old, ".sbom"), tagOf(sbom, ".sig")];

  async function startSigned(...place: Parameters<typeof startPlace>) {
    const opened = await startPlace(...place);
    opened.push(old, "v1");
    opened.push(signatureOf("old"), signed[0]);
    opened.push(sbom, signed[1]);
    opened.push(signatureOf("sbom"), signed[2]);
    opened.push(buildImage({ seed: "new", format: "oci" }), "v2");
    opened.push(signatureOf("new"), `sha256-${"0".repeat(64)}.sig`);
    return opened;
  }

  const kinds = ["by-tag", "last-tag-takes-manifest", "shared-digest-unsafe"] as const;

  it.each(kinds)("go after it, and no other tag does (%s)", async (deletion) => {
    const { server, planned, tags } = await startSigned(deletion);
    const outcomes = await planned("v1", ...signed)("v2");
    expect(outcomes.map(({ status }) => status)).toEqual(["pruned", "pruned", "pruned", "pruned"]);
    expect(tags()).toEqual([`sha256-${"0".repeat(64)}.sig`, "v2"]);
    if (deletion === "by-tag") expect(deletions(server)[0]).toMatch(/v1$/);
  });

  it.each(kinds)("stay where another tag has come to hold it (%s)", async (deletion) => {
    const { push, planned, tags } = await startSigned(deletion);
    const carryOut = planned("v1", ...signed);
    push(old, "stable");
    const outcomes = await carryOut("v2");
    for (const outcome of outcomes.slice(1))
      expect([outcome.status, wordsOf(outcome.failure)]).toEqual([
        "left",
        expect.stringMatching(/it is attached to what .* needs, which stays/),
      ]);
    expect(tags()).toEqual(expect.arrayContaining(["stable", ...signed]));
  });

  it.each(kinds)("stay where it is not deleted after all (%s)", async (deletion) => {
    const { server, planned, tags } = await startSigned(deletion);
    const subject = deletion === "shared-digest-unsafe" ? old.digest : "v1";
    server.fault({
      when: { method: "DELETE", path: new RegExp(`(v1|${subject})$`) },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 403 },
    });
    const outcomes = await planned("v1", ...signed)("v2");
    expect(outcomes.map(({ status }) => status)).toEqual(["left", "left", "left", "left"]);
    expect(tags()).toEqual(expect.arrayContaining(["v1", ...signed]));
  });

  it.each(kinds)("stay where an index that stays may need it (%s)", async (deletion) => {
    const { push, planned, tags } = await startSigned(deletion);
    push(buildIndex([old]), "lts");
    await planned("v1", ...signed)("v2");
    expect(tags()).toEqual(expect.arrayContaining(["lts", ...signed]));
  });

  it("stay where too many tags would have to be looked at, and the image goes all the same", async () => {
    const { server, push, planned, tags } = await startSigned("by-tag");
    const carryOut = planned("v1", ...signed);
    for (let number = 0; number < 1001; number += 1) push(buildImage({ seed: "old" }), `build-${number}`);
    const outcomes = await carryOut("v2");
    expect(outcomes.map(({ status }) => status)).toEqual(["pruned", "left", "left", "left"]);
    expect(tags()).toEqual(expect.arrayContaining(signed));
    expect(server.requests.filter(({ path }) => path.includes("/build-"))).toEqual([]);
  });

  it.each(kinds)("stay where one was changed since the plan was made (%s)", async (deletion) => {
    const { push, planned, tags } = await startSigned(deletion);
    const carryOut = planned("v1", ...signed);
    push(signatureOf("another"), signed[0]);
    const outcomes = await carryOut("v2");
    expect(outcomes[1]).toMatchObject({ status: "left" });
    expect(tags()).toContain(signed[0]);
  });
});

describe("pruning at a slow registry", () => {
  const minute = 60_000;
  const old = Array.from({ length: 25 }, (_, index) => `v${index}`);

  /** For each deletion, the time since its tag was looked at, and since the kept tag was. */
  function ages(server: RegistryServer, milliseconds: number): readonly number[] {
    return server.requests.flatMap(({ method, path }, at) => {
      if (method !== "DELETE") return [];
      const tag = path.slice(path.lastIndexOf("/") + 1);
      const before = server.requests.slice(0, at);
      const looks = [tag, "kept"].map((name) =>
        before.findLastIndex((request) => request.method === "HEAD" && request.path.endsWith(`/${name}`)),
      );
      return looks.map((look) => (at - look) * milliseconds);
    });
  }

  it.each([500, 2_000, 4_000])(
    "sends no deletion more than a minute after a look where a request takes %i ms",
    async (milliseconds) => {
      const { server, push, planned, slow, tags } = await startPlace("by-tag");
      for (const tag of [...old, "kept"]) push(buildImage({ seed: tag }), tag);
      const carryOut = planned(...old);
      slow(milliseconds);
      const outcomes = await carryOut("kept");
      expect(outcomes.map(({ status }) => status)).toEqual(old.map(() => "pruned"));
      expect(tags()).toEqual(["kept"]);
      const found = ages(server, milliseconds);
      expect(found).toHaveLength(2 * old.length);
      expect(Math.max(...found)).toBeLessThanOrEqual(minute);
    },
  );

  it("looks anew before it sends a deletion that a registry has put off", async () => {
    const { server, push, planned, tags } = await startPlace("by-tag", "by-tag", fakeClock());
    for (const tag of ["v1", "v2", "v3", "kept"]) push(buildImage({ seed: tag }), tag);
    const effect = { status: 429, headers: { "retry-after": "120" } };
    server.fault({ when: { method: "DELETE" }, skip: 1, times: 2, effect });
    const outcomes = await planned("v1", "v2", "v3")("kept");
    expect(outcomes.map(({ status }) => status)).toEqual(["pruned", "pruned", "pruned"]);
    expect(tags()).toEqual(["kept"]);
    const asked = server.requests.map(
      ({ method, path }) => `${method} ${path.slice(path.lastIndexOf("/") + 1)}`,
    );
    for (const [at, { method, status }] of server.requests.entries()) {
      if (method !== "DELETE" || status !== 429) continue;
      const next = asked.findIndex((request, index) => index > at && request.startsWith("DELETE"));
      const looks = ["HEAD kept", asked[next]?.replace("DELETE", "HEAD")];
      expect(asked.slice(at, next)).toEqual(expect.arrayContaining(looks));
    }
  });

  it("leaves what a registry puts off again and again", async () => {
    const { server, push, planned, tags } = await startPlace("by-tag", "by-tag", fakeClock());
    for (const tag of ["v1", "kept"]) push(buildImage({ seed: tag }), tag);
    const effect = { status: 429, headers: { "retry-after": "120" } };
    server.fault({ when: { method: "DELETE" }, times: Number.POSITIVE_INFINITY, effect });
    const [outcome] = await planned("v1")("kept");
    expect(outcome?.status).toBe("left");
    expect(wordsOf(outcome?.failure)).toContain("or the deletion itself does");
    expect(tags()).toEqual(["kept", "v1"]);
  });

  it("leaves what cannot be proven within that time", async () => {
    const { server, push, planned, slow } = await startPlace("by-tag");
    for (const tag of ["v1", "kept"]) push(buildImage({ seed: tag }), tag);
    const carryOut = planned("v1");
    slow(minute);
    const [outcome] = await carryOut("kept");
    expect(outcome?.status).toBe("left");
    expect(wordsOf(outcome?.failure)).toContain("takes longer than 20 seconds here");
    expect(deletions(server)).toEqual([]);
  });
});

describe("pruning where the registry refuses to delete", () => {
  it.each([
    [403, "left", 1],
    [412, "left", 2],
    [400, "left", 2],
    [500, "failed", 2],
  ] as const)(
    "counts status %i as %s, and sends %i deletions for two tags",
    async (status, outcome, sent) => {
      const { server, push, planned, tags } = await startPlace("by-tag");
      for (const tag of ["v1", "v2"]) push(buildImage({ seed: tag }), tag);
      const carryOut = planned("v1", "v2");
      server.fault({
        when: { method: "DELETE" },
        times: Number.POSITIVE_INFINITY,
        effect: { status, body: "" },
      });
      expect((await carryOut()).map((each) => each.status)).toEqual([outcome, outcome]);
      expect(tags()).toEqual(["v1", "v2"]);
      expect(deletions(server)).toHaveLength(sent);
    },
  );
});

describe("pruning where a manifest goes with its last tag", () => {
  it("deletes a tag beside another one of its digest, which keeps the manifest", async () => {
    const { push, planned, tags } = await startPlace("last-tag-takes-manifest");
    const image = buildImage({ seed: "shared" });
    push(image, "v1");
    push(image, "stable");
    expect(await planned("v1")()).toMatchObject([{ status: "pruned" }]);
    expect(tags()).toEqual(["stable"]);
  });

  it("leaves the last tag of what an index needs that stays", async () => {
    const { server, push, planned } = await startPlace("last-tag-takes-manifest");
    const image = buildImage({ seed: "child" });
    push(image, "v1");
    push(image, "v0");
    push(buildIndex([image]), "lts");
    const outcomes = await planned("v1", "v0")();
    expect(outcomes.map(({ status }) => status)).toEqual(["left", "left"]);
    expect(deletions(server)).toEqual([]);
  });
});

it("deletes nothing where a policy lets nobody pull what is to be kept: nothing is proven by that", async () => {
  const { server, push, planned } = await startPlace();
  for (const tag of ["v1", "v2"]) push(buildImage({ seed: tag }), tag);
  const run = planned("v1");
  server.fault({
    when: { method: ["HEAD", "GET"], path: /\/manifests\/v2$/ },
    times: Number.POSITIVE_INFINITY,
    effect: { status: 412 },
  });
  expect((await run("v2")).map(({ status }) => status)).toEqual(["left"]);
  expect(deletions(server)).toEqual([]);
});

describe("what overwritten tags held", () => {
  const [old, fresh] = [buildImage({ seed: "old" }), buildImage({ seed: "new" })];
  const ways = [
    ["shared-digest-unsafe", "by-digest"],
    ["last-tag-takes-manifest", "by-tag"],
    ["by-tag", "by-tag"],
  ] as const;

  it.each(ways)("goes where nothing needs it, by its digest (%s)", async (deletion, offered) => {
    const { server, push, overwritten, holds, tags } = await startPlace(deletion, offered);
    push(old);
    push(fresh, "v1");
    expect(await overwritten({ v1: old.digest })).toMatchObject([{ status: "pruned" }]);
    expect(deletions(server)).toEqual([`/v2/mirror/app/manifests/${old.digest}`]);
    expect([holds(old.digest), holds(fresh.digest), tags()]).toEqual([false, true, ["v1"]]);
  });

  it.each(ways)(
    "stays where a tag was moved back to it, or has come to hold it (%s)",
    async (deletion, offered) => {
      const { server, push, overwritten, holds } = await startPlace(deletion, offered);
      for (const tag of ["v1", "lts"]) {
        push(fresh, "v1");
        push(old, tag);
        expect(await overwritten({ v1: old.digest })).toMatchObject([
          { status: "left", failure: obstacle(`its manifest is needed by ${tag}, which stays`) },
        ]);
        expect([holds(old.digest), deletions(server)]).toEqual([true, []]);
      }
    },
  );

  it.each(ways)("stays where an index that stays lists it, at any depth (%s)", async (deletion, offered) => {
    const { server, push, overwritten, holds } = await startPlace(deletion, offered);
    push(buildIndex([buildIndex([old, buildImage({ seed: "arm" })])]), "lts");
    push(fresh, "v1");
    expect(await overwritten({ v1: old.digest })).toMatchObject([
      { status: "left", failure: obstacle("its manifest is needed by lts, which stays") },
    ]);
    expect([holds(old.digest), deletions(server)]).toEqual([true, []]);
  });

  it("stays where it is about something that stays, or the subject of it", async () => {
    const { push, overwritten, holds } = await startPlace();
    const about = buildImage({ seed: "sbom", format: "oci", subject: fresh });
    const signature = buildImage({ seed: "signature", format: "oci", subject: old });
    push(old);
    push(fresh, "v1");
    push(about);
    push(signature, "signed");
    expect(await overwritten({ v1: about.digest })).toMatchObject([
      { status: "left", failure: obstacle("its manifest is about that of v1, which stays") },
    ]);
    expect(await overwritten({ v1: old.digest })).toMatchObject([
      { status: "left", failure: obstacle("its manifest is needed by signed, which stays") },
    ]);
    expect([about, old].map(({ digest }) => holds(digest))).toEqual([true, true]);
  });

  it("leaves the platforms below an index, which the registry's garbage collection takes", async () => {
    const { push, overwritten, holds } = await startPlace();
    const children = [buildImage({ seed: "amd" }), buildImage({ seed: "arm" })];
    const index = buildIndex(children);
    push(index);
    push(buildIndex(children.slice(0, 1)), "v1");
    expect(await overwritten({ v1: index.digest })).toMatchObject([{ status: "pruned" }]);
    expect([index, ...children].map(({ digest }) => holds(digest))).toEqual([false, true, true]);
  });

  it("goes before its signature, and the signature stays where it is not deleted", async () => {
    const signature = `${old.digest.replace(":", "-")}.sig`;
    for (const needed of [false, true]) {
      const { push, overwritten, tags } = await startPlace();
      push(old);
      push(fresh, "v1");
      push(buildImage({ seed: "signature" }), signature);
      if (needed) push(old, "lts");
      const statuses = (await overwritten({ v1: old.digest }, [signature])).map(({ status }) => status);
      expect(statuses).toEqual(needed ? ["left", "left"] : ["pruned", "pruned"]);
      expect(tags()).toEqual(needed ? ["lts", signature, "v1"] : ["v1"]);
    }
  });

  it("stays, with its signature, where this run has not set the tag, or the tag held something else by then", async () => {
    const signature = `${old.digest.replace(":", "-")}.sig`;
    for (const replaced of [{}, { v1: buildImage({ seed: "other" }).digest }]) {
      const { server, push, overwritten, holds } = await startPlace();
      push(old);
      push(fresh, "v1");
      push(buildImage({ seed: "signature" }), signature);
      expect(await overwritten({ v1: old.digest }, [signature], replaced)).toMatchObject([
        {
          status: "left",
          failure: obstacle("this run has not overwritten its tag, or the tag held something else by then"),
        },
        { status: "left", failure: obstacle("what it is attached to was not deleted") },
      ]);
      expect([holds(old.digest), deletions(server)]).toEqual([true, []]);
    }
  });

  it("goes before what it needs, which stays where it is not deleted", async () => {
    const index = buildIndex([old]);
    for (const fails of [false, true]) {
      const { server, push, overwritten, holds } = await startPlace();
      push(old);
      push(index);
      push(fresh, "v1");
      push(fresh, "v2");
      const path = new RegExp(index.digest);
      if (fails) server.fault({ when: { method: "DELETE", path }, times: Infinity, effect: { status: 400 } });
      const outcomes = await overwritten({ v2: old.digest, v1: index.digest });
      const needed = obstacle(`its manifest is needed by ${index.digest}, which stays`);
      expect(outcomes).toMatchObject([
        { step: { version: "v1" }, status: fails ? "left" : "pruned" },
        { step: { version: "v2" }, ...(fails ? { status: "left", failure: needed } : { status: "pruned" }) },
      ]);
      expect([holds(index.digest), holds(old.digest)]).toEqual([fails, fails]);
      expect(deletions(server)[0]).toContain(index.digest);
    }
  });

  it("counts as gone where the registry has cleared it already", async () => {
    const { push, overwritten } = await startPlace();
    push(fresh, "v1");
    expect(await overwritten({ v1: old.digest })).toMatchObject([{ status: "pruned" }]);
  });

  it("is left where the registry does not delete by digest", async () => {
    const { server, push, overwritten, holds } = await startPlace();
    server.fault({ when: { method: "DELETE" }, effect: { status: 405, body: "" } });
    push(old);
    push(fresh, "v1");
    expect(await overwritten({ v1: old.digest })).toMatchObject([
      { status: "left", failure: { problem: "the registry does not delete by digest" } },
    ]);
    expect(holds(old.digest)).toBe(true);
  });

  it("stays unread where more manifests would have to be read than the limit", async () => {
    const { server, push, overwritten, holds } = await startPlace();
    push(old);
    push(fresh, "v1");
    for (let number = 0; number < 1_001; number += 1) push(buildImage({ seed: `${number}` }), `t${number}`);
    const [outcome] = await overwritten({ v1: old.digest });
    expect(outcome?.status).toBe("left");
    expect(wordsOf(outcome?.failure)).toContain("more than 1000 manifests of its repository");
    expect([holds(old.digest), deletions(server)]).toEqual([true, []]);
  });
});
