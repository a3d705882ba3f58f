/**
 * One direction of a modelled link. Every connection is a flow with a queue; the link grants bytes to the flows within
 * its rates, and what was granted arrives half a round trip later. What is not modelled: slow start, loss.
 */
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

/** What bytes are handed to: a socket. */
export interface Receiver {
  /** Returns false when nothing more should come until `drain`. */
  write(bytes: Buffer): boolean;
  end(): unknown;
  on(event: "drain", listener: () => void): unknown;
}

export interface FlowOptions {
  readonly receiver: Receiver;
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

/** Makes one direction of a link. */
export function createLane(model: LinkModel): Lane {
  return new SharedLane(model);
}

class SharedLane implements Lane {
  readonly #model: LinkModel;
  readonly #flows = new Set<FlowState>();
  readonly #total: Bucket;
  readonly #oneWayMs: number;
  /** Bytes that a flow may hold, queued and under way, before its sender pauses. */
  readonly #heldLimit: number;
  /** Whether something was left in a queue at the last grant. */
  #waiting = false;
  #grantedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(model: LinkModel) {
    this.#model = model;
    this.#total = createBucket(model.totalRate, performance.now());
    this.#oneWayMs = model.roundTripMs / 2;
    const rate = model.connectionRate ?? model.totalRate ?? 0;
    this.#heldLimit = readyBytes + (rate * this.#oneWayMs) / 1000;
  }

  open(options: FlowOptions): Flow {
    const flow = newFlow(options, this.#model.connectionRate, performance.now());
    this.#flows.add(flow);
    options.receiver.on("drain", () => {
      flow.blocked = false;
      this.#schedule();
    });
    return {
      send: (bytes) => this.#send(flow, bytes),
      end: () => {
        flow.ending = true;
        this.#schedule();
      },
      close: () => {
        this.#flows.delete(flow);
      },
    };
  }

  #send(flow: FlowState, bytes: Buffer): boolean {
    flow.queue.push(bytes);
    flow.queued += bytes.length;
    flow.held += bytes.length;
    flow.paused = flow.held >= this.#heldLimit;
    // On an idle link bytes leave at once; on a busy one at the next tick, with those of the others.
    if (!this.#waiting) this.#grant(performance.now());
    this.#schedule();
    return !flow.paused;
  }

  /** Lets flows put onto the link what its rates and theirs allow now. */
  #grant(now: number): void {
    this.#grantedAt = now;
    const open = [...this.#flows].filter((flow) => flow.queued > 0 && flow.opensAt <= now);
    const demands = open.map((flow) => Math.min(flow.queued, flow.bucket.available(now, flow.waiting)));
    const grants = fairShares(Math.min(this.#total.available(now, this.#waiting), sum(demands)), demands);
    open.forEach((flow, index) => {
      const bytes = grants[index] ?? 0;
      this.#total.take(bytes);
      flow.bucket.take(bytes);
      depart(flow, bytes, now + this.#oneWayMs);
      flow.waiting = flow.queued > 0;
    });
    this.#waiting = open.some((flow) => flow.waiting);
  }

  #run(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    this.#grant(now);
    for (const flow of this.#flows) {
      arrive(flow, now);
      if (flow.ending && flow.held === 0) {
        this.#flows.delete(flow);
        flow.receiver.end();
      } else if (flow.paused && flow.held < this.#heldLimit) {
        flow.paused = false;
        flow.onRoom();
      }
    }
    this.#schedule();
  }

  /** Sets the timer for the next event, unless it goes off before that anyway. */
  #schedule(): void {
    const next = Math.min(...[...this.#flows].map((flow) => this.#nextEvent(flow)));
    if (next >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(() => this.#run(), Math.max(1, next - performance.now()));
  }

  /** When something is to be done for a flow; a receiver that is blocked says so itself. */
  #nextEvent(flow: FlowState): number {
    const never = Number.POSITIVE_INFINITY;
    const departure = flow.queued > 0 ? Math.max(flow.opensAt, this.#grantedAt + tickMs) : never;
    const arrival = flow.blocked ? undefined : flow.underWay[0]?.arrivesAt;
    return Math.min(departure, arrival ?? (flow.ending && flow.held === 0 ? 0 : never));
  }
}

function newFlow(options: FlowOptions, rate: number | undefined, now: number): FlowState {
  return {
    ...options,
    bucket: createBucket(rate, now),
    opensAt: now + options.notBeforeMs,
    queue: [],
    underWay: [],
    queued: 0,
    held: 0,
    ending: false,
    blocked: false,
    paused: false,
    waiting: false,
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
