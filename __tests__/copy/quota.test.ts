import { expect, test } from "vitest";
import { warnOfQuota } from "../../src/copy/quota.ts";
import type { Quota } from "../../src/destinations/destination.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";

const needs = [600, 400].map((size) => ({
  descriptor: { mediaType: "layer", digest: digestOf(Buffer.from(String(size))), size },
}));
const never = new AbortController().signal;

/** An API that does not answer. */
function silent(signal: AbortSignal): Promise<Quota> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

test.each<[string, Quota, number]>([
  ["that is too small by a byte", { limit: 2000, used: 1001 }, 1],
  ["that is exactly enough", { limit: 2000, used: 1000 }, 0],
  ["that is exceeded", { limit: 2000, used: 9000 }, 1],
])("a quota %s", async (_case, quota, warnings) => {
  const log = recordingLog();
  await warnOfQuota(
    { name: "h/goharbor", quota: () => Promise.resolve(quota) },
    needs,
    { clock: fakeClock(), log },
    never,
  );
  expect(log.warnings).toHaveLength(warnings);
  if (quota.used > quota.limit) expect(log.warnings[0]).toContain("and 0 B of 2.0 kB are free");
});

test("an API that does not answer holds the copy up for ten seconds at the most", async () => {
  const [clock, log] = [fakeClock(), recordingLog()];
  let over = false;
  const warning = warnOfQuota({ name: "h/goharbor", quota: silent }, needs, { clock, log }, never).then(
    () => {
      over = true;
    },
  );
  clock.advance(9_999);
  await Promise.resolve();
  expect(over).toBe(false);
  clock.advance(1);
  await warning;
  expect(log.warnings).toEqual([]);
});

test("the end of the run is not taken for an answer", async () => {
  const ending = new AbortController();
  const options = { clock: fakeClock(), log: recordingLog() };
  const warning = warnOfQuota({ name: "h/goharbor", quota: silent }, needs, options, ending.signal);
  ending.abort(new Error("cancelled"));
  await expect(warning).rejects.toThrow("cancelled");
});
