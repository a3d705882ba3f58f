import type { FaultRule } from "../../sandbox/faults.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import { artifact, type DestinationKind, oldest, type World, wanted } from "./world.ts";

/** Which of the parties of a run is in trouble. */
export type Party = "GitHub" | "source" | "destination";

/**
 * What a run makes of a fault that happens once, three times and for ever: done, fails, or ? where it depends on which of
 * several requests at once are hit.
 */
export type Outcomes = `${"D" | "F" | "?"}${"D" | "F" | "?"}${"D" | "F" | "?"}`;

/** A place in the way of a run at which something can go wrong. */
export interface Stage {
  readonly name: string;
  readonly party: Party;
  readonly kind?: DestinationKind;
  readonly server: (world: World) => SandboxServer;
  readonly when: FaultRule["when"];
  /** Whether its answers have a body that matters. */
  readonly answers: boolean;
  /** Where it differs from the usual outcome of the kind of fault, or of one fault by its name. */
  readonly outcomes?: Readonly<Record<string, Outcomes>>;
  /** A status that is an answer here and no failure. */
  readonly believes?: number;
  /** Whether a TCR namespace is there from the beginning. Default: yes. */
  readonly namespace?: boolean;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("this world has no such server");
  return value;
}

const troubled = ({ troubled: server }: World): SandboxServer => server;
const source = ({ source: server }: World): SandboxServer => server;

/** A layer that only one repository has, so that it is known what a fault hits. */
const layer = new RegExp(present(artifact("core", wanted).layers[1]).digest);

/** What is not asked again with another login: its refusal is the last word. */
const noSecondLogin = { challenge: "FFF" } as const;

/** A token for many repositories that is refused is followed by one for each. */
const oneByOne = { challenge: "DFF", 403: "DFF", 404: "DFF", 416: "DFF" } as const;

/** Where only a list is refused, everything else is done. */
const doneWithoutList = {
  challenge: "DDD",
  final: "DDD",
  absurd: "DDD",
  404: "DDD",
  429: "DDD",
  "429, Retry-After in seconds": "DDD",
  500: "DDD",
  503: "DDD",
} as const;

export const githubStages: readonly Stage[] = [
  {
    name: "GitHub API",
    party: "GitHub",
    server: ({ github }) => github,
    when: { path: /\/releases/ },
    answers: true,
    outcomes: noSecondLogin,
  },
];

export const sourceStages: readonly Stage[] = [
  {
    name: "token of the source",
    party: "source",
    server: ({ source: { tokenServer } }) => present(tokenServer),
    when: {},
    answers: true,
    outcomes: oneByOne,
  },
  {
    name: "HEAD at the source",
    party: "source",
    server: source,
    when: { method: "HEAD", path: /manifests/ },
    answers: false,
    believes: 404,
    // While HEAD has shown nothing, GET has the last word.
    outcomes: { 404: "DDD" },
  },
  {
    name: "manifest read",
    party: "source",
    server: source,
    when: { method: "GET", path: /manifests\/sha256/ },
    answers: true,
  },
  {
    name: "blob read",
    party: "source",
    server: source,
    when: { method: "GET", path: layer },
    // A redirect to the storage.
    answers: false,
  },
  {
    name: "blob storage",
    party: "source",
    server: ({ source: { contentServer } }) => present(contentServer),
    when: { path: layer },
    answers: true,
    // The storage has no say in how the registry is logged in to. A blob goes on where it broke, to its size.
    outcomes: { ...noSecondLogin, "early end": "DDF" },
  },
  {
    name: "tag list of the source",
    party: "source",
    server: source,
    when: { method: "GET", path: /tags\/list/ },
    answers: true,
    // Without a list, signatures are asked for by their tags.
    outcomes: doneWithoutList,
  },
];

export const readingStages: readonly Stage[] = [
  {
    name: "token",
    party: "destination",
    server: ({ troubled: { tokenServer } }) => present(tokenServer),
    when: {},
    answers: true,
    outcomes: oneByOne,
  },
  {
    name: "HEAD of a tag",
    party: "destination",
    server: troubled,
    when: { method: "HEAD", path: /manifests\/v/ },
    answers: false,
    believes: 404,
    // "Not there" is an answer, and is believed; a tag of which it is said after it was set is not published.
    outcomes: { 404: "DDF" },
  },
  {
    name: "HEAD of a blob",
    party: "destination",
    server: troubled,
    when: { method: "HEAD", path: /blobs/ },
    answers: false,
    believes: 404,
    // A blob that cannot be asked for is sent; in the end it has to be there.
    outcomes: { challenge: "DDF", final: "DDF", absurd: "DDF" },
  },
  {
    name: "HEAD of a manifest",
    party: "destination",
    server: troubled,
    when: { method: "HEAD", path: /manifests\/sha256/ },
    answers: false,
    believes: 404,
    // What is gone is sent again, once for each image.
    outcomes: { 404: "DFF" },
  },
  {
    name: "tag list",
    party: "destination",
    server: troubled,
    when: { method: "GET", path: /tags\/list/ },
    answers: true,
    // Without a list, nothing is pruned; images go there all the same.
    outcomes: doneWithoutList,
  },
];

export const uploadStages: readonly Stage[] = [
  {
    name: "mount",
    party: "destination",
    server: troubled,
    when: { method: "POST", path: /\?mount=/ },
    answers: false,
    // What is not mounted is uploaded.
    outcomes: { 500: "DDD", challenge: "DDD", final: "DDD", 408: "DDD", 425: "DDD" },
  },
  {
    name: "upload start",
    party: "destination",
    server: troubled,
    when: { method: "POST", path: /uploads\/$/ },
    answers: false,
    // The first uploads are opened ahead; where that fails, the upload opens its own.
    outcomes: { challenge: "D?F", 403: "D?F", 404: "D?F", 416: "D?F", absurd: "D?F" },
  },
  {
    name: "upload of a layer",
    party: "destination",
    server: troubled,
    when: { method: "PUT", path: new RegExp(`blobs/uploads.*${layer.source.slice("sha256:".length)}`) },
    answers: false,
    // An upload that is lost starts over; of a lost answer, the registry tells what came of it.
    outcomes: { 404: "DDF", 416: "DDF", "answer lost": "DDD" },
  },
  {
    name: "upload of a small blob",
    party: "destination",
    server: troubled,
    when: { method: "PUT", path: /blobs\/uploads/, header: { name: "content-length", value: /^3000$/ } },
    answers: false,
    outcomes: { 404: "DDF", 416: "DDF", "answer lost": "DDD" },
  },
];

export const publishStages: readonly Stage[] = [
  {
    name: "manifest write",
    party: "destination",
    server: troubled,
    when: { method: "PUT", path: /manifests\/sha256/ },
    answers: false,
  },
  {
    name: "tag write",
    party: "destination",
    server: troubled,
    when: { method: "PUT", path: new RegExp(`manifests/${wanted}`) },
    answers: false,
  },
  {
    name: "deletion",
    party: "destination",
    server: troubled,
    when: { method: "DELETE", path: new RegExp(`manifests/${oldest}`) },
    answers: false,
    // What is not found is gone; once, it leaves a version half there, which is seen. What this login may not delete is left.
    outcomes: { 404: "?DD", 403: "DDD", challenge: "DDD" },
    believes: 404,
  },
];

export const hubStages: readonly Stage[] = [
  {
    name: "Hub API: login",
    party: "destination",
    kind: "docker-hub",
    server: ({ dockerHub }) => present(dockerHub).api,
    when: { path: /auth\/token/ },
    answers: true,
    // A login that is refused when its rights are asked for deletes nothing, and the plan says so. After any other trouble
    // it is asked again by whoever deletes.
    outcomes: {
      challenge: "DDD",
      403: "DDD",
      404: "DFF",
      416: "DFF",
      absurd: "DFF",
      nonsense: "DFF",
    },
  },
  {
    name: "Hub API: deletion",
    party: "destination",
    kind: "docker-hub",
    server: ({ dockerHub }) => present(dockerHub).api,
    when: { method: "DELETE" },
    answers: false,
    // Each tag is asked for by two routes, one tag after the other. What neither finds is gone. Three times, the second tag goes by
    // its second route, and the first is seen to be there still: half a version. For ever, the version is there whole.
    outcomes: { 404: "DFD", 403: "DDD", challenge: "DDD" },
    believes: 404,
  },
];

function tcrAction(action: string, namespace = true, outcomes: Stage["outcomes"] = noSecondLogin): Stage {
  return {
    name: `TCR API: ${action}`,
    party: "destination",
    kind: "tcr",
    server: ({ tcr }) => present(tcr).api,
    when: { header: { name: "x-tc-action", value: new RegExp(`^${action}$`) } },
    answers: true,
    outcomes,
    namespace,
  };
}

/** Once, it hits the question before the plan, and nothing is lost. */
const askedBefore = {
  challenge: "DFF",
  403: "DFF",
  404: "DFF",
  416: "DFF",
  absurd: "DFF",
  "early end": "DFF",
  "wrong bytes": "DFF",
} as const;

export const tcrStages: readonly Stage[] = [
  // The Docker configuration has a login, too: the first question is whether the key's account has the instance.
  tcrAction("CreateInstanceToken", true, askedBefore),
  tcrAction("DescribeNamespaces"),
  tcrAction("CreateNamespace", false),
  // What the key may not delete is left.
  tcrAction("DeleteRepositoryTags", true, { 403: "DDD", challenge: "DDD" }),
  tcrAction("DescribeImages", true, askedBefore),
];
