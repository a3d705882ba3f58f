import type { Clock } from "../clock.ts";
import type { Destination, Finding, Preview } from "../destinations/destination.ts";
import { OperationError } from "../errors.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { Component } from "../plan/component.ts";
import { pushAdvice } from "../vendors/permission-advice.ts";
import { mannersOf } from "../vendors/vendors.ts";
import { attempt, type CheckContext, type CheckResult } from "./check.ts";

/** What a check needs of a destination. */
export interface DestinationToCheck
  extends Pick<
    Destination,
    | "name"
    | "registry"
    | "path"
    | "retention"
    | "filledBySync"
    | "credentials"
    | "deletion"
    | "deletionUnavailable"
    | "whyNoDeletion"
    | "preview"
    | "tryDeletion"
  > {
  readonly client: Pick<Registry, "granted" | "registry" | "vendor">;
  readonly repository: (
    name: string,
  ) => Pick<Repository, "tags" | "resolve" | "mayCancelUploads" | "startUpload">;
}

/** The repository of an image that a run would push to, and whether it exists by now. */
interface TriedRepository {
  /** Path on the registry. */
  readonly repository: string;
  readonly exists: boolean;
  /** Why its tags cannot be listed; undefined: they can. */
  readonly unlisted?: string;
}

/** Time to give an upload up, in milliseconds: one request, and a runner kills a cancelled job seconds later. */
const cancelTime = 5000;

/** What helps where nothing can be deleted. */
const keepAllRemedy = "Or set `keep=all` for this destination: then nothing is pruned there.";

/** Where to try when no version is known: the name of an image that every Harbor has. */
const usualImage = "harbor-core";

/**
 * Signs in, tries to push, and tries to delete where the destination prunes. Leaves nothing behind: an upload is cancelled,
 * and none is opened where it could make a repository.
 * @param components those of the wanted version; none, if no version is known.
 * @throws the signal's reason when it aborted, and nothing else.
 */
export async function checkDestination(
  checked: DestinationToCheck,
  components: readonly Component[],
  context: CheckContext,
): Promise<readonly CheckResult[]> {
  const row = (subject: string) => ({ place: checked.name, subject });
  const images = components.length === 0 ? [{ to: usualImage, toTag: undefined }] : components;
  const places = images.map(({ to, toTag }) => ({ repository: repositoryOf(checked, to), tag: toTag }));
  let tried: TriedRepository = { repository: places[0]?.repository ?? "", exists: false };
  const signIn = await attempt(
    row("sign in"),
    async (until) => {
      tried = await findRepository(checked, places, until);
      return signedIn(tried, (await checked.credentials(until)) !== undefined);
    },
    context,
  );
  if (checked.filledBySync === true) return [signIn];
  if (signIn.outcome !== "ok") return [signIn, ...notTried(checked, row)];
  const previews = await previewOf(checked, tried.repository, row("namespace"), context);
  const there = previews.every((preview) => preview.outcome !== "missing" && preview.there);
  const push = attempt(row("push"), (until) => tryPush(checked, tried, there, context.clock, until), context);
  const deletion =
    checked.retention.keep === "all"
      ? []
      : [attempt(row("delete"), (until) => tryDeletion(checked, tried, until), context)];
  const results = await Promise.all([push, ...deletion]);
  return [signIn, ...previews.map(({ there: _, ...result }) => result), ...results];
}

/** A wanted image at a destination. */
interface WantedPlace {
  readonly repository: string;
  /** Undefined where no version is known. */
  readonly tag: string | undefined;
}

/**
 * The first repository that has tags, else the first. Where tags cannot be listed: the first that has the wanted tag. After
 * one refused list no other is asked for.
 */
async function findRepository(
  checked: DestinationToCheck,
  places: readonly WantedPlace[],
  signal: AbortSignal,
): Promise<TriedRepository> {
  const lists = async ({ repository }: WantedPlace) =>
    (await checked.repository(repository).tags(signal)).length > 0;
  const holds = async ({ repository, tag }: WantedPlace) =>
    tag !== undefined &&
    (await unlessWithheld(checked.repository(repository).resolve(tag, signal))) !== undefined;
  const found = (held: readonly boolean[]): TriedRepository => {
    const repository = places[held.indexOf(true)]?.repository;
    return { repository: repository ?? places[0]?.repository ?? "", exists: repository !== undefined };
  };
  try {
    const first = await Promise.all(places.slice(0, 1).map(lists));
    return found([...first, ...(await Promise.all(places.slice(1).map(lists)))]);
  } catch (error) {
    if (!(error instanceof OperationError) || error.status === undefined) throw error;
    const held = await Promise.all(places.map(holds)).catch(() => undefined);
    // If the wanted tags cannot be looked up either, the login or the registry itself is in trouble.
    if (held === undefined || places.every(({ tag }) => tag === undefined)) throw error;
    return { ...found(held), unlisted: error.message };
  }
}

function signedIn({ repository, exists }: TriedRepository, hasLogin: boolean): Finding {
  const how = hasLogin ? "It answers with this login" : "It answers, and no login is known for it";
  const what = exists ? `${repository} is there` : "none of the images of the version is there yet";
  return { outcome: "ok", finding: `${how}; ${what}.` };
}

function notTried(
  checked: DestinationToCheck,
  row: (subject: string) => Pick<CheckResult, "place" | "subject">,
): readonly CheckResult[] {
  const subjects = checked.retention.keep === "all" ? ["push"] : ["push", "delete"];
  const finding = "Not tried, because signing in failed.";
  return subjects.map((subject) => ({ ...row(subject), outcome: "unknown", finding, needed: true }));
}

/** What `prepare` would find; nothing where a destination has nothing to prepare. */
async function previewOf(
  { preview }: DestinationToCheck,
  repository: string,
  row: Pick<CheckResult, "place" | "subject">,
  context: CheckContext,
): Promise<readonly (CheckResult & Pick<Preview, "there">)[]> {
  if (preview === undefined) return [];
  let seen: Preview | undefined;
  const result = await attempt(
    row,
    async (until) => {
      seen = await preview(until, repository);
      return seen;
    },
    context,
  );
  return [{ ...result, subject: seen?.subject ?? row.subject, there: seen?.there ?? false }];
}

/** Opens an upload and cancels it, where that leaves nothing behind. Elsewhere reads the rights from the token. */
async function tryPush(
  checked: DestinationToCheck,
  { repository, exists }: TriedRepository,
  there: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding> {
  const { client } = checked;
  if (!there)
    return { outcome: "unknown", finding: "Not tried, because the place cannot be pushed to as it is now." };
  const { name, uploadGivenUp } = client.vendor;
  if (!exists && uploadGivenUp === undefined)
    return askToken(
      checked,
      { repository, exists },
      `${name} may make the repository, which is not there yet, for it`,
      signal,
    );
  const place = checked.repository(repository);
  if (!(await place.mayCancelUploads(signal)))
    return askToken(checked, { repository, exists }, "this login may not give one up again", signal);
  const upload = await place.startUpload(signal);
  // The upload is cancelled even when the check has run out of time or the job is cancelled.
  const gone = await upload.cancel(clock.timeout(cancelTime));
  const end = gone
    ? "was opened and given up again"
    : "was opened; the registry does not say that it is given up, and has to drop it by itself";
  return { outcome: "ok", finding: `An upload to ${repository}, without a byte, ${end}.` };
}

/**
 * What the token says of pushing. It says nothing about a project or namespace that has to be there first.
 * @param why the reason that no upload is opened, as a part of a sentence.
 */
async function askToken(
  { client }: DestinationToCheck,
  { repository, exists }: TriedRepository,
  why: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { vendor } = client;
  const { madeBy, text: remedy } = vendor.repositories;
  const findingBeside = `No upload was opened, because ${why}`;
  // Some registries (Quay) make a repository for a token that may push. They are told by being read with a token for pulling
  // only.
  const harmless = exists || mannersOf(vendor).reading.includes("push");
  const granted = harmless
    ? await client.granted({ repository, actions: ["pull", "push"] }, signal)
    : undefined;
  if (granted === undefined)
    return {
      outcome: "unknown",
      finding: `${findingBeside}; and no token says what the login may do.`,
      remedy,
    };
  if (!granted.includes("push")) {
    const finding = `The token that the login gets is not good for pushing to ${repository}.`;
    return { outcome: "missing", finding, remedy: pushAdvice(vendor) };
  }
  const outcome = exists || madeBy === "push" ? "ok" : "unknown";
  const finding = `The token that the login gets is good for pushing to ${repository}. ${findingBeside}.`;
  return { outcome, finding, remedy };
}

async function tryDeletion(
  checked: DestinationToCheck,
  { repository, exists, unlisted }: TriedRepository,
  signal: AbortSignal,
): Promise<Finding> {
  if (unlisted !== undefined) {
    const finding = `Nothing can be pruned, because tags cannot be listed: ${unlisted}`;
    return { outcome: "missing", finding, remedy: keepAllRemedy };
  }
  const { deletion, deletionUnavailable, whyNoDeletion } = checked;
  const reason = deletion === "unavailable" ? (deletionUnavailable ?? "") : await whyNoDeletion?.(signal);
  if (reason !== undefined) {
    return { outcome: "missing", finding: reason, remedy: keepAllRemedy };
  }
  const result = await checked.tryDeletion?.(signal, repository, exists);
  return (
    result ?? {
      outcome: "unknown",
      finding: "Whether the login may delete tags shows only when one is deleted.",
    }
  );
}
