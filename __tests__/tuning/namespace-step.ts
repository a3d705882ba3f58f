import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { systemClock } from "../../src/clock.ts";
import { silentLog } from "../../src/log/log.ts";
import { putBackLeft, useBbr } from "../../src/tuning/congestion-control.ts";
import { type Machine, thisMachine } from "../../src/tuning/machine.ts";

/** One process of a job, inside a network namespace: `node namespace-step.ts main|killed|next <mark folder> <state file>`. */
const [, , kind, markFolder = "", stateFile = ""] = process.argv;

const print = (line: string): void => console.log(line);
const log = { ...silentLog, info: print, warning: (line: string) => print(`warning: ${line}`) };

const system = thisMachine(process.env.PATH, systemClock);
/** The tests themselves may run in a container; the namespace is theirs all the same. */
const machine: Machine = {
  ...system,
  read: (path) => (path.startsWith("/proc/") ? system.read(path) : Promise.resolve(undefined)),
};
const tuner = { machine, markFolder, log };

if (kind === "next") {
  await putBackLeft(tuner);
} else {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connectAndAsk = async (): Promise<string> => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const { stdout } = spawnSync("ss", ["-tinH", `sport = :${socket.localPort} and dport = :${port}`]);
    return /\b(bbr|cubic|reno)\b/.exec(stdout?.toString() ?? "")?.[0] ?? "unknown";
  };
  const earlier = await connectAndAsk();
  const runner = { githubHosted: false, platform: process.platform, hasPostStep: true };
  await useBbr("bbr", runner, tuner, (mark) => writeFileSync(stateFile, mark));
  print(`connections: ${earlier}, then ${await connectAndAsk()}`);
  process.kill(process.pid, kind === "killed" ? "SIGKILL" : "SIGTERM");
}
