import type { FaultAction } from "../../sandbox/faults.ts";
import type { Outcomes, Party, Stage } from "./stages.ts";
import type { World } from "./world.ts";

const kinds = {
  /** Passes when asked again. */
  temporary: "DDF",
  /** Asks for another login. One is tried. */
  challenge: "DFF",
  /** A last word. */
  final: "FFF",
  /** Would hold the job for months: not waited for. */
  absurd: "FFF",
  /** An answer that is whole, and nonsense. */
  nonsense: "FFF",
} as const satisfies Readonly<Record<string, Outcomes>>;

/** How often a fault happens. */
export const times = [1, 3, Number.POSITIVE_INFINITY] as const;

/** Something that goes wrong, wherever it does. */
export interface Fault {
  readonly name: string;
  readonly kind: keyof typeof kinds;
  readonly effect: (world: World, party: Party) => FaultAction;
  /** The HTTP status that the client sees, if it sees one. */
  readonly status?: number;
  /** How often it is tried to happen. Default: once, three times and for ever. */
  readonly counts?: readonly number[];
}

function status(
  code: number,
  kind: Fault["kind"],
  more: { name?: string; headers?: Record<string, string>; counts?: Fault["counts"] } = {},
): Fault {
  const { name = `${code}`, headers = {}, counts = times } = more;
  return { name, kind, status: code, counts, effect: () => ({ status: code, headers, afterBody: true }) };
}

/** For what is the same as another fault, in all that we make of it. */
const once = [1];

/** For what is waited out, and for what is over with the first: the case between tells nothing more. */
const onceOrForEver = [1, Number.POSITIVE_INFINITY];

/** What can go wrong with any answer. */
const everywhere: readonly Fault[] = [
  {
    name: "401 with a new challenge",
    kind: "challenge",
    status: 401,
    effect: (world, party) => {
      const { tokenServer } = party === "source" ? world.source : world.troubled;
      const challenge = `Bearer realm="${tokenServer?.realm}",service="${tokenServer?.service}",error="invalid_token"`;
      return { status: 401, headers: { "www-authenticate": challenge }, afterBody: true };
    },
  },
  status(401, "challenge", { name: "401 without a word" }),
  status(403, "final", { counts: onceOrForEver }),
  status(404, "final"),
  status(416, "final", { counts: once }),
  status(408, "temporary", { counts: once }),
  status(425, "temporary", { counts: once }),
  status(500, "temporary"),
  status(502, "temporary", { counts: once }),
  status(503, "temporary", { counts: onceOrForEver }),
  status(504, "temporary", { counts: once }),
  status(429, "temporary", { counts: onceOrForEver }),
  status(429, "temporary", { name: "429, Retry-After in seconds", headers: { "retry-after": "7" } }),
  {
    name: "429, Retry-After as a date",
    kind: "temporary",
    status: 429,
    counts: once,
    effect: ({ clock }) => ({
      status: 429,
      headers: { "retry-after": new Date(clock.now() + 20_000).toUTCString() },
      afterBody: true,
    }),
  },
  status(429, "absurd", {
    counts: once,
    name: "429, absurd Retry-After",
    headers: { "retry-after": "99999999" },
  }),
  { name: "reset", kind: "temporary", effect: () => ({ reset: true }) },
  { name: "answer lost", kind: "temporary", effect: () => ({ loseAnswer: true }) },
  { name: "no answer", kind: "temporary", counts: onceOrForEver, effect: () => ({ hang: true }) },
];

/** What can go wrong with a body. */
const inBodies: readonly Fault[] = [
  { name: "reset in the body", kind: "temporary", effect: () => ({ cutBodyAfter: 20 }) },
  {
    name: "stall in the body",
    kind: "temporary",
    counts: onceOrForEver,
    effect: () => ({ stallBodyAfter: 20 }),
  },
  {
    name: "a few bytes a second",
    kind: "temporary",
    counts: onceOrForEver,
    effect: () => ({ bytesPerSecond: 20 }),
  },
  { name: "early end", kind: "nonsense", counts: onceOrForEver, effect: () => ({ endBodyAfter: 20 }) },
  { name: "wrong bytes", kind: "nonsense", counts: onceOrForEver, effect: () => ({ spoilBody: true }) },
];

/** The faults that make sense at a stage. */
export function faultsAt({ answers }: Stage): readonly Fault[] {
  return answers ? [...everywhere, ...inBodies] : everywhere;
}

/** What is to come of a fault: done, fails, or undefined where it depends on which requests are hit. */
export function expected(stage: Stage, fault: Fault, count: number): "done" | "fails" | undefined {
  const outcomes = stage.outcomes?.[fault.name] ?? stage.outcomes?.[fault.kind] ?? kinds[fault.kind];
  const [first, few, ever] = outcomes;
  const letter = count === 1 ? first : count === 3 ? few : ever;
  return letter === "?" ? undefined : letter === "D" ? "done" : "fails";
}
