import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkCongestionControl } from "../../src/check/runner.ts";
import {
  type CongestionControl,
  putBack,
  putBackLeft,
  type Runner,
  useBbr,
} from "../../src/tuning/congestion-control.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type FakeMachine, type FakeRunner, fakeMachine } from "./fake-machine.ts";

const hosted: Runner = { githubHosted: true, platform: "linux", hasPostStep: true };
const selfHosted: Runner = { ...hosted, githubHosted: false };

const load = "sudo -n modprobe tcp_bbr";
const setBoth = "sudo -n sysctl -q -w net.ipv4.tcp_congestion_control=bbr net.core.default_qdisc=fq";
const setOne = "sudo -n sysctl -q -w net.ipv4.tcp_congestion_control=bbr";
const undo = "sudo -n sysctl -q -w net.ipv4.tcp_congestion_control=cubic net.core.default_qdisc=fq_codel";

const untouched = { congestionControl: "cubic", queue: "fq_codel" };
const tuned = { congestionControl: "bbr", queue: "fq" };

const proc = {
  current: "/proc/sys/net/ipv4/tcp_congestion_control",
  available: "/proc/sys/net/ipv4/tcp_available_congestion_control",
  queue: "/proc/sys/net/core/default_qdisc",
};

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "tuning-")), "state");
});
afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

/** What a step on a machine has. */
function step(machine: FakeMachine) {
  const log = recordingLog();
  return { log, tuner: { machine, markFolder: folder, log }, lines: () => [...log.infos, ...log.warnings] };
}

/** The main step, up to its first copy. */
async function main(machine: FakeMachine, choice: CongestionControl = "bbr", runner = selfHosted) {
  const saved: string[] = [];
  const { log, tuner, lines } = step(machine);
  const changed = await useBbr(choice, runner, tuner, (mark) => {
    // What a kill right now leaves behind has to be enough to undo what comes next.
    expect(machine.settings()).not.toEqual(tuned);
    saved.push(mark);
  });
  return { changed, saved, log, lines: lines() };
}

/** The post step of a job. */
async function post(machine: FakeMachine, saved: readonly string[]) {
  const { log, tuner, lines } = step(machine);
  for (const mark of saved) await putBack(mark, tuner);
  return { log, lines: lines() };
}

/** The start of the next run. */
async function next(machine: FakeMachine, pid: number) {
  machine.become(pid);
  const { tuner, lines } = step(machine);
  await putBackLeft(tuner);
  return { lines: lines() };
}

const marks = () => readdir(folder).catch(() => []);

describe("where nothing is touched, and nothing is said", () => {
  test.each<[string, CongestionControl, Runner]>([
    ["leave, on a runner of GitHub's", "leave", hosted],
    ["leave, elsewhere", "leave", selfHosted],
    ["auto, on a runner that is somebody's", "auto", selfHosted],
    ["auto, on Windows", "auto", { ...hosted, platform: "win32" }],
    ["auto, on macOS", "auto", { ...hosted, platform: "darwin" }],
  ])("%s", async (_situation, choice, runner) => {
    const machine = fakeMachine();
    expect(await main(machine, choice, runner)).toMatchObject({ changed: false, saved: [], lines: [] });
    expect(machine.commands).toEqual([]);
    expect(machine.settings()).toEqual(untouched);
    expect(await marks()).toEqual([]);
  });
});

describe("where BBR is set", () => {
  const both = "net.ipv4.tcp_congestion_control was cubic, net.core.default_qdisc was fq_codel";

  test.each<[string, CongestionControl, Runner, FakeRunner, readonly string[], string]>([
    ["auto, on a runner of GitHub's", "auto", hosted, {}, [load, setBoth], both],
    ["bbr, there", "bbr", hosted, {}, [load, setBoth], both],
    ["bbr, elsewhere", "bbr", selfHosted, {}, [load, setBoth], both],
    [
      "the module is loaded",
      "auto",
      hosted,
      { files: { [proc.available]: "reno cubic bbr" } },
      [setBoth],
      both,
    ],
    [
      "fq is there already",
      "auto",
      hosted,
      { files: { [proc.queue]: "fq" } },
      [load, setOne],
      "net.ipv4.tcp_congestion_control was cubic",
    ],
    [
      "a network namespace, which has no queue of its own",
      "auto",
      hosted,
      { files: { [proc.queue]: undefined } },
      [load, setOne],
      "net.ipv4.tcp_congestion_control was cubic",
    ],
    [
      "the kernel has no fq",
      "auto",
      hosted,
      { refused: ["net.core.default_qdisc"] },
      [load, setBoth],
      'Not all of it was taken: sudo -n sysctl -q -w net.ipv4.tcp_congestion_control=bbr net.core.default_qdisc=fq failed: sysctl: setting key "net.core.default_qdisc"',
    ],
  ])(
    "%s: in one line, and put back in the post step",
    async (_situation, choice, runner, system, commands, said) => {
      const machine = fakeMachine(system);
      const before = machine.settings();
      const { changed, saved, lines } = await main(machine, choice, runner);
      expect(changed).toBe(true);
      expect(machine.settings().congestionControl).toBe("bbr");
      expect(machine.commands).toEqual(commands);
      expect(lines).toEqual([expect.stringContaining(said)]);
      expect(saved).toHaveLength(1);
      expect(await marks()).toHaveLength(1);

      machine.end(11);
      machine.become(12);
      const { lines: told } = await post(machine, saved);
      expect(machine.settings()).toEqual(before);
      expect(told).toEqual([expect.stringContaining("Put back: net.ipv4.tcp_congestion_control is cubic")]);
      expect(await marks()).toEqual([]);
    },
  );
});

describe("what cannot be done is one line with the reason", () => {
  const noPassword = "sudo: a password is required";

  test.each<[string, CongestionControl, Runner, FakeRunner, string]>([
    ["no sudo", "auto", hosted, { sudoRefuses: "spawn sudo ENOENT" }, "spawn sudo ENOENT"],
    ["sudo wants a password", "auto", hosted, { sudoRefuses: noPassword }, noPassword],
    [
      "sudo wants a password, and the module is loaded",
      "bbr",
      selfHosted,
      { sudoRefuses: noPassword, files: { [proc.available]: "reno cubic bbr" } },
      noPassword,
    ],
    ["the kernel has no BBR", "bbr", selfHosted, { hasModule: false }, "Module tcp_bbr not found"],
    ["/proc does not tell", "auto", hosted, { files: { [proc.current]: undefined } }, "does not tell"],
    [
      "a name that no congestion control has",
      "bbr",
      selfHosted,
      { files: { [proc.current]: "cubic; reboot" } },
      "could not be noted",
    ],
    [
      "no process tells who it is",
      "bbr",
      selfHosted,
      { files: { "/proc/self/stat": "" } },
      "could not be noted",
    ],
    [
      "the kernel refuses",
      "bbr",
      selfHosted,
      { refused: ["net.ipv4.tcp_congestion_control"] },
      'setting key "net.ipv4.tcp_congestion_control"',
    ],
    ["a container of Docker", "auto", hosted, { files: { "/.dockerenv": "" } }, "in a container"],
    ["a container of Podman", "bbr", hosted, { files: { "/run/.containerenv": "" } }, "in a container"],
    [
      "a pod of Kubernetes",
      "bbr",
      selfHosted,
      { files: { "/var/run/secrets/kubernetes.io/serviceaccount/namespace": "ci" } },
      "in a container",
    ],
    ["macOS", "bbr", { ...selfHosted, platform: "darwin" }, {}, "on Linux only"],
    ["Windows", "bbr", { ...hosted, platform: "win32" }, {}, "on Linux only"],
    ["no runner", "bbr", { ...selfHosted, hasPostStep: false }, {}, "no post step"],
  ])("%s", async (_situation, choice, runner, system, reason) => {
    const machine = fakeMachine(system);
    if (system.files?.["/proc/self/stat"] === "") machine.files.delete("/proc/self/stat");
    const before = machine.settings();
    const { changed, log, saved } = await main(machine, choice, runner);
    expect(changed).toBe(false);
    expect(machine.settings()).toEqual(before);
    expect(await marks()).toEqual([]);
    const said = [expect.stringMatching(new RegExp(`^Uploads go on with .*not with BBR: .*${reason}`))];
    // Who asked for it is told so.
    expect(log.warnings).toEqual(choice === "bbr" ? said : []);
    if (choice === "auto") expect(log.infos).toEqual(said);
    expect((await post(machine, saved)).lines).toEqual([]);
    expect(machine.settings()).toEqual(before);
  });

  test("no place for the mark: nothing is changed that could not be put back", async () => {
    await writeFile(folder, "a file where the folder would be");
    const machine = fakeMachine();
    const { log, saved } = await main(machine);
    expect(log.warnings).toEqual([expect.stringContaining(`could not be noted in ${folder}`)]);
    expect(machine.settings()).toEqual(untouched);
    expect(saved).toEqual([]);
  });

  test.each([
    ["", {}],
    [", in a container", { "/.dockerenv": "" }],
  ])("the system has BBR already%s: nothing is set, nothing put back", async (_where, more) => {
    const machine = fakeMachine({ files: { [proc.current]: "bbr", [proc.available]: "reno bbr", ...more } });
    const { changed, saved, lines } = await main(machine, "auto", hosted);
    expect({ changed, saved }).toEqual({ changed: false, saved: [] });
    expect(lines).toEqual(["Uploads use BBR: this system does so already."]);
    expect(machine.commands).toEqual([]);
  });
});

describe("what was there is put back", () => {
  test("by the next run, after a kill of the job and its post step", async () => {
    const machine = fakeMachine();
    await main(machine);
    machine.end(11);
    const { lines } = await next(machine, 12);
    expect(machine.commands.at(-1)).toBe(undo);
    expect(machine.settings()).toEqual(untouched);
    expect(lines).toEqual([expect.stringContaining("Put back")]);
    expect(await marks()).toEqual([]);
  });

  test("also where another process has the id of the one that was killed", async () => {
    const machine = fakeMachine();
    await main(machine);
    machine.files.set(
      "/proc/11/stat",
      (machine.files.get("/proc/11/stat") ?? "").replace(" 1100 ", " 7777 "),
    );
    await next(machine, 12);
    expect(machine.settings()).toEqual(untouched);
  });

  test("not by a run beside one that is at work", async () => {
    const machine = fakeMachine();
    const { saved } = await main(machine);
    expect((await next(machine, 12)).lines).toEqual([]);
    expect(machine.settings()).toEqual(tuned);
    machine.end(11);
    await post(machine, saved);
    expect(machine.settings()).toEqual(untouched);
  });

  test("by the last of several runs that are at work at once", async () => {
    const machine = fakeMachine();
    const one = await main(machine);
    await next(machine, 12);
    const other = { saved: [] as string[], ...step(machine) };
    const changed = await useBbr("bbr", selfHosted, other.tuner, (mark) => other.saved.push(mark));
    // Its connections have BBR already.
    expect(changed).toBe(false);
    expect(await marks()).toHaveLength(2);
    machine.end(11);
    machine.become(13);
    expect((await post(machine, one.saved)).lines).toEqual([expect.stringContaining("for another run")]);
    expect(machine.settings()).toEqual(tuned);
    machine.end(12);
    await post(machine, other.saved);
    expect(machine.settings()).toEqual(untouched);
    expect(await marks()).toEqual([]);
  });

  test("once: after a start of the system nothing is left to put back", async () => {
    const machine = fakeMachine();
    const { saved } = await main(machine);
    machine.reboot();
    machine.files.set(proc.current, "bbr");
    const commands = machine.commands.length;
    await next(machine, 12);
    expect(machine.commands).toHaveLength(commands);
    expect(await marks()).toEqual([]);
    expect(saved).toHaveLength(1);
  });

  test("only what is still as it was set: the rest is somebody else's by now", async () => {
    const machine = fakeMachine();
    const { saved } = await main(machine);
    machine.files.set(proc.current, "reno");
    await post(machine, saved);
    expect(machine.settings()).toEqual({ congestionControl: "reno", queue: "fq_codel" });
  });

  test("also where the folder with the mark is gone", async () => {
    const machine = fakeMachine();
    const { saved } = await main(machine);
    await rm(folder, { recursive: true });
    await post(machine, saved);
    expect(machine.settings()).toEqual(untouched);
  });

  test("or a warning says that it could not be, and the next run tries again", async () => {
    const system = { sudoRefuses: undefined as string | undefined };
    const machine = fakeMachine(system as FakeRunner);
    const { saved } = await main(machine);
    system.sudoRefuses = "sudo: a password is required";
    const { log } = await post(machine, saved);
    expect(log.warnings).toEqual([
      expect.stringMatching(/could not be put back: .*a password is required.*next run/),
    ]);
    expect(await marks()).toHaveLength(1);
    system.sudoRefuses = undefined;
    machine.end(11);
    await next(machine, 12);
    expect(machine.settings()).toEqual(untouched);
    expect(await marks()).toEqual([]);
  });
});

describe("a mark that is not ours", () => {
  test.each([
    ["not JSON", () => "{"],
    ["a parameter of another program", (text: string) => text.replace('"cubic"', '"cubic kernel.panic=1"')],
    ["another setting", (text: string) => text.replace("net.core.default_qdisc", "kernel.core_pattern")],
    ["no process", (text: string) => text.replace('"pid":11', '"pid":"../../1"')],
  ])("%s: runs nothing but what it may", async (_what, change) => {
    const machine = fakeMachine();
    const { saved } = await main(machine);
    const [file = ""] = await marks();
    const forged = change(await readFile(join(folder, file), "utf8"));
    await writeFile(join(folder, file), forged);
    machine.end(11);
    await next(machine, 12);
    await post(machine, [forged]);
    expect(saved).toHaveLength(1);
    expect(machine.commands.filter((command) => /panic|core_pattern|\.\./.test(command))).toEqual([]);
    expect(await marks()).toEqual([]);
  });

  test("files of others in the folder stay", async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "congestion-control-notes.json"), "mine");
    await chmod(folder, 0o755);
    await next(fakeMachine(), 12);
    expect(await marks()).toEqual(["congestion-control-notes.json"]);
  });
});

describe("the row of a check", () => {
  test.each<[string, CongestionControl, Runner, FakeRunner, string, string]>([
    ["leave", "leave", hosted, {}, "ok", "Uploads use cubic, which `congestion-control: leave` leaves here."],
    ["auto elsewhere", "auto", selfHosted, {}, "ok", "Uploads use cubic, which `congestion-control: auto`"],
    ["auto on GitHub's", "auto", hosted, {}, "ok", "Uploads will use BBR; now it is cubic."],
    [
      "BBR already",
      "bbr",
      selfHosted,
      { files: { [proc.current]: "bbr" } },
      "ok",
      "will use BBR; now it is bbr",
    ],
    ["no sudo", "auto", hosted, { sudoRefuses: "no sudo here" }, "missing", "no sudo here"],
    ["no module", "bbr", selfHosted, { hasModule: false }, "missing", "Module tcp_bbr not found"],
    ["a container", "auto", hosted, { files: { "/.dockerenv": "" } }, "missing", "in a container"],
    [
      "Windows",
      "auto",
      { ...hosted, platform: "win32" },
      { files: { [proc.current]: undefined } },
      "ok",
      "their default",
    ],
  ])("%s", async (_situation, choice, runner, system, outcome, finding) => {
    const machine = fakeMachine(system);
    const before = [...machine.files];
    expect(await checkCongestionControl(choice, runner, machine)).toMatchObject({
      outcome,
      finding: expect.stringContaining(finding),
    });
    expect([...machine.files]).toEqual(before);
    expect(machine.commands.filter((command) => / -w |modprobe tcp_bbr/.test(command))).toEqual([]);
    expect(await marks()).toEqual([]);
  });
});
