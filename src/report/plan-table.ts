import { failureTextLimit, printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import {
  type ImageStep,
  isImageStep,
  nameOfVersion,
  type Plan,
  type RetentionStep,
  type Step,
  subjectOf,
  unknownVersion,
} from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import { causesOf, groupsOf } from "./grouping.ts";

/** A row of the table: cells that are aligned, and what stands below it. */
interface Row {
  readonly cells: readonly [action: Step["kind"], subject: string, destination: string];
  readonly reason: string;
  /** The images that the row stands for, when it stands for several. */
  readonly images: readonly string[];
}

/**
 * The plan as aligned text for the log: the images of each version, then what each destination keeps, prunes and
 * leaves, in colours by what is done. A dry run prints exactly this, and so does a real run before it starts (P9). Every tag is named.
 */
export function planLines(plan: Plan, paint: Paint): readonly string[] {
  const images = plan.steps.filter(isImageStep);
  const retention = plan.steps.filter((step) => !isImageStep(step));
  const order = [...new Set([...plan.versions, ...images.map(({ version }) => version)])];
  const places = new Map(order.map((version, index) => [version, index]));
  const sections = [
    ...groupsOf(images, ({ route, version }) => [route, version])
      .toSorted((one, other) => placeIn(one.first) - placeIn(other.first))
      .map(({ first, all }) => ({ heading: headingOf(first), rows: imageRows(all) })),
    { heading: "Retention", rows: retentionRows(retention) },
  ].filter(({ rows }) => rows.length > 0);
  const aligned = align(sections.flatMap(({ rows }) => rows));
  return [
    paint.strong(heading(plan)),
    ...sections.flatMap(({ heading: title, rows }) => [
      paint.strong(title),
      ...rows.flatMap((row) => printRow(row, aligned, paint)),
    ]),
    paint.strong(totals(plan)),
  ];

  function placeIn({ version }: ImageStep): number {
    return places.get(version) ?? order.length;
  }
}

/** What the images below it are of: the version, and of several routes the route. */
function headingOf(step: ImageStep): string {
  const { route, version } = step;
  // A repository whose tags could not be listed has no version that is known.
  if (version !== unknownVersion) return nameOfVersion(step);
  return route === undefined ? "Versions that are not known" : `${route}: versions that are not known`;
}

/** Most versions in the heading: those of a thousand repositories make no line to read, and each has its section. */
const namedLimit = 20;

function heading({ repository, versions }: Plan): string {
  return versions.length === 0
    ? `Plan for ${repository}: no version is wanted`
    : `Plan for ${repository} ${listOf(versions, namedLimit)}:`;
}

/** Steps of the same cause, origin and destination share a row. */
function imageRows(steps: readonly ImageStep[]): readonly Row[] {
  return causesOf(steps, (step) => [step.kind, step.destination, originOf(step)?.place]).map(
    ({ first, all, reason }) => {
      const origin = originOf(first);
      const from = all.length === 1 ? origin && `${origin.place}/${origin.name}` : origin?.place;
      const references = all.map((step) => `${subjectOf(step)}${all.length === 1 ? "" : otherName(step)}`);
      const why = from === undefined ? reason : `${reason}; from ${from}`;
      return row(first.kind, "", references, first.destination, why);
    },
  );
}

/** Where a copy is read: the namespace, and what the image is called below it. Undefined for anything else. */
function originOf(step: ImageStep): { readonly place: string; readonly name: string } | undefined {
  if (step.kind !== "copy") return undefined;
  const { source, repository, tag } = step.source;
  const path = `${source.registry}/${repository}`;
  const end = path.endsWith(`/${step.image}`) ? path.length - step.image.length - 1 : path.lastIndexOf("/");
  return { place: path.slice(0, end), name: `${path.slice(end + 1)}:${tag}` };
}

/** What an image is called at its source, where that is something else. */
function otherName(step: ImageStep): string {
  const name = originOf(step)?.name ?? `${step.image}:${step.tag}`;
  return name === `${step.image}:${step.tag}` ? "" : ` (there ${name})`;
}

function retentionRows(steps: readonly RetentionStep[]): readonly Row[] {
  return groupsOf(steps, (step) => [step.kind, step.destination, step.route, step.version, step.reason]).map(
    ({ first, all }) => {
      const references = all.flatMap((step) => (step.kind === "keep" ? [] : [subjectOf(step)]));
      return row(first.kind, nameOfVersion(first), references, first.destination, first.reason);
    },
  );
}

function row(
  action: Step["kind"],
  version: string,
  references: readonly string[],
  destination: string,
  reason: string,
): Row {
  const [only = version] = references;
  const ofVersion = version === "" ? "" : ` of ${version}`;
  const subject = references.length > 1 ? `${countOf(references.length, "image")}${ofVersion}` : only;
  const images = references.length > 1 ? references : [];
  return { cells: [action, subject, destination], reason: printable(reason, failureTextLimit), images };
}

/** Width of each aligned column, in characters; the same all over the plan, so that columns line up. */
function align(rows: readonly Row[]): readonly number[] {
  return [0, 1, 2].map((column) => Math.max(0, ...rows.map(({ cells }) => cells[column]?.length ?? 0)));
}

/** How each action looks. An action that changes something stands out. */
const looks: Readonly<Record<Step["kind"], keyof Paint>> = {
  copy: "change",
  await: "change",
  skip: "faint",
  fail: "bad",
  keep: "good",
  prune: "warn",
  leave: "faint",
};

function printRow(
  { cells, reason, images }: Row,
  widths: readonly number[],
  paint: Paint,
): readonly string[] {
  const [action = "", ...others] = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  const look = paint[looks[cells[0]]];
  const names = images.join(", ");
  const below = names === "" ? [] : [`  ${" ".repeat(widths[0] ?? 0)}  ${paint.faint(names)}`];
  return [
    `  ${look(action)}  ${others.join("  ")}  ${cells[0] === "fail" ? look(reason) : reason}`,
    ...below,
  ];
}

function totals({ steps }: Plan): string {
  const count = (kind: Step["kind"]): number => steps.filter((step) => step.kind === kind).length;
  const fails = count("fail");
  const failing = fails === 0 ? "" : `, ${fails} that cannot be mirrored`;
  const awaited = count("await");
  const awaiting = awaited === 0 ? "" : `, ${awaited} to await`;
  return `In all: ${countOf(count("copy"), "image")} to copy${awaiting}, ${count("skip")} to skip, ${count("prune")} to prune${failing}`;
}
