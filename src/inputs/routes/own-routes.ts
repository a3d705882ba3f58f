import { didYouMean, listOf } from "../../wording.ts";
import { nearest, quoted } from "../suggestions.ts";
import { linesOf } from "../values.ts";
import type { YamlEntry, YamlList, YamlMap } from "../yaml.ts";
import {
  nameRoutes,
  type Remarks,
  type RouteInputName,
  type RouteInputs,
  routeInputNames,
  type Translated,
} from "./route-text.ts";

/** Inputs of several lines: there a list stands for them, too. */
const listInputs: ReadonlySet<RouteInputName> = new Set([
  "destinations",
  "source",
  "images",
  "version",
  "platforms",
]);

/** Inputs that a route cannot have, and why. */
const stepInputs: readonly (readonly [name: RegExp, reason: string])[] = [
  [
    /^(?:dockerhub|tcr|github)-|^logins$/,
    "no login or token stands in a file of routes: it is an input of the step",
  ],
  [/^(?:mode|plan|share|shares|runs-on)$/, "a run is cut into jobs as a whole: it is an input of the step"],
  [/^(?:dry-run|check|report-issue|summary)$/, "it is about the run as a whole: it is an input of the step"],
  [
    /^(?:spool-limit|download-connections|upload-connections|congestion-control)$/,
    "all routes share it: it is an input of the step",
  ],
  [/^prune-limit$/, "it counts by destination, over all routes: it is an input of the step"],
  [/^routes$/, "a file of routes names no other"],
];

/** Longest name of a route, in characters. */
const nameLimit = 100;

/** Our own form: a list of maps with the inputs that each route says itself. */
export function readOwnRoutes(list: YamlList, remarks: Remarks): Translated {
  const named = new Map<string, number>();
  const routes = list.items.flatMap((item) => {
    if (item.kind !== "map") {
      remarks.mistake(item.line, "a route is a map of inputs, such as - images: app");
      return [];
    }
    const route = routeOf(item, remarks);
    const first = route.own === undefined ? undefined : named.get(route.own);
    if (first !== undefined)
      remarks.mistake(item.line, `the name ${quoted(route.own ?? "")} is that of line ${first}`);
    if (route.own !== undefined) named.set(route.own, item.line);
    return [{ name: route.own ?? nameOf(route.inputs, item.line), line: item.line, inputs: route.inputs }];
  });
  return { routes: nameRoutes(routes), logins: [] };
}

/** Why an input stands in no route; undefined for any other key. */
export function whyOfStep(key: string): string | undefined {
  return stepInputs.find(([name]) => name.test(key))?.[1];
}

function routeOf(
  map: YamlMap,
  remarks: Remarks,
): { readonly own: string | undefined; readonly inputs: RouteInputs } {
  let own: string | undefined;
  const inputs: Partial<Record<RouteInputName, string>> = {};
  for (const entry of map.entries) {
    const input = routeInputNames.find((name) => name === entry.key);
    if (entry.key === "name") own = nameIn(entry, remarks);
    else if (input === undefined) remarks.mistake(entry.line, problemOfKey(entry.key));
    else {
      const text = textOf(entry, listInputs.has(input), remarks);
      // As with an input of the step, an empty text says nothing.
      if (text !== undefined && text.trim() !== "") inputs[input] = text;
    }
  }
  if (map.entries.length === 0) remarks.mistake(map.line, "the route says nothing");
  return { own, inputs };
}

function problemOfKey(key: string): string {
  const reason = whyOfStep(key);
  if (reason !== undefined) return `${key} means nothing in a route: ${reason}`;
  const meant = nearest(key, ["name", ...routeInputNames]);
  return `${quoted(key)} is no input that a route has${didYouMean(meant)}`;
}

function nameIn({ value, line }: YamlEntry, remarks: Remarks): string | undefined {
  if (value.kind !== "text") remarks.mistake(line, "name: it takes a text");
  if (value.kind !== "text" || value.empty || value.text === "") return undefined;
  if (value.text.length > nameLimit) remarks.mistake(line, `name: it has more than ${nameLimit} characters`);
  // It stands in the log, the summary and on terminals.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value.text))
    remarks.mistake(line, "name: it holds a line end or another sign that cannot be seen");
  // Else two routes could have one name, and each would prune what the other brings.
  if (value.text.includes("›"))
    remarks.mistake(line, "name: it holds ›, which stands between a route and one repository of its pattern");
  return value.text;
}

function textOf({ key, value, line }: YamlEntry, takesList: boolean, remarks: Remarks): string | undefined {
  if (value.kind === "text") return value.empty ? undefined : value.text;
  if (value.kind === "map" || !takesList) {
    remarks.mistake(line, `${key}: it takes a text${takesList ? ", or a list of texts" : ""}`);
    return undefined;
  }
  const texts = value.items.flatMap((item) => {
    if (item.kind === "text") return [item.text];
    remarks.mistake(item.line, `${key}: what is in its list is no text`);
    return [];
  });
  if (value.items.length === 0) remarks.mistake(line, `${key}: its list is empty`);
  return texts.join("\n");
}

/** What a route is about, for one without a name. */
function nameOf({ source, images, repository }: RouteInputs, line: number): string {
  const [from] = linesOf(source ?? "");
  const [place] = from?.split(",") ?? [];
  const what = listOf(linesOf(images ?? ""), 2);
  if (place !== undefined && what !== "") return `${place}: ${what}`;
  return place ?? (what || repository || `line ${line}`);
}
