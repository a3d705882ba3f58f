import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { InputError, messageOf } from "../errors.ts";
import { BodyError, parseJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { type Release, versionOf } from "../plan/version.ts";
import { type RepositoryId, repositoryIdOf } from "./repository-id.ts";

/** What the runner says about the event that started the run. */
export interface EventInput {
  readonly name: string;
  /** Path of the event's JSON file; undefined outside a runner. */
  readonly path: string | undefined;
  /** `owner/name` of the repository that the workflow runs in. */
  readonly repository: string | undefined;
  /** Short name and kind of the ref, for tag pushes. */
  readonly refName: string | undefined;
  readonly refType: string | undefined;
}

/** What the event that started the run says about versions. */
export type Trigger =
  | {
      readonly kind: "release";
      readonly action: string;
      readonly repository: RepositoryId;
      readonly tag: string;
      readonly prerelease: boolean;
      readonly draft: boolean;
      /** In milliseconds since the epoch; undefined for a draft. */
      readonly publishedAt: number | undefined;
    }
  | {
      readonly kind: "workflow_run";
      /** The one that the workflow runs in; undefined outside a runner. */
      readonly repository: RepositoryId | undefined;
      readonly workflow: string;
      /** Undefined while that run goes on. */
      readonly conclusion: string | undefined;
      /** Undefined when that run was not of a version's tag. */
      readonly tag: string | undefined;
    }
  | {
      readonly kind: "push";
      /** The one that the workflow runs in; undefined outside a runner. */
      readonly repository: RepositoryId | undefined;
      /** Undefined when a branch was pushed. */
      readonly tag: string | undefined;
    }
  | { readonly kind: "schedule" }
  /** The event's own input `version`, trimmed; undefined when it is empty or there is none. */
  | { readonly kind: "workflow_dispatch"; readonly version: string | undefined }
  | { readonly kind: "other"; readonly name: string };

/** Reads a text file of at most so many bytes; rejects when it is larger or cannot be read. */
export type ReadEventFile = (path: string, limit: number) => Promise<string>;

/** Reads a file from the disk. The runner has written it, so its size is checked only after it was read. */
export const readEventFile: ReadEventFile = async (path, limit) => {
  const bytes = await readFile(path);
  if (bytes.length > limit) throw new BodyError(`the file is larger than ${limit} bytes`);
  return bytes.toString("utf8");
};

/** GitHub cuts payloads off at 25 MB: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
const payloadLimit = 25 * 1024 * 1024;

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads#release */
const releasePayload = v.object({
  action: v.string(),
  release: v.object({
    tag_name: v.pipe(v.string(), v.nonEmpty()),
    prerelease: v.boolean(),
    draft: v.boolean(),
    published_at: v.nullish(v.pipe(v.string(), v.isoTimestamp())),
  }),
  repository: v.object({ name: v.string(), owner: v.object({ login: v.string() }) }),
});

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run */
const workflowRunPayload = v.object({
  workflow_run: v.object({
    name: v.nullish(v.string()),
    event: v.string(),
    conclusion: v.nullish(v.string()),
    head_branch: v.nullish(v.string()),
  }),
});

/** https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_dispatch */
const workflowDispatchPayload = v.object({
  inputs: v.nullish(v.record(v.string(), v.unknown())),
});

/**
 * Reads what started the run.
 * @throws InputError when the event's file is missing, too large or not what GitHub writes for such an event.
 */
export async function readTrigger(event: EventInput, readEvent: ReadEventFile): Promise<Trigger> {
  const payload = <T>(schema: v.GenericSchema<unknown, T>) => readPayload(event, readEvent, schema);
  const repository = event.repository === undefined ? undefined : repositoryIdOf(event.repository);
  switch (event.name) {
    case "release":
      return releaseTrigger(await payload(releasePayload));
    case "workflow_run":
      return workflowRunTrigger(await payload(workflowRunPayload), repository);
    case "workflow_dispatch":
      return dispatchTrigger(await payload(workflowDispatchPayload));
    case "push":
      return { kind: "push", repository, tag: event.refType === "tag" ? event.refName : undefined };
    case "schedule":
      return { kind: "schedule" };
    default:
      return { kind: "other", name: event.name };
  }
}

async function readPayload<T>(
  event: EventInput,
  readEvent: ReadEventFile,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const file = `The file of the ${event.name} event (GITHUB_EVENT_PATH)`;
  if (event.path === undefined) {
    throw new InputError(
      `${file} is not set; outside a runner, set the input "version" and no GITHUB_EVENT_NAME.`,
    );
  }
  const text = await readEvent(event.path, payloadLimit).catch((error: unknown) => {
    throw new InputError(`${file} cannot be read: ${printable(messageOf(error))}`, { cause: error });
  });
  try {
    return parseJson(text, schema, "its text");
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    throw new InputError(`${file} is malformed: ${printable(error.message)}`, { cause: error });
  }
}

function releaseTrigger(payload: v.InferOutput<typeof releasePayload>): Trigger {
  const { action, release } = payload;
  const { owner, name } = payload.repository;
  const repository = repositoryIdOf(`${owner.login}/${name}`);
  if (repository === undefined)
    throw new InputError("The file of the release event (GITHUB_EVENT_PATH) names no repository of GitHub.");
  const published = release.published_at ?? undefined;
  return {
    kind: "release",
    action,
    repository,
    tag: release.tag_name,
    prerelease: release.prerelease,
    draft: release.draft,
    publishedAt: published === undefined ? undefined : Date.parse(published),
  };
}

/**
 * The payload names the ref without its kind, so a version's tag is recognised by its form. The branch of a pull request,
 * which anyone may name as they like, is never taken for a tag.
 */
function workflowRunTrigger(
  payload: v.InferOutput<typeof workflowRunPayload>,
  repository: RepositoryId | undefined,
): Trigger {
  const run = payload.workflow_run;
  const ref = run.event.startsWith("pull_request") ? undefined : (run.head_branch ?? undefined);
  return {
    kind: "workflow_run",
    repository,
    workflow: run.name ?? "",
    conclusion: run.conclusion ?? undefined,
    tag: ref !== undefined && isVersionTag(ref) ? ref : undefined,
  };
}

function isVersionTag(ref: string): boolean {
  const release: Release = { tag: ref, prerelease: false, publishedAt: 0 };
  return versionOf(release) !== undefined;
}

function dispatchTrigger(payload: v.InferOutput<typeof workflowDispatchPayload>): Trigger {
  const version = payload.inputs?.version;
  const text = typeof version === "string" ? version.trim() : "";
  return { kind: "workflow_dispatch", version: text === "" ? undefined : text };
}
