/**
 * Judges what the Action sent in a run in which another worked at the same destination. It knows nothing of how the Action
 * decides: only what the registry held at each moment, what it answered, and what docs/decisions.md promises. Between a look
 * and what follows from it others may come; that is no violation, and its size is told, in requests.
 */
import type { ActionResult } from "../../sandbox/action.ts";
import type { JsonReport } from "../../src/report/json-report.ts";
import { type Front, isDigest, type Request, type State } from "./chaos-front.ts";
import { type ChaosWorld, contentOf, releases } from "./chaos-world.ts";

export interface Judgement {
  /** In words. */
  readonly violations: readonly string[];
  /** What others did between a look and what followed from it, with the Action's requests in between. */
  readonly windows: readonly Window[];
  /** Tags that the Action has deleted. */
  readonly deletions: number;
}

export interface Window {
  readonly kind: "deletion" | "tag" | "signature" | "content";
  /** Requests between the look and the write. */
  readonly requests: number;
  /** What was lost or replaced in it; undefined: nothing came in between. */
  readonly loss: string | undefined;
}

/** Longest time between a look and the deletion that it allows, in milliseconds. */
const lookTime = 60_000;

interface Run {
  readonly world: ChaosWorld;
  readonly namespace: string;
  readonly front: Front;
  readonly report: JsonReport;
  readonly violations: string[];
  readonly windows: Window[];
}

/** Judges a run by what the front has seen. */
export function judge(world: ChaosWorld, namespace: string, front: Front, result: ActionResult): Judgement {
  const run: Run = {
    world,
    namespace,
    front,
    report: result.report as JsonReport,
    violations: [],
    windows: [],
  };
  let deletions = 0;
  for (const [at, request] of front.requests.entries()) {
    if (request.by !== "action") continue;
    const { kind, method, status } = request;
    if (kind === "blobs" && method === "DELETE" && request.reference !== "")
      run.violations.push(`request ${at} deletes a blob`);
    if (kind !== "manifests") continue;
    if (method === "DELETE" && status === 202) deletions += judgeDeletion(run, at, request);
    if (method === "PUT" && status === 201 && !isDigest(request.reference)) judgeTag(run, at, request);
  }
  judgeClaims(run, deletions, result);
  return { violations: run.violations, windows: run.windows, deletions };
}

/** A deletion and all that went with it. @returns how many tags went. */
function judgeDeletion(run: Run, at: number, request: Request): number {
  const { front, violations, windows } = run;
  const { requests } = front;
  const { repository, reference, before, after } = request;
  const say = (problem: string): void => {
    violations.push(`request ${at}, DELETE ${repository} ${reference}: ${problem}`);
  };
  const gone = [...before.tags].filter(([name]) => !after.tags.has(name));
  if (gone.length === 0 && before.manifests.size === after.manifests.size) return 0;
  const looked = lastBefore(
    run,
    at,
    ({ kind, ...other }) => kind === "tags" && other.repository === repository,
  );
  if (looked === undefined) {
    say("no look came before");
    return gone.length;
  }
  if (request.at - (requests[looked]?.at ?? 0) > lookTime) say("the look is too old");
  const states = statesBetween(run, looked, at);
  const own = (state: State, name: string): string | undefined => state.tags.get(name);
  const sizes = { requests: sentBetween(run, looked, at) };

  for (const [name, digest] of gone) {
    const tag = name.slice(repository.length + 1);
    const planned = run.report.steps.some(
      (step) =>
        step.action === "prune" && `${run.namespace}/${step.image}` === repository && step.tag === tag,
    );
    if (!planned) {
      if (states.every((state) => own(state, name) === digest))
        say(`${tag} goes along, which nobody planned`);
      else windows.push({ kind: "deletion", ...sizes, loss: `${tag} went along` });
      continue;
    }
    const first = requests.find((each) => isAnswerAbout(each, repository, tag));
    const last = lastBefore(run, at, (each) => isAnswerAbout(each, repository, tag));
    const seen = last === undefined || last < looked ? undefined : requests[last]?.digest;
    if (seen === undefined || seen !== first?.digest) say(`${tag} is not known to hold what the plan saw`);
    else if (digest !== seen) windows.push({ kind: "deletion", ...sizes, loss: `${tag} was moved before` });
    judgeKept(run, at, tag, say);
  }

  // What is needed by something else in each of these states was to be seen at the look.
  const removed = [...before.manifests].filter((name) => !after.manifests.has(name));
  const going = goingWith(run, looked, at, repository);
  const dangers = [
    ...removed.map((name) => (state: State) => needing(run, state, repository, digestIn(name), going)),
    ...gone.map(
      ([name]) =>
        (state: State) =>
          signedBy(run, state, repository, name, going),
    ),
  ];
  for (const danger of dangers) {
    const [first = new Set<string>(), ...later] = states.map(danger);
    const always = new Set([...first].filter((each) => later.every((other) => other.has(each))));
    if (always.size > 0) say(`what goes is needed by ${[...always].join(", ")}`);
    const now = danger(before);
    if (always.size === 0 && now.size > 0)
      windows.push({ kind: "deletion", ...sizes, loss: `${[...now].join(", ")} needed it by then` });
  }
  if (gone.length > 0) windows.push({ kind: "deletion", ...sizes, loss: undefined });
  return gone.length;
}

/** A release's tag goes only where as many newer releases are there whole as are to be kept. */
function judgeKept(run: Run, at: number, tag: string, say: (problem: string) => void): void {
  const { world, report, front } = run;
  const rank = releases.indexOf(tag);
  if (rank < 0) {
    if (!tag.startsWith("sha256-")) say(`${tag} is no release`);
    return;
  }
  const kept = report.steps.filter((step) => step.action === "keep").map(({ version }) => version);
  // Blobs are asked for after the tags and manifests that lead to them.
  const proven = lastBefore(run, at, ({ method, kind }) => method === "HEAD" && kind === "blobs") ?? 0;
  const lastTag = lastBefore(
    run,
    at,
    ({ method, reference }) => method === "PUT" && releases.includes(reference),
  );
  const looks = kept.flatMap((version) =>
    imagesOf(world, version).map((key) =>
      lastBefore(
        run,
        proven,
        (each) => isAnswerAbout(each, ...placeOf(run, key)) && each.digest !== undefined,
      ),
    ),
  );
  const oldest = Math.min(...looks.map((look) => look ?? -1));
  if (oldest < (lastTag ?? 0)) say("what is kept was not looked at");
  else if ((front.requests[at]?.at ?? 0) - (front.requests[oldest]?.at ?? 0) > lookTime)
    say("the look at what is kept is too old");
  const states = statesBetween(run, Math.max(0, oldest), at);
  const whole = releases
    .slice(rank + 1)
    .filter((version) =>
      states.some((state) => imagesOf(world, version).every((key) => isWhole(run, state, key))),
    );
  if (whole.length < world.keep) say(`only ${whole.join(", ") || "nothing"} is there whole of what is newer`);
}

function imagesOf({ contents }: ChaosWorld, version: string): readonly string[] {
  return [...contents.keys()].filter((key) => key.endsWith(`:${version}`));
}

/** Whether a tag is there, with everything below it. */
function isWhole(run: Run, state: State, key: string): boolean {
  const [repository, tag] = placeOf(run, key);
  const digest = state.tags.get(`${repository}:${tag}`);
  return digest !== undefined && lackingBelow(run, state, repository, digest).length === 0;
}

function lackingBelow(run: Run, state: State, repository: string, digest: string): readonly string[] {
  const content = run.front.contents.get(digest);
  if (content === undefined || !state.manifests.has(`${repository}@${digest}`))
    return [`${repository}@${digest}`];
  return [
    ...content.blobs.map((blob) => `${repository}@${blob.digest}`).filter((name) => !state.blobs.has(name)),
    ...content.children.flatMap((child) => lackingBelow(run, state, repository, child.digest)),
  ];
}

/** What the Action deletes of a repository on one look: tags with what they held, and manifests. */
function goingWith(run: Run, looked: number, at: number, repository: string): ReadonlySet<string> {
  const { requests } = run.front;
  const next = requests.findIndex(
    ({ by, kind, ...other }, index) =>
      index > at && by === "action" && kind === "tags" && other.repository === repository,
  );
  const portion = requests.slice(looked, next < 0 ? undefined : next);
  return new Set(
    portion
      .filter(({ by, method, kind }) => by === "action" && method === "DELETE" && kind === "manifests")
      .flatMap(({ before, after }) => [
        ...[...before.tags]
          .filter(([name]) => !after.tags.has(name))
          .map(([name, digest]) => `${name} ${digest}`),
        ...[...before.manifests]
          .filter((name) => !after.manifests.has(name))
          .map((name) => ` ${digestIn(name)}`),
      ]),
  );
}

/** What stays in a repository needs: for each digest the tags that lead to it. */
function needs(
  run: Run,
  state: State,
  repository: string,
  going: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const ofGoing = new Set([...going].map((each) => each.slice(each.indexOf(" ") + 1).replace(":", "-")));
  const needed = new Map<string, Set<string>>();
  const follow = (digest: string, tag: string): void => {
    const tags = needed.get(digest) ?? new Set();
    if (tags.has(tag)) return;
    needed.set(digest, tags.add(tag));
    if (!state.manifests.has(`${repository}@${digest}`)) return;
    const { children = [], subject } = run.front.contents.get(digest) ?? {};
    for (const child of children) follow(child.digest, tag);
    if (subject !== undefined) follow(subject, tag);
  };
  for (const [name, digest] of state.tags) {
    if (!name.startsWith(`${repository}:`) || going.has(`${name} ${digest}`)) continue;
    const tag = name.slice(repository.length + 1);
    // What is attached to something that goes means nothing without it.
    if (!ofGoing.has(tag.replace(/\.(?:sig|att|sbom)$/, ""))) follow(digest, `${tag}@${digest}`);
  }
  return needed;
}

/** Which tags that stay need a manifest: it, what lists it, or what it is about. */
function needing(
  run: Run,
  state: State,
  repository: string,
  digest: string,
  going: ReadonlySet<string>,
): ReadonlySet<string> {
  const needed = needs(run, state, repository, going);
  const subject = run.front.contents.get(digest)?.subject;
  return new Set([...(needed.get(digest) ?? []), ...((subject && needed.get(subject)) ?? [])]);
}

/** Which tags that stay need what a signature is attached to. */
function signedBy(
  run: Run,
  state: State,
  repository: string,
  name: string,
  going: ReadonlySet<string>,
): ReadonlySet<string> {
  const [, digest] = /:sha256-([0-9a-f]{64})(?:\.\w+)?$/.exec(name) ?? [];
  if (digest === undefined) return new Set();
  return needs(run, state, repository, going).get(`sha256:${digest}`) ?? new Set();
}

function digestIn(name: string): string {
  return name.slice(name.indexOf("@") + 1);
}

/** A tag is set: of a release, or of something attached. */
function judgeTag(run: Run, at: number, { repository, reference: tag, digest = "", before }: Request): void {
  const { world, front, violations, windows } = run;
  const say = (problem: string): void => {
    violations.push(`request ${at}, PUT ${repository}:${tag}: ${problem}`);
  };
  const last = lastBefore(run, at, (each) => isAnswerAbout(each, repository, tag));
  if (last === undefined) {
    say("no look came before");
    return;
  }
  const requests = sentBetween(run, last, at);
  const present = before.tags.get(`${repository}:${tag}`);
  const seen = front.requests[last]?.digest;
  const kind = tag.startsWith("sha256-") ? "signature" : "tag";
  const losing = present !== undefined && present !== digest;
  windows.push({ kind, requests, loss: losing && present !== seen ? `${tag} held ${present}` : undefined });
  if (kind === "signature") {
    if (losing && present === seen && !holdsAll(run, digest, present)) say(`it loses what is in ${present}`);
    return;
  }
  if (!world.wanted.includes(tag)) say("nobody asked for this version");
  if (losing && present === seen && !world.overwrite) say(`${present} is replaced, and overwrite is false`);
  // P3: what lacks now was answered to be there, and went away after that.
  for (const key of imagesOf(world, tag)) {
    const [place] = placeOf(run, key);
    for (const name of lackingBelow(run, before, place, contentOf(world, key).artifact.digest)) {
      const told = lastBefore(run, at, (each) => isAbout(each, name));
      const isThere = told !== undefined && (front.requests[told]?.status ?? 0) < 300;
      if (!isThere) say(`${key} lacks ${name}`);
      else windows.push({ kind: "content", requests: sentBetween(run, told, at), loss: `${name} went away` });
    }
  }
}

/** Whether a manifest of attachments has all that another has. */
function holdsAll({ front }: Run, digest: string, other: string): boolean {
  const entries = (of: string): readonly string[] => {
    const { blobs = [], children = [] } = front.contents.get(of) ?? {};
    return [...blobs.slice(1), ...children].map((each) => each.digest);
  };
  const has = new Set(entries(digest));
  return entries(other).every((entry) => has.has(entry));
}

/** What the outputs and the report say was read back, and nothing that the Action has read says otherwise. */
function judgeClaims(run: Run, deletions: number, { exitCode, outputs, log }: ActionResult): void {
  const { world, front, report, violations, namespace } = run;
  const end = front.requests.length;
  const lastAnswer = (repository: string, tag: string): string | undefined => {
    const last = lastBefore(run, end, (each) => isAnswerAbout(each, repository, tag));
    return last === undefined ? "never asked" : front.requests[last]?.digest;
  };
  for (const { image, tag, digest } of JSON.parse(outputs.images ?? "[]") as {
    readonly image: string;
    readonly tag: string;
    readonly digest: string;
  }[]) {
    const answer = lastAnswer(`${namespace}/${image}`, tag);
    if (answer !== digest)
      violations.push(`images has ${image}:${tag} as ${digest}, the last answer was ${answer}`);
  }
  for (const { action, outcome, image, tag, version, digest } of report.steps) {
    if (outcome === "kept") {
      for (const key of imagesOf(world, version)) {
        const answer = lastAnswer(...placeOf(run, key));
        // Where nothing is deleted, the list of tags is believed.
        const isAsked = answer !== "never asked" || deletions === 0;
        if (answer === undefined || !isAsked)
          violations.push(`${version} is called kept, and ${key}: ${answer}`);
      }
    }
    if (action !== "prune" || outcome !== "pruned") continue;
    const repository = `${namespace}/${image}`;
    const isGone = lastAnswer(repository, tag ?? "") === undefined;
    // What another has set there after the deletion, or right before one by digest, is another's.
    const isDeleted = front.requests.some(
      ({ by, method, status, reference, ...each }) =>
        by === "action" &&
        method === "DELETE" &&
        status === 202 &&
        each.repository === repository &&
        [tag, digest].includes(reference),
    );
    if (!isGone && !isDeleted)
      violations.push(`${repository}:${tag} is called pruned, and was neither deleted nor seen gone`);
  }
  if ((exitCode === 0) !== (outputs.failed === "0"))
    violations.push(`exit status ${exitCode} with ${outputs.failed} failed`);
  if (/\n\s+at \S+ \(|TypeError|undefined is not/.test(log)) violations.push("the log has a stack trace");
}

function placeOf({ namespace }: Run, key: string): readonly [repository: string, tag: string] {
  const [image = "", tag = ""] = key.split(":");
  return [`${namespace}/${image}`, tag];
}

/** An answer that says what a tag holds, or that it is not there. */
function isAnswerAbout(
  { by, method, kind, reference, status, ...each }: Request,
  repository: string,
  tag: string,
): boolean {
  const isRead = method === "HEAD" || method === "GET";
  const isAnswer = status === 200 || status === 404;
  return (
    by === "action" &&
    isRead &&
    isAnswer &&
    kind === "manifests" &&
    each.repository === repository &&
    reference === tag
  );
}

/** An answer that says whether a manifest or a blob is there. */
function isAbout({ before, after, kind, repository, reference, digest }: Request, name: string): boolean {
  const isPlaced = !before.blobs.has(name) && after.blobs.has(name);
  const named = isDigest(reference) ? reference : digest;
  return isPlaced || (kind !== "tags" && `${repository}@${named}` === name);
}

/** The last request of the Action before another that is as asked for. */
function lastBefore({ front }: Run, at: number, is: (request: Request) => boolean): number | undefined {
  const found = front.requests
    .slice(0, at)
    .findLastIndex((request) => request.by === "action" && is(request));
  return found < 0 ? undefined : found;
}

/** All that the registry held from one request on until another. */
function statesBetween({ front }: Run, from: number, to: number): readonly State[] {
  return [...new Set(front.requests.slice(from, to).flatMap(({ before, after }) => [before, after]))];
}

/** How many requests the Action sent between two. */
function sentBetween({ front }: Run, from: number, to: number): number {
  return front.requests.slice(from + 1, to).filter(({ by }) => by === "action").length;
}
