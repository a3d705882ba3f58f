import type { MovedBytes, MovingTime } from "../../src/copy/outcome.ts";
import type { Failure } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { parseNamespace } from "../../src/oci/reference.ts";
import {
  type CopyStep,
  type FailStep,
  failing,
  type KeepStep,
  type LeaveStep,
  leavingAlone,
  type PruneStep,
  type SkipStep,
} from "../../src/plan/plan.ts";
import type { RunResult } from "../../src/report/result.ts";
import { obstacle } from "../support/failures.ts";

export const dockerHub = "docker.io/goharbor";
export const tcr = "goharbor.tencentcloudcr.com/goharbor";

/** The images of a current Harbor release. */
export const harborImages = [
  "prepare",
  "harbor-core",
  "harbor-db",
  "harbor-exporter",
  "harbor-jobservice",
  "harbor-log",
  "harbor-portal",
  "harbor-registryctl",
  "nginx-photon",
  "registry-photon",
  "trivy-adapter-photon",
  "valkey-photon",
] as const;

/** A digest that is always the same for a text. */
export function digest(text: string): Digest {
  return digestOf(text);
}

type ImageOptions = Partial<Pick<CopyStep, "destination" | "version" | "image" | "tag" | "reason">>;

function planned(options: ImageOptions, reason: string) {
  const version = options.version ?? "v2.15.2";
  return {
    destination: options.destination ?? tcr,
    version,
    image: options.image ?? "harbor-core",
    tag: options.tag ?? version,
    reason: options.reason ?? reason,
  };
}

export function copyStep(
  options: ImageOptions & { readonly replaces?: Digest; readonly isChart?: true } = {},
): CopyStep {
  const place = planned(options, "it is not there yet");
  const source = {
    source: { registry: "ghcr.io", path: "goharbor" },
    repository: `goharbor/${place.image}`,
    tag: place.tag,
    digest: digest(`${place.image}:${place.tag}`),
    mediaType: "application/vnd.oci.image.index.v1+json",
    ...(options.isChart && { isChart: options.isChart }),
    rewritten: undefined,
    attachments: [],
  };
  return { kind: "copy", ...place, source, replaces: options.replaces };
}

export function skipStep(options: ImageOptions & { readonly inPlace?: boolean } = {}): SkipStep {
  const place = planned(options, "it is in place");
  const held = options.inPlace === false ? undefined : digest(`${place.image}:${place.tag}`);
  return { kind: "skip", ...place, digest: held };
}

/** An image that is left as it is. */
export function leftStep(options: Omit<ImageOptions, "reason">, warning: Failure | string): SkipStep {
  return leavingAlone(planned(options, ""), asFailure(warning));
}

export function failStep({
  failure = "no source has it",
  ...options
}: Omit<ImageOptions, "reason"> & { readonly failure?: Failure | string } = {}): FailStep {
  return failing(planned(options, ""), asFailure(failure));
}

function asFailure(failure: Failure | string): Failure {
  return typeof failure === "string" ? obstacle(failure) : failure;
}

export function keepStep(version = "v2.15.2", destination = tcr): KeepStep {
  return { kind: "keep", destination, version, images: [], reason: "among the newest 3 by semver" };
}

export function pruneStep(options: ImageOptions = {}): PruneStep {
  const place = planned({ version: "v2.12.0", ...options }, "not among the newest 3: v2.15.2");
  return { kind: "prune", ...place, digest: undefined };
}

/** What the tag of a wanted image held until it was overwritten. */
export function untaggedStep(held: Digest, options: ImageOptions = {}): PruneStep {
  const place = planned(options, "its tag is overwritten, and it has no other");
  return { kind: "prune", ...place, digest: held, untagged: held };
}

export function leaveStep(options: ImageOptions = {}): LeaveStep {
  const place = planned({ version: "v2.12.0", ...options }, "this login cannot delete tags");
  return { kind: "leave", ...place };
}

/** A run under construction: steps are added with what became of them, in the order of the plan. */
export interface ResultBuilder {
  /** Steps that have no outcome of their own, and, for a dry run or a broken one, those that got none. */
  plan(...steps: RunResult["plan"]["steps"]): ResultBuilder;
  copied(step: CopyStep, bytes?: Partial<MovedBytes>, moved?: MovingTime): ResultBuilder;
  /** An image that is there without what is attached to it. */
  unsigned(step: CopyStep, refused: readonly Failure[], bytes?: Partial<MovedBytes>): ResultBuilder;
  copyFailed(step: CopyStep, failure: Failure | string, moved?: MovingTime): ResultBuilder;
  /** An image that failed before the first tag of its version was tried. */
  untouched(step: CopyStep, failure: Failure | string): ResultBuilder;
  pruned(step: PruneStep): ResultBuilder;
  pruneFailed(step: PruneStep, failure: Failure | string): ResultBuilder;
  pruneNotTried(step: PruneStep, failure: Failure | string): ResultBuilder;
  build(changes?: Partial<RunResult>): RunResult;
}

/** @param repository `owner/name` whose releases count. */
export function run(repository = "goharbor/harbor"): ResultBuilder {
  const steps: RunResult["plan"]["steps"][number][] = [];
  const copies: RunResult["copies"][number][] = [];
  const prunes: RunResult["prunes"][number][] = [];
  const noBytes = { uploaded: 0, mounted: 0, present: 0 };
  const builder: ResultBuilder = {
    plan: (...added) => {
      steps.push(...added);
      return builder;
    },
    copied: (step, bytes = {}, moved = undefined) => {
      copies.push({ step, failure: undefined, bytes: { ...noBytes, ...bytes }, milliseconds: 1500, moved });
      return builder.plan(step);
    },
    unsigned: (step, refused, bytes = {}) => {
      const moved = { bytes: { ...noBytes, ...bytes }, milliseconds: 1500, moved: undefined };
      copies.push({ step, failure: undefined, refused, ...moved });
      return builder.plan(step);
    },
    copyFailed: (step, failure, moved = undefined) => {
      copies.push({ step, failure: asFailure(failure), bytes: noBytes, milliseconds: 700, moved });
      return builder.plan(step);
    },
    untouched: (step, failure) => {
      const nothing = { bytes: noBytes, milliseconds: 700, moved: undefined };
      copies.push({ step, failure: asFailure(failure), untouched: true, ...nothing });
      return builder.plan(step);
    },
    pruned: (step) => {
      prunes.push({ step, status: "pruned", failure: undefined });
      return builder.plan(step);
    },
    pruneFailed: (step, failure) => {
      prunes.push({ step, status: "failed", failure: asFailure(failure) });
      return builder.plan(step);
    },
    pruneNotTried: (step, failure) => {
      prunes.push({ step, status: "not-tried", failure: asFailure(failure) });
      return builder.plan(step);
    },
    build: (changes = {}) => ({
      plan: { repository, versions: wantedVersions(steps), steps },
      dryRun: false,
      destinations: [...new Set(steps.map(({ destination }) => destination))].map(reportedDestination),
      copies,
      prunes,
      bytesRead: 41_200_000,
      requests: new Map([["ghcr.io", 42]]),
      startedAt: Date.UTC(2026, 6, 1, 12),
      milliseconds: 192_000,
      ...changes,
    }),
  };
  return builder;
}

function wantedVersions(steps: RunResult["plan"]["steps"]): readonly string[] {
  const images = steps.filter(({ kind }) => kind === "copy" || kind === "skip" || kind === "fail");
  return [...new Set(images.map(({ version }) => version))];
}

function reportedDestination(name: string) {
  const namespace = parseNamespace(name);
  if (namespace === undefined) throw new Error(`${name} is not a namespace`);
  return { name, ...namespace };
}
