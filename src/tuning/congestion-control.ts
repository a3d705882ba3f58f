import { messageOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Machine } from "./machine.ts";
import {
  newMark,
  parseMark,
  readMarks,
  removeMark,
  type SettingName,
  type TuningMark,
  writeMark,
} from "./mark.ts";

/**
 * With BBR a connection fills a long link that loses packets, where CUBIC, the default of Linux, falls to a tenth at one lost
 * packet in a thousand. Only what the sender has counts: here that is uploads.
 * https://queue.acm.org/detail.cfm?id=3022184
 */
export type CongestionControl = "auto" | "bbr" | "leave";

/** What decides whether the system may be touched. */
export interface Runner {
  /** Whether the machine is GitHub's own, which is thrown away after the job. */
  readonly githubHosted: boolean;
  /** As `process.platform` has it. */
  readonly platform: string;
  /** Whether a post step follows, which puts back what was there. */
  readonly hasPostStep: boolean;
}

/** What the system is looked at and changed with. */
export interface Tuner {
  readonly machine: Machine;
  /** Folder of the marks. It outlives the job. */
  readonly markFolder: string;
  readonly log: Log;
}

const congestionControl: SettingName = "net.ipv4.tcp_congestion_control";
const queue: SettingName = "net.core.default_qdisc";

/** `fq` spreads packets out for BBR. It counts for interfaces that come up from now on; without it, BBR does so itself. */
const wanted: Readonly<Record<SettingName, string>> = { [congestionControl]: "bbr", [queue]: "fq" };

/** Files that are there in a container: of Docker, of Podman, of Kubernetes. Their system is somebody else's. */
const containerFiles = [
  "/.dockerenv",
  "/run/.containerenv",
  "/var/run/secrets/kubernetes.io/serviceaccount/namespace",
] as const;

/** What is to be done: nothing, what cannot be done and why, or to set BBR. */
export type Aim =
  | { readonly kind: "leave" }
  | { readonly kind: "impossible"; readonly reason: string }
  | { readonly kind: "set" };

/** What the input means on this runner. Changes nothing. */
export async function aimOf(choice: CongestionControl, runner: Runner, machine: Machine): Promise<Aim> {
  const isLinux = runner.platform === "linux";
  if (choice === "leave" || (choice === "auto" && !(runner.githubHosted && isLinux)))
    return { kind: "leave" };
  const impossible = (reason: string): Aim => ({ kind: "impossible", reason });
  if (!isLinux) return impossible("BBR is set on Linux only");
  if (!runner.hasPostStep) return impossible("no post step would put back what was there");
  for (const path of containerFiles) {
    if ((await machine.read(path)) !== undefined) return impossible("this job runs in a container");
  }
  return { kind: "set" };
}

/**
 * Sets BBR for the connections that are opened from now on, where the input and the runner allow that. Says so in one line.
 * Never throws: what cannot be done is that line.
 * @param saveMark hands the mark on to the post step. Called before anything is changed.
 * @returns whether connections that are open now have something else.
 */
export async function useBbr(
  choice: CongestionControl,
  runner: Runner,
  tuner: Tuner,
  saveMark: (mark: string) => void,
): Promise<boolean> {
  const { machine, log } = tuner;
  const aim = await aimOf(choice, runner, machine);
  if (aim.kind === "leave") return false;
  const before = await congestionControlNow(machine);
  const refused = aim.kind === "impossible" && (before === wanted[congestionControl] ? already : aim);
  const told = refused || (await trySetting(before, tuner, saveMark));
  if ("line" in told) {
    log.info(told.line);
    return told.changed;
  }
  const line = `Uploads go on with ${before ?? "the system's congestion control"}, not with BBR: ${told.reason}`;
  if (choice === "bbr") log.warning(line);
  else log.info(line);
  return false;
}

type Told = { readonly line: string; readonly changed: boolean } | { readonly reason: string };

const already: Told = { line: "Uploads use BBR: this system does so already.", changed: false };

async function trySetting(
  before: string | undefined,
  tuner: Tuner,
  saveMark: (mark: string) => void,
): Promise<Told> {
  const { machine, markFolder } = tuner;
  if (before === undefined) return { reason: untold };
  const { alive } = await readMarks(markFolder, machine);
  const [other] = alive;
  if (before === wanted[congestionControl] && other === undefined) return already;
  const missing = await loadBbr(machine);
  if (missing !== undefined) return { reason: missing };
  const changes = other?.before ?? (await changesTo(before, machine));
  const mark = await newMark(machine, changes);
  if (mark === undefined)
    return { reason: "what was there could not be noted: this system does not tell it" };
  try {
    await writeMark(markFolder, mark);
  } catch (error) {
    return { reason: `what was there could not be noted in ${markFolder}: ${messageOf(error)}` };
  }
  saveMark(JSON.stringify(mark));
  const failure = await set(namesOf(changes), wanted, machine);
  const now = await congestionControlNow(machine);
  if (now !== wanted[congestionControl]) {
    await restore(mark, tuner);
    return { reason: failure ?? `the system has ${now} still` };
  }
  const changed = namesOf(changes).map((name) => `${name} was ${changes[name]}`);
  const partly = failure === undefined ? "" : ` Not all of it was taken: ${failure}`;
  return {
    line: `Uploads use BBR from here to the end of this job: ${changed.join(", ")}.${partly}`,
    changed: before !== now,
  };
}

/** What new connections get; undefined where the system does not tell. */
export function congestionControlNow(machine: Machine): Promise<string | undefined> {
  return settingNow(machine, congestionControl);
}

/**
 * Why BBR cannot be set; undefined where it can, as far as that shows without a change: the setting is read, and `modprobe -n`
 * only says what it would load.
 */
export async function whyNotBbr(machine: Machine): Promise<string | undefined> {
  const now = await congestionControlNow(machine);
  if (now === undefined) return untold;
  if (now === wanted[congestionControl]) return undefined;
  if (!(await hasBbr(machine))) {
    const { succeeded, words } = await machine.run("sudo", ["-n", "modprobe", "-n", "tcp_bbr"]);
    if (!succeeded) return `sudo -n modprobe -n tcp_bbr failed: ${words}`;
  }
  const { succeeded, words } = await machine.run("sudo", ["-n", "sysctl", "-n", congestionControl]);
  return succeeded ? undefined : `sudo -n sysctl failed: ${words}`;
}

const untold = "this system does not tell its congestion control";

/** Loads the kernel's module where it is not there. It stays loaded: by itself it changes nothing. */
async function loadBbr(machine: Machine): Promise<string | undefined> {
  if (await hasBbr(machine)) return undefined;
  const { words } = await machine.run("sudo", ["-n", "modprobe", "tcp_bbr"]);
  return (await hasBbr(machine)) ? undefined : `sudo -n modprobe tcp_bbr failed: ${words}`;
}

async function hasBbr(machine: Machine): Promise<boolean> {
  const available = await machine.read("/proc/sys/net/ipv4/tcp_available_congestion_control");
  return available?.split(/\s+/).includes(wanted[congestionControl]) ?? false;
}

/** What is changed, with what is there now. A network namespace has no queue of its own. */
async function changesTo(before: string, machine: Machine): Promise<TuningMark["before"]> {
  const queueNow = await settingNow(machine, queue);
  const queueChanges = queueNow !== undefined && queueNow !== wanted[queue];
  return { [congestionControl]: before, ...(queueChanges ? { [queue]: queueNow } : {}) };
}

function namesOf(settings: TuningMark["before"]): readonly SettingName[] {
  return [congestionControl, queue].filter((name) => settings[name] !== undefined);
}

function settingNow(machine: Machine, name: SettingName): Promise<string | undefined> {
  return machine.read(`/proc/sys/${name.replaceAll(".", "/")}`);
}

/** Sets what is named, and reads it back. @returns why not, in words; undefined where all is as it should be. */
async function set(
  names: readonly SettingName[],
  values: TuningMark["before"],
  machine: Machine,
): Promise<string | undefined> {
  const assignments = names.map((name) => `${name}=${values[name]}`);
  const { words } = await machine.run("sudo", ["-n", "sysctl", "-q", "-w", ...assignments]);
  for (const name of names) {
    if ((await settingNow(machine, name)) !== values[name])
      return `sudo -n sysctl -q -w ${assignments.join(" ")} failed: ${words}`;
  }
  return undefined;
}

/**
 * The post step: puts back what the main step of this job has changed, unless another run on this machine is at work, which
 * then does that. Never throws.
 * @param text the mark, as it was handed on.
 */
export async function putBack(text: string, tuner: Tuner): Promise<void> {
  const mark = parseMark(text);
  if (mark === undefined) return;
  const { alive } = await readMarks(tuner.markFolder, tuner.machine);
  if (alive.some(({ id }) => id !== mark.id)) {
    tuner.log.info("Left BBR as it is for another run on this machine, which puts back what was there.");
    await removeMark(tuner.markFolder, mark.id).catch(() => undefined);
    return;
  }
  await restore(mark, tuner);
}

/** Puts back what runs have left that were killed together with their post step. Never throws. */
export async function putBackLeft(tuner: Tuner): Promise<void> {
  const { markFolder, machine } = tuner;
  const { alive, left, idle } = await readMarks(markFolder, machine);
  for (const id of idle) await removeMark(markFolder, id).catch(() => undefined);
  // A run that is at work has noted the same, and puts it back.
  if (alive.length > 0) return;
  for (const mark of left) await restore(mark, tuner);
}

/** Puts back what is still as we have set it: what another has changed since is that one's. */
async function restore({ id, before }: TuningMark, { machine, markFolder, log }: Tuner): Promise<void> {
  const now = await Promise.all(
    namesOf(before).map(async (name) => [name, await settingNow(machine, name)] as const),
  );
  const names = now.filter(([name, value]) => value === wanted[name]).map(([name]) => name);
  if (names.length > 0) {
    const failure = await set(names, before, machine);
    if (failure !== undefined) {
      log.warning(
        `The system's congestion control could not be put back: ${failure} The next run on this machine tries again.`,
      );
      return;
    }
    log.info(`Put back: ${names.map((name) => `${name} is ${before[name]}`).join(", ")}.`);
  }
  await removeMark(markFolder, id).catch(() => undefined);
}
