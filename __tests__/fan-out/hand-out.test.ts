import { describe, expect, test } from "vitest";
import { handOut } from "../../src/fan-out/hand-out.ts";
import { matrixOf } from "../../src/fan-out/matrix.ts";
import { digestOfInputs } from "../../src/inputs/digest.ts";
import type { Plan } from "../../src/plan/plan.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  keepStep,
  leaveStep,
  pruneStep,
  skipStep,
  tcr,
} from "../report/result-builder.ts";
import { type Given, load } from "../support/given-inputs.ts";

function planOf(...steps: Plan["steps"]): Plan {
  return { repository: "goharbor/harbor", versions: ["v2.15.2"], steps };
}

const blobsOf = (step: { image: string }) => [{ digest: digest(step.image), size: 10 }];

describe("what is handed out", () => {
  test("are copies, each with its share and its digest, and prunes; nothing else", () => {
    const plan = planOf(
      copyStep({ destination: dockerHub }),
      copyStep(),
      copyStep({ image: "team/portal" }),
      skipStep(),
      failStep({ image: "other" }),
      keepStep(),
      pruneStep(),
      leaveStep({ image: "left" }),
    );
    const common = { version: "v2.15.2", tag: "v2.15.2" };
    const core = {
      ...common,
      image: "harbor-core",
      digest: digest("harbor-core:v2.15.2"),
    };
    expect(handOut(plan, digest("inputs"), 2, blobsOf)).toEqual({
      inputs: digest("inputs"),
      repository: "goharbor/harbor",
      versions: ["v2.15.2"],
      copies: [
        { destination: dockerHub, ...core, share: 1 },
        { destination: tcr, ...core, share: 2 },
        {
          destination: tcr,
          ...common,
          image: "team/portal",
          digest: digest("team/portal:v2.15.2"),
          share: 3,
        },
      ],
      prunes: [{ destination: tcr, version: "v2.12.0", image: "harbor-core", tag: "v2.12.0" }],
    });
  });

  test("is a matrix of one job for each share, with the destination's runner and not its name", () => {
    const steps = ["a", "b", "c"].map((image) => copyStep({ image }));
    const document = handOut(planOf(copyStep({ destination: dockerHub }), ...steps), digest("x"), 2, blobsOf);
    const destinations = [
      { name: dockerHub, type: "docker-hub", runner: "ubuntu-24.04" },
      { name: "registry.example/idle", type: "harbor", runner: "idle" },
      { name: tcr, type: "tcr", runner: ["self-hosted", "guangzhou"] },
    ] as const;
    expect(matrixOf(document, destinations)).toEqual({
      include: [
        { share: 1, to: "destination 1 (Docker Hub)", part: "1 of 1", "runs-on": "ubuntu-24.04" },
        { share: 2, to: "destination 3 (TCR)", part: "1 of 2", "runs-on": ["self-hosted", "guangzhou"] },
        { share: 3, to: "destination 3 (TCR)", part: "2 of 2", "runs-on": ["self-hosted", "guangzhou"] },
      ],
    });
  });

  test("is no matrix at all when there is nothing to copy", () => {
    const document = handOut(planOf(skipStep(), pruneStep()), digest("x"), 2, blobsOf);
    expect(document.prunes).toHaveLength(1);
    expect(matrixOf(document, [{ name: tcr, type: "tcr", runner: "a" }])).toBeUndefined();
  });
});

describe("the digest of the inputs", () => {
  const digestOf = (given: Given = {}) => digestOfInputs(load(given));

  test.each<[name: string, value: string]>([
    ["destinations", "registry.example/other"],
    ["destinations", "registry.example/harbor,keep=2"],
    // On the line itself, the same number also lets what an overwritten tag held be deleted.
    ["destinations", "registry.example/harbor,keep=3"],
    ["destinations", "registry.example/harbor,keep-by=minor"],
    ["destinations", "registry.example/harbor,attestations=false"],
    ["version", "v2.15.2"],
    ["repository", "example/shop"],
    ["source", "quay.io/goharbor"],
    ["images", "harbor-core"],
    ["keep", "1"],
    ["keep-by", "published"],
    ["prune-limit", "4"],
    ["prereleases", "true"],
    ["overwrite", "false"],
    ["overwrite", "skip"],
    ["platforms", "linux/amd64"],
    ["referrers", "false"],
  ])("is another one with another %s (%s)", (name, value) => {
    expect(digestOf({ [name]: value })).not.toBe(digestOf());
  });

  test("is another one with another address of a vendor's API", () => {
    const tcrLine = "goharbor.tencentcloudcr.com/goharbor";
    expect(digestOf({ destinations: `${tcrLine},api=https://tcr.intl.tencentcloudapi.com` })).not.toBe(
      digestOf({ destinations: tcrLine }),
    );
  });

  test.each<Given>([
    { "dockerhub-username": "robot", "dockerhub-token": "secret" },
    { "tcr-secret-id": "id", "tcr-secret-key": "key" },
    { wait: "1m" },
    { "spool-limit": "1GB", "upload-connections": "2", "download-connections": "2" },
    { "dry-run": "true" },
    { mode: "copy", plan: "text", share: "2" },
    { destinations: "# the same, written in another way\n registry.example/harbor , keep-by=semver " },
  ])("is the same with %j: a secret does not show in it, and runners may differ", (given) => {
    expect(digestOf(given)).toBe(digestOf());
  });
});
