/**
 * One direction of a modelled link. Every connection is a flow with a queue; the link grants bytes to the flows within
 * its rates, and what was granted arrives half a round trip later. What is not modelled: slow start, loss.
 */
import type { Socket } from "node:net";
import { type Bucket, createBucket, fairShares } from "./fair-share.ts";
import type { LinkModel } from "./profiles.ts";

/** One connection in one direction. */
export interface Flow {
  /** Takes bytes from the sender. Returns false when the sender has to pause until `onRoom`. */
  send(bytes: Buffer): boolean;
  /** The sender has no more: the receiver is told after the last byte. */
  end(): void;
  /** Drops what is queued and under way. */
  close(): void;
}

export interface FlowOptions {
  readonly receiver: Socket;
  /** Milliseconds from now during which nothing goes onto the link: the handshake. */
  readonly notBeforeMs: number;
  /** Told of bytes as they go onto the link. */
  readonly onSent: (bytes: Buffer) => void;
  /** The sender may go on. */
  readonly onRoom: () => void;
}

export interface Lane {
  open(options: FlowOptions): Flow;
}

interface Parcel {
  readonly bytes: Buffer;
  readonly arrivesAt: number;
}

interface FlowState extends FlowOptions {
  readonly bucket: Bucket;
  readonly opensAt: number;
  readonly queue: Buffer[];
  readonly underWay: Parcel[];
  queued: number;
  held: number;
  ending: boolean;
  /** The receiver's own buffer is full. */
  blocked: boolean;
  paused: boolean;
  waiting: boolean;
}

/** Bytes that a flow keeps ready beside those under way: several ticks' worth, or the queue runs dry between them. */
const readyBytes = 256 * 1024;

/** Time between grants while something waits, in milliseconds: well below every round-trip time. */
const tickMs = 2;

/** Makes one direction of a link. `now` is in milliseconds. */
export function createLane(model: LinkModel, now: () => number = () => performance.now()): Lane {
  const flows = new Set<FlowState>();
  const total = createBucket(model.totalRate, now());
  const oneWayMs = model.roundTripMs / 2;
  const rate = model.connectionRate ?? model.totalRate ?? 0;
  const heldLimit = readyBytes + (rate * oneWayMs) / 1000;
  let waiting = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let grantedAt = Number.NEGATIVE_INFINITY;

  const grant = (time: number) => {
    grantedAt = time;
    const open = [...flows].filter((flow) => flow.queued > 0 && flow.opensAt <= time);
    const demands = open.map((flow) => Math.min(flow.queued, flow.bucket.available(time, flow.waiting)));
    const grants = fairShares(Math.min(total.available(time, waiting), sum(demands)), demands);
    open.forEach((flow, index) => {
      const bytes = grants[index] ?? 0;
      total.take(bytes);
      flow.bucket.take(bytes);
      depart(flow, bytes, time + oneWayMs);
      flow.waiting = flow.queued > 0;
    });
    waiting = open.some((flow) => flow.waiting);
  };

  const run = () => {
    timerAt = Number.POSITIVE_INFINITY;
    const time = now();
    grant(time);
    for (const flow of flows) {
      arrive(flow, time);
      if (flow.ending && flow.held === 0) {
        flows.delete(flow);
        flow.receiver.end();
      } else if (flow.paused && flow.held < heldLimit) {
        flow.paused = false;
        flow.onRoom();
      }
    }
    schedule();
  };

  /** Sets the timer for the next event, unless it goes off before that anyway. */
  const schedule = () => {
    const next = Math.min(...[...flows].map(nextEvent));
    if (next >= timerAt) return;
    clearTimeout(timer);
    timerAt = next;
    timer = setTimeout(run, Math.max(1, next - now()));
  };

  /** When something is to be done for a flow; a receiver that is blocked says so itself. */
  const nextEvent = (flow: FlowState): number => {
    const never = Number.POSITIVE_INFINITY;
    const departure = flow.queued > 0 ? Math.max(flow.opensAt, grantedAt + tickMs) : never;
    const arrival = flow.blocked ? undefined : flow.underWay[0]?.arrivesAt;
    return Math.min(departure, arrival ?? (flow.ending && flow.held === 0 ? 0 : never));
  };

  return {
    open(options) {
      const time = now();
      const flow: FlowState = {
        ...options,
        bucket: createBucket(model.connectionRate, time),
        opensAt: time + options.notBeforeMs,
        queue: [],
        underWay: [],
        queued: 0,
        held: 0,
        ending: false,
        blocked: false,
        paused: false,
        waiting: false,
      };
      flows.add(flow);
      options.receiver.on("drain", () => {
        flow.blocked = false;
        schedule();
      });
      return {
        send(bytes) {
          flow.queue.push(bytes);
          flow.queued += bytes.length;
          flow.held += bytes.length;
          flow.paused = flow.held >= heldLimit;
          if (!waiting) grant(now());
          schedule();
          return !flow.paused;
        },
        end() {
          flow.ending = true;
          schedule();
        },
        close() {
          flows.delete(flow);
        },
      };
    },
  };
}

/** Moves granted bytes from a flow's queue onto the way. */
function depart(flow: FlowState, granted: number, arrivesAt: number): void {
  let left = granted;
  while (left > 0) {
    const head = flow.queue[0];
    if (head === undefined) return;
    const bytes = head.length <= left ? head : head.subarray(0, left);
    if (bytes === head) flow.queue.shift();
    else flow.queue[0] = head.subarray(left);
    left -= bytes.length;
    flow.queued -= bytes.length;
    flow.underWay.push({ bytes, arrivesAt });
    flow.onSent(bytes);
  }
}

/** Hands over what has arrived, as far as the receiver takes it. */
function arrive(flow: FlowState, time: number): void {
  while (!flow.blocked) {
    const parcel = flow.underWay[0];
    if (parcel === undefined || parcel.arrivesAt > time) return;
    flow.underWay.shift();
    flow.held -= parcel.bytes.length;
    flow.blocked = !flow.receiver.write(parcel.bytes);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
