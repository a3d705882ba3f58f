/** Starts the processes of a tool, at most so many at a time, and measures what they take. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { searchPath } from "./folders.ts";

export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Commands that are worked off in their order, `parallel` at a time. Several queues run side by side. */
export interface CommandQueue {
  readonly parallel: number;
  readonly commands: readonly Command[];
}

export interface ProcessFigures {
  /** From the start of the first process to the end of the last, in seconds. */
  readonly wallSeconds: number;
  /** User and system time of all processes and of their children, in seconds. */
  readonly cpuSeconds: number;
  /** Largest sum of the resident memory of all processes at one time, in bytes. */
  readonly peakMemory: number;
  /** What went wrong, in words. */
  readonly problems: readonly string[];
}

/** How often memory is looked at, in milliseconds. */
const sampleMs = 100;

/** Longest text of a failed process that is kept, in characters: its last words say why. */
const lastWords = 400;

/**
 * Runs all commands to their end. No other child process may end meanwhile: the processor time is that of all children
 * that this process has waited for (`cutime` and `cstime`, proc_pid_stat(5)).
 * @param limitSeconds after which everything still running is killed.
 */
export async function runProcesses(
  queues: readonly CommandQueue[],
  limitSeconds: number,
): Promise<ProcessFigures> {
  const running = new Set<ChildProcess>();
  const problems: string[] = [];
  const limit = AbortSignal.timeout(limitSeconds * 1000);
  const before = childSeconds();
  const started = performance.now();
  const workers = queues.flatMap(({ parallel, commands }) => {
    const waiting = [...commands];
    return Array.from({ length: parallel }, async () => {
      for (let next = waiting.shift(); next !== undefined && !limit.aborted; next = waiting.shift()) {
        const problem = await runOne(next, running, limit);
        if (problem !== undefined) problems.push(problem);
      }
    });
  });
  const memory = watchMemory(running);
  await Promise.all(workers);
  const wallSeconds = (performance.now() - started) / 1000;
  const peakMemory = memory.stop();
  if (limit.aborted) problems.unshift(`not done after ${limitSeconds} s`);
  return { wallSeconds, cpuSeconds: childSeconds() - before, peakMemory, problems };
}

/** Runs one command. Returns what went wrong, or undefined. */
async function runOne(
  command: Command,
  running: Set<ChildProcess>,
  limit: AbortSignal,
): Promise<string | undefined> {
  const child = spawn(command.file, command.arguments, {
    env: { PATH: searchPath, ...command.environment },
    stdio: ["ignore", "pipe", "pipe"],
    signal: limit,
    killSignal: "SIGKILL",
  });
  running.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-lastWords);
    });
  }
  let failure: Error | undefined;
  child.on("error", (error) => {
    failure = error;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  running.delete(child);
  const what = `${command.file} ended with status ${code}`;
  if (limit.aborted || (code === 0 && failure === undefined)) return undefined;
  return `${failure?.message ?? what}: ${said.trim()}`;
}

/** Processor time of the children that this process has waited for, in seconds. */
function childSeconds(): number {
  const fields = fieldsAfterName(readFileSync("/proc/self/stat", "utf8"));
  // Fields 16 and 17 of proc_pid_stat(5), which counts from 1; the third is the first after the name. In ticks of 1/100 s.
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** The fields after the name, which stands in brackets and may hold anything. */
function fieldsAfterName(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Samples memory until it is stopped. */
function watchMemory(running: ReadonlySet<ChildProcess>): { stop(): number } {
  let peak = 0;
  const look = () => {
    const families = [...running].flatMap(({ pid }) => (pid === undefined ? [] : familyOf(pid)));
    const memory = families.map(memoryOf);
    const together = memory.reduce((sum, { now }) => sum + now, 0);
    peak = Math.max(peak, together, ...memory.map(({ most }) => most));
  };
  const timer = setInterval(look, sampleMs);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

/** A process and all below it. */
function familyOf(pid: number): readonly number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** Resident memory now, and the most that the kernel has seen, in bytes; 0 for a process that has ended. */
function memoryOf(pid: number): { now: number; most: number } {
  const status = readProc(`/proc/${pid}/status`);
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
  return { now: bytes("VmRSS"), most: bytes("VmHWM") };
}

/** A file of a process; empty when the process has ended. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}
