import { printable } from "../../log/log.ts";

/** What a `routes` file says, whatever tool it was written for: inputs as texts, read by the readers of the step's own inputs. */

/** The inputs that a route may have of its own. */
export const routeInputNames = [
  "destinations",
  "version",
  "versions-from",
  "repository",
  "source",
  "images",
  "repository-limit",
  "keep",
  "keep-by",
  "prereleases",
  "overwrite",
  "platforms",
  "referrers",
  "wait",
  "verify",
] as const;

export type RouteInputName = (typeof routeInputNames)[number];

export type RouteInputs = Readonly<Partial<Record<RouteInputName, string>>>;

/** One route as a file has it: the inputs that it says itself, as texts like those of `action.yml`. */
export interface RouteText {
  /** Another one for each route of a file. */
  readonly name: string;
  /** Where it begins in the file, counted from 1. */
  readonly line: number;
  readonly inputs: RouteInputs;
}

/** The login for a registry, or for what is below a path of it, that a file of another tool carries. */
export interface LoginText {
  readonly place: string;
  readonly username: string;
  readonly password: string;
}

export type RoutesShape = "routes" | "image-transfer" | "image-syncer" | "regsync" | "skopeo" | "list";

export interface RoutesFile {
  readonly shape: RoutesShape;
  readonly routes: readonly RouteText[];
  /** What the file asks for that changes nothing here, each once. */
  readonly notices: readonly string[];
  readonly logins: readonly LoginText[];
}

/** What a reader of one shape gives. */
export type Translated = Pick<RoutesFile, "routes" | "logins">;

/** Where a reader says what is wrong, and what has no effect. */
export interface Remarks {
  readonly mistake: (line: number, problem: string) => void;
  readonly notice: (text: string) => void;
}

/** Longest name of a route that is made of its inputs, in characters. */
const nameLimit = 100;

/** Gives each route a name of its own: by its line where another has it already. */
export function nameRoutes(routes: readonly RouteText[]): readonly RouteText[] {
  const names = new Set<string>();
  return routes.map((route) => {
    const short = printable(route.name, nameLimit);
    const byLine = `${short} (line ${route.line})`;
    let name = names.has(short) ? byLine : short;
    for (let count = 2; names.has(name); count += 1) name = `${byLine} ${count}`;
    names.add(name);
    return { ...route, name };
  });
}
