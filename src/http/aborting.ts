/** Somebody who waits for a signal, and the place among the others. */
interface Waiter {
  readonly tell: () => void;
  place: number;
}

const waiting = new WeakMap<AbortSignal, Waiter[]>();

/**
 * Calls a function when a signal aborts, once. All who wait for the signal of a run share one listener: a listener that was
 * taken away still knows the one that came after it, as an old table of a `Set` does, and so a chain of thousands that are over,
 * each with its request, outlives every collection of young objects (Node 24).
 * @returns takes the function back.
 */
export function whenAborted(signal: AbortSignal | undefined, tell: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const known = waiting.get(signal);
  const waiters = known ?? [];
  if (known === undefined) {
    waiting.set(signal, waiters);
    signal.addEventListener("abort", () => tellAll(waiters), { once: true });
  }
  const waiter: Waiter = { tell, place: waiters.length };
  waiters.push(waiter);
  return () => leave(waiters, waiter);
}

function leave(waiters: Waiter[], waiter: Waiter): void {
  if (waiters[waiter.place] !== waiter) return;
  const last = waiters.pop();
  if (last === undefined || last === waiter) return;
  waiters[waiter.place] = last;
  last.place = waiter.place;
}

function tellAll(waiters: Waiter[]): void {
  // Whoever is told may take others back.
  for (let waiter = waiters.pop(); waiter !== undefined; waiter = waiters.pop()) waiter.tell();
}
