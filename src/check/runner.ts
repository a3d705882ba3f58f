import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Finding } from "../destinations/destination.ts";
import { discard, type Transport } from "../http/http.ts";
import { makeSpoolFolder, onDisk } from "../spool/spool-folder.ts";
import {
  aimOf,
  type CongestionControl,
  congestionControlNow,
  type Runner,
  whyNotBbr,
} from "../tuning/congestion-control.ts";
import type { Machine } from "../tuning/machine.ts";
import { formatBytes } from "../wording.ts";

/** Room on the disk, in bytes. */
export type FreeSpace = (folder: string) => Promise<number>;

const freeSpaceOf: FreeSpace = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/**
 * Whether the spool folder can be used: makes it, writes a file into it, and removes both.
 * @param spoolLimit in bytes.
 * @throws OperationError when the folder cannot be written to.
 */
export async function checkSpool(
  temporaryFolder: string,
  spoolLimit: number,
  freeSpace: FreeSpace = freeSpaceOf,
): Promise<Finding> {
  const folder = await makeSpoolFolder(temporaryFolder);
  try {
    const free = await onDisk(folder, "trying the folder for blobs on their way", async () => {
      await writeFile(join(folder, "check"), "x");
      return freeSpace(folder);
    });
    return spoolFinding(free, spoolLimit);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function spoolFinding(free: number, limit: number): Finding {
  const room = `${formatBytes(free)} are free, and \`spool-limit\` is ${formatBytes(limit)}.`;
  if (free >= limit) return { outcome: "ok", finding: `It can be written to; ${room}` };
  const remedy = "Lower `spool-limit`, make room in an earlier step, or take a runner with a larger disk.";
  return { outcome: "missing", finding: `It can be written to, but only ${room}`, remedy };
}

/** Greatest difference of clocks, in milliseconds, with which Tencent Cloud takes a signed request (`AuthFailure.SignatureExpire`). */
const clockTolerance = 5 * 60_000;

/**
 * Whether the runner's clock is right, by the `Date` of an answer of any status. Sends no login.
 * @param url of a server whose clock is right.
 */
export async function checkClock(
  network: Transport,
  url: URL,
  clock: Pick<Clock, "now">,
  signal: AbortSignal,
): Promise<Finding> {
  const response = await network.send({ method: "GET", url, signal });
  await discard(response);
  const there = Date.parse(response.header("date") ?? "");
  // An answer from a cache has the date at which it was made.
  if (Number.isNaN(there) || response.header("age") !== undefined)
    return { outcome: "unknown", finding: `${url.host} does not say what time it is.` };
  const difference = Math.abs(clock.now() - there);
  const finding = `It and the clock of ${url.host} are ${Math.round(difference / 1000)} s apart.`;
  if (difference <= clockTolerance) return { outcome: "ok", finding };
  const remedy =
    "Have the runner's clock set by NTP: Tencent Cloud refuses what is signed more than 5 minutes off, and tokens seem to " +
    "have run out, or to last too long.";
  return { outcome: "missing", finding, remedy };
}

/**
 * What a run would do about the congestion control of the system. Changes nothing: what needs `sudo` is tried by reading.
 * @param choice of the input.
 */
export async function checkCongestionControl(
  choice: CongestionControl,
  runner: Runner,
  machine: Machine,
): Promise<Finding> {
  const now = (await congestionControlNow(machine)) ?? "their default";
  const aim = await aimOf(choice, runner, machine);
  if (aim.kind === "leave")
    return {
      outcome: "ok",
      finding: `Uploads use ${now}, which \`congestion-control: ${choice}\` leaves here.`,
    };
  const reason = aim.kind === "impossible" && now !== "bbr" ? aim.reason : await whyNotBbr(machine);
  if (reason === undefined) return { outcome: "ok", finding: `Uploads will use BBR; now it is ${now}.` };
  const remedy =
    "Uploads work without it, and take longer over a far link. `congestion-control: leave` tries no more.";
  return { outcome: "missing", finding: `Uploads will use ${now}, not BBR: ${reason}`, remedy };
}
