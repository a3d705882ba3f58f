import type { Ended, Machine } from "../../src/tuning/machine.ts";

/** How a made-up runner is, where it is not an Ubuntu of GitHub's. */
export interface FakeRunner {
  /** Files by path; undefined: not there. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  /** What `sudo` says in place of running anything. */
  readonly sudoRefuses?: string;
  /** Whether the kernel has a module with BBR. Default: it has. */
  readonly hasModule?: boolean;
  /** Settings that the kernel refuses, by name. */
  readonly refused?: readonly string[];
}

export interface FakeMachine extends Machine {
  /** Every command, as one would type it. */
  readonly commands: readonly string[];
  readonly files: Map<string, string>;
  /** The settings of the kernel. */
  settings(): { readonly congestionControl: string | undefined; readonly queue: string | undefined };
  /** From now on, this is another process: `undefined` for none that is alive. */
  become(pid: number): void;
  /** Another process, which has ended. */
  end(pid: number): void;
  /** As after the start of the system. */
  reboot(): void;
}

const congestionControl = "/proc/sys/net/ipv4/tcp_congestion_control";
const available = "/proc/sys/net/ipv4/tcp_available_congestion_control";
const queue = "/proc/sys/net/core/default_qdisc";
const bootId = "/proc/sys/kernel/random/boot_id";

/** A program's name with a bracket in it, as any may have. */
const statOf = (pid: number, startedAt: number): string =>
  `${pid} (node :) x) S 1 ${pid} 1 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 7 0 ${startedAt} 1000 100`;

/** A runner with the files, the `sudo` and the `sysctl` of an Ubuntu of GitHub's, unless it is said otherwise. */
export function fakeMachine(runner: FakeRunner = {}): FakeMachine {
  const fresh = { [congestionControl]: "cubic", [available]: "reno cubic", [queue]: "fq_codel" };
  const files = new Map<string, string>(Object.entries({ ...fresh, [bootId]: "boot-1" }));
  for (const [path, text] of Object.entries(runner.files ?? {})) {
    if (text === undefined) files.delete(path);
    else files.set(path, text);
  }
  const commands: string[] = [];
  const ended = (succeeded: boolean, words = "it ended with status 0"): Ended => ({ succeeded, words });

  function sysctl(assignments: readonly string[]): Ended {
    const refusals: string[] = [];
    for (const assignment of assignments) {
      const [name = "", value = ""] = assignment.split("=");
      const path = `/proc/sys/${name.replaceAll(".", "/")}`;
      const known = path !== congestionControl || files.get(available)?.split(" ").includes(value);
      if (!known || !files.has(path) || runner.refused?.includes(name))
        refusals.push(`sysctl: setting key "${name}": No such file or directory`);
      else files.set(path, value);
    }
    return refusals.length === 0 ? ended(true) : ended(false, refusals.join(" "));
  }

  function asRoot([program = "", ...parameters]: readonly string[]): Ended {
    if (program === "sysctl" && parameters[0] === "-q") return sysctl(parameters.slice(2));
    if (program === "sysctl") return ended(true, files.get(congestionControl));
    if (runner.hasModule === false)
      return ended(false, "modprobe: FATAL: Module tcp_bbr not found in directory /lib/modules/6.8.0");
    if (parameters[0] !== "-n") files.set(available, "reno cubic bbr");
    return ended(true);
  }

  const machine: FakeMachine = {
    commands,
    files,
    read: (path) => Promise.resolve(files.get(path)),
    run: (program, parameters) => {
      commands.push([program, ...parameters].join(" "));
      if (program !== "sudo" || parameters[0] !== "-n")
        throw new Error(`${program} is not for a run to start`);
      return Promise.resolve(
        runner.sudoRefuses === undefined ? asRoot(parameters.slice(1)) : ended(false, runner.sudoRefuses),
      );
    },
    settings: () => ({ congestionControl: files.get(congestionControl), queue: files.get(queue) }),
    become(pid) {
      files.set("/proc/self/stat", statOf(pid, pid * 100));
      files.set(`/proc/${pid}/stat`, statOf(pid, pid * 100));
    },
    end: (pid) => {
      files.delete(`/proc/${pid}/stat`);
    },
    reboot() {
      for (const path of [...files.keys()].filter((name) => name.endsWith("/stat"))) files.delete(path);
      for (const [path, text] of Object.entries(fresh)) files.set(path, text);
      files.set(bootId, "boot-2");
    },
  };
  machine.become(11);
  return machine;
}
