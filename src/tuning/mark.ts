import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Machine } from "./machine.ts";

/** Names of congestion controls and queues: 16 characters at the most in the kernel (`TCP_CA_NAME_MAX`, `IFNAMSIZ`). */
const valueSchema = v.pipe(v.string(), v.regex(/^[a-z0-9_-]{1,16}$/));

/**
 * What a run notes before it changes the system: what was there, and which process did it. It is a file in a folder that
 * outlives the job, and goes along to the post step. Both are read as foreign texts, because their values become parameters of
 * a program that root runs.
 */
const markSchema = v.object({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)),
  /** The kernel's id of this start of the system: after the next one, nothing is left to put back. */
  boot: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** When the process began, in ticks since the start of the system: process ids are used again. */
  startedAt: v.string(),
  /** Value by the name of the setting, of those that are changed. */
  before: v.object({
    "net.ipv4.tcp_congestion_control": v.optional(valueSchema),
    "net.core.default_qdisc": v.optional(valueSchema),
  }),
});

export type TuningMark = v.InferOutput<typeof markSchema>;

/** A setting of the kernel that is changed. */
export type SettingName = keyof TuningMark["before"];

const textSchema = v.pipe(v.string(), v.maxLength(1000), v.parseJson(), markSchema);

/** Reads a mark; undefined unless it is one of ours in every detail. */
export function parseMark(text: string): TuningMark | undefined {
  const result = v.safeParse(textSchema, text);
  return result.success ? result.output : undefined;
}

/** A mark of this process. Undefined where the system does not say what process this is, or has a value of another form. */
export async function newMark(
  machine: Machine,
  before: TuningMark["before"],
): Promise<TuningMark | undefined> {
  const boot = await bootOf(machine);
  const { pid, startedAt } = processIn(await machine.read("/proc/self/stat"));
  return parseMark(
    JSON.stringify({ id: randomBytes(4).toString("hex"), boot, pid: Number(pid), startedAt, before }),
  );
}

const fileForm = /^congestion-control-([0-9a-f]{8})\.json$/;

function pathOf(folder: string, id: string): string {
  return join(folder, `congestion-control-${id}.json`);
}

/** @throws Error of the file system. */
export async function writeMark(folder: string, mark: TuningMark): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(pathOf(folder, mark.id), JSON.stringify(mark), { flag: "wx", mode: 0o600 });
}

/** @throws Error of the file system. */
export async function removeMark(folder: string, id: string): Promise<void> {
  await rm(pathOf(folder, id), { force: true });
}

/** What the folder has: one mark for each run that is at work, or was killed. */
export interface Marks {
  /** Of processes that are at work. */
  readonly alive: readonly TuningMark[];
  /** Of processes that have ended since the system was started. */
  readonly left: readonly TuningMark[];
  /** Ids of marks that say nothing: from before the start of the system, or not written to their end. */
  readonly idle: readonly string[];
}

/** Reads all marks. None where there is no folder. */
export async function readMarks(folder: string, machine: Machine): Promise<Marks> {
  const names = await readdir(folder).catch(() => []);
  const boot = await bootOf(machine);
  const [alive, left, idle]: [TuningMark[], TuningMark[], string[]] = [[], [], []];
  for (const name of names) {
    const [, id] = fileForm.exec(name) ?? [];
    if (id === undefined) continue;
    const mark = parseMark(await readFile(pathOf(folder, id), "utf8").catch(() => ""));
    if (mark === undefined || mark.id !== id || mark.boot !== boot) idle.push(id);
    else if (processIn(await machine.read(`/proc/${mark.pid}/stat`)).startedAt === mark.startedAt)
      alive.push(mark);
    else left.push(mark);
  }
  return { alive, left, idle };
}

function bootOf(machine: Machine): Promise<string | undefined> {
  return machine.read("/proc/sys/kernel/random/boot_id");
}

/** Id and start of a process. Its name, in brackets, may hold blanks and brackets: proc_pid_stat(5), fields 1 and 22. */
function processIn(stat = ""): {
  readonly pid: string | undefined;
  readonly startedAt: string | undefined;
} {
  const [pid] = /^[0-9]+/.exec(stat) ?? [];
  const startedAt = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return { pid, startedAt: /^[0-9]+$/.exec(startedAt ?? "")?.[0] };
}
