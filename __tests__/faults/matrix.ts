import { describe, expect, test, vi } from "vitest";
import { expected, type Fault, faultsAt, times } from "./faults.ts";
import { expectPlainWords, judge, nothingLeftOpen } from "./judge.ts";
import type { Stage } from "./stages.ts";
import { startWorld } from "./world.ts";

/** Most of a case is waiting for sockets, so some run at a time. */
const casesAtATime = 10;

/** Words for a number of times. */
function countOf(count: number): string {
  return count === 1 ? "once" : count === 3 ? "three times" : "for ever";
}

/** Every fault at every stage, each as often as `times` says, at one party while all others are sound. */
export function faultMatrix(stages: readonly Stage[]): void {
  vi.setConfig({ maxConcurrency: casesAtATime });
  for (const stage of stages) {
    describe.concurrent(stage.name, () => {
      for (const fault of faultsAt(stage)) {
        for (const count of fault.counts ?? times) {
          test(`${fault.name}, ${countOf(count)}`, () => runCase(stage, fault, count));
        }
        if (stage.party === "source") {
          test(`${fault.name}, for ever, while another source is sound`, () =>
            withSecondSource(stage, fault));
        }
      }
    });
  }
}

async function runCase(stage: Stage, fault: Fault, count: number): Promise<void> {
  const { kind = "registry", namespace = true } = stage;
  await using world = await startWorld({ kind, namespace });
  const server = stage.server(world);
  server.fault({ when: stage.when, times: count, effect: fault.effect(world, stage.party) });
  const result = await world.run();
  const outcome = expected(stage, fault, count);
  if (outcome !== undefined)
    expect({ outcome: result.done ? "done" : "fails", lines: tail(result.lines) }).toMatchObject({ outcome });
  await judge(world, result, stage);
  const host = { GitHub: world.github.host, source: world.source.host, destination: undefined }[stage.party];
  const apiHost = stage.kind === undefined ? world.troubled.host : server.host;
  const status = stage.believes === fault.status ? undefined : fault.status;
  if (!result.done) expectPlainWords(world, result, stage, host ?? apiHost, status);
  // A registry that opened an upload and did not say so cannot be told to close it.
  if (result.done && fault.name !== "answer lost") await nothingLeftOpen(world);
}

async function withSecondSource(stage: Stage, fault: Fault): Promise<void> {
  await using world = await startWorld({ secondSource: true });
  const effect = fault.effect(world, stage.party);
  stage.server(world).fault({ when: stage.when, times: Number.POSITIVE_INFINITY, effect });
  const result = await world.run();
  expect({ outcome: result.done ? "done" : "fails", lines: tail(result.lines) }).toMatchObject({
    outcome: "done",
  });
  await judge(world, result, stage);
}

/** The last lines of a log, for who reads why a test failed. */
function tail(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => / failed/.test(line)).slice(-3);
}
