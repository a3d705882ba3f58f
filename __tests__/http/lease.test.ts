import { describe, expect, it } from "vitest";
import { type Lease, leased } from "../../src/http/lease.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** A lease that counts how often it was obtained, each time for a minute. */
function counted() {
  const clock = fakeClock();
  let count = 0;
  const lease = leased(clock, async () => {
    count++;
    return { value: `value ${count}`, until: clock.now() + 60_000 };
  });
  return { clock, lease };
}

describe("leased", () => {
  it("obtains a value once until it runs out", async () => {
    const { clock, lease } = counted();
    expect(await lease.get()).toBe("value 1");
    clock.advance(59_999);
    expect(await lease.get()).toBe("value 1");
    clock.advance(1);
    expect(await lease.get()).toBe("value 2");
  });

  it("obtains one value for all who ask at the same moment", async () => {
    const { lease } = counted();
    expect(await Promise.all([lease.get(), lease.get(), lease.get()])).toEqual(Array(3).fill("value 1"));
  });

  it("hands out a value that has already run out once, instead of asking for ever", async () => {
    const clock = fakeClock();
    const lease = leased(clock, async () => ({ value: "short", until: clock.now() - 1 }));
    expect(await lease.get()).toBe("short");
  });

  it("obtains another after a drop, but only if the dropped one is still the current one", async () => {
    const { lease } = counted();
    const first = await lease.get();
    lease.drop(first);
    expect(await lease.get()).toBe("value 2");
    lease.drop(first);
    expect(await lease.get()).toBe("value 2");
  });

  it("tries again after a failure", async () => {
    let fail = true;
    const lease = leased(fakeClock(), async () => {
      if (fail) throw new Error("refused");
      return { value: "fine", until: Number.POSITIVE_INFINITY };
    });
    await expect(lease.get()).rejects.toThrow("refused");
    fail = false;
    expect(await lease.get()).toBe("fine");
  });

  it("does not let one caller's abort fail those who joined", async () => {
    const first = new AbortController();
    const second = new AbortController();
    const seen: (AbortSignal | undefined)[] = [];
    const lease = leased(fakeClock(), (signal) => {
      seen.push(signal);
      if (signal === second.signal)
        return Promise.resolve({ value: "fine", until: Number.POSITIVE_INFINITY });
      return new Promise<Lease<string>>((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const starter = lease.get(first.signal);
    const joined = lease.get(second.signal);
    first.abort(new Error("cancelled"));
    await expect(starter).rejects.toThrow("cancelled");
    expect(await joined).toBe("fine");
    expect(seen).toEqual([first.signal, second.signal]);
  });
});
