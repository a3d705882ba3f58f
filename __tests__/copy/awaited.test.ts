import { describe, expect, it } from "vitest";
import { type AwaitContext, awaitImages } from "../../src/copy/awaited.ts";
import type { CopyOutcome } from "../../src/copy/outcome.ts";
import { OperationError, sentenceOf } from "../../src/errors.ts";
import type { AwaitStep, Step } from "../../src/plan/plan.ts";
import { copyStep, digest, dockerHub, skipStep, tcr } from "../report/result-builder.ts";
import { obstacle } from "../support/failures.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";

const images = ["core", "db"];
const version = "v2.15.2";
const minutes = 60_000;

/** At Docker Hub the version is published; TCR is filled from there. */
const copies = images.map((image) => copyStep({ destination: dockerHub, image, version }));
const awaited = images.map(
  (image): AwaitStep => ({
    kind: "await",
    destination: tcr,
    image,
    version,
    tag: version,
    digest: digest(`${image}:${version}`),
    reason: "it is not there yet",
  }),
);

function copied(step: CopyOutcome["step"], change: Partial<CopyOutcome> = {}): CopyOutcome {
  const bytes = { uploaded: 1, mounted: 0, present: 0 };
  return { step, failure: undefined, bytes, milliseconds: 1, moved: undefined, ...change };
}

const published = copies.map((step) => copied(step));

interface Place {
  /** What a tag leads to, by `image:tag`, as time goes on. */
  readonly holds: (key: string, clock: FakeClock) => string | undefined;
  readonly wait?: number;
  readonly waitOf?: AwaitContext["waitOf"];
  readonly steps?: readonly Step[];
  readonly copies?: readonly CopyOutcome[];
  readonly signal?: AbortSignal;
}

async function waitAt({ holds, wait = 60 * minutes, signal, ...given }: Place) {
  const clock = fakeClock();
  const log = recordingLog();
  const asked: string[] = [];
  const destination = (name: string, filledBySync?: true): AwaitContext["destinations"][number] => ({
    name,
    registry: name.split("/")[0] ?? "",
    path: "goharbor",
    filledBySync,
    repository: (repository) =>
      ({
        name: repository,
        registry: {
          readingScope: (path: string) => ({ repository: path, actions: ["pull"] }),
          failure: (
            { operation, subject }: { operation: string; subject: string },
            details: { problem: string; advice: string },
          ) =>
            new OperationError({
              side: "destination",
              host: name,
              repository,
              operation,
              subject,
              ...details,
            }),
        },
        resolve: (tag: string) => {
          signal?.throwIfAborted();
          const key = `${repository.replace("goharbor/", "")}:${tag}`;
          asked.push(`${name} ${key}`);
          const found = holds(key, clock);
          if (found === "trouble") return Promise.reject(new Error("no route"));
          return Promise.resolve(found === undefined ? undefined : { digest: digest(found), mediaType: "" });
        },
      }) as never,
  });
  const { steps = [...copies, ...awaited] } = given;
  const started = clock.now();
  const outcomes = await awaitImages(steps, {
    destinations: [destination(dockerHub), destination(tcr, true)],
    copies: given.copies ?? published,
    waitOf: given.waitOf ?? (() => wait),
    clock,
    log,
    signal: signal ?? new AbortController().signal,
  });
  const words = outcomes.map(({ failure }) => failure && sentenceOf(failure));
  return { outcomes, words, asked, clock, log, waited: clock.now() - started };
}

describe("images that another mechanism brings", () => {
  it("are asked for by their tags, at their destination alone, and are there at once", async () => {
    const { outcomes, asked, clock, log } = await waitAt({ holds: (key) => key });
    expect(outcomes.map(({ failure, step }) => [failure, step.image])).toEqual([
      [undefined, "core"],
      [undefined, "db"],
    ]);
    expect(asked).toEqual([`${tcr} core:${version}`, `${tcr} db:${version}`]);
    expect(clock.slept).toEqual([]);
    expect(log.infos).toEqual([expect.stringContaining(`${version} has come to ${tcr}: 2 images`)]);
  });

  it("are asked for with growing pauses, and no more once they are right", async () => {
    const started = fakeClock().now();
    const holds = (key: string, clock: FakeClock) =>
      key.startsWith("core") || clock.now() - started >= 5 * minutes ? key : undefined;
    const { words, asked, clock } = await waitAt({ holds });
    expect(words).toEqual([undefined, undefined]);
    expect(clock.slept.slice(0, 6)).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(asked.filter((key) => key.includes("core"))).toHaveLength(1);
  });

  it("that have not come when the time is over fail with what to look at, and those of their version with them", async () => {
    const holds = (key: string) => (key.startsWith("core") ? key : undefined);
    const { words, waited } = await waitAt({ holds, wait: 10 * minutes });
    expect(waited).toBe(10 * minutes);
    expect(words).toEqual([
      `held back: db:${version} of this version has not come`,
      expect.stringMatching(
        /goharbor\/db: waiting for what fills this destination to bring the tag v2\.15\.2 failed: it has not come after 10 min 0 s\. Look at the rule/,
      ),
    ]);
  });

  it("with another digest have not come", async () => {
    const { words } = await waitAt({ holds: (key) => `an old ${key}`, wait: minutes });
    expect(words[0]).toContain(
      `it has not come after 1 min 0 s; its tag leads to ${digest(`an old core:${version}`)} and not to ${awaited[0]?.digest}`,
    );
  });

  it("are asked for in spite of trouble, which is told where it lasts", async () => {
    const started = fakeClock().now();
    const passing = (key: string, clock: FakeClock) => (clock.now() - started < minutes ? "trouble" : key);
    expect((await waitAt({ holds: passing })).words).toEqual([undefined, undefined]);
    const lasting = await waitAt({ holds: () => "trouble", wait: minutes });
    expect(lasting.words[0]).toBe("it is not known whether it has come: no route");
  });

  it("are looked for once without a wait", async () => {
    const { words, clock } = await waitAt({ holds: () => undefined, wait: 0 });
    expect(clock.slept).toEqual([]);
    expect(words[0]).toContain("it has not come after 0.0 s");
  });

  it("are waited for as long as their own route waits", async () => {
    const short = awaited.map((step): AwaitStep => ({ ...step, route: "short" }));
    const long = awaited.map((step): AwaitStep => ({ ...step, route: "long", version: "v1", tag: "v1" }));
    const waitOf = ({ route }: Pick<Step, "route">) => (route === "short" ? 3000 : minutes);
    const { outcomes, clock } = await waitAt({ holds: () => undefined, steps: [...short, ...long], waitOf });
    expect(outcomes.map(({ milliseconds }) => milliseconds)).toEqual([3000, 3000, minutes, minutes]);
    expect(clock.slept.slice(0, 2)).toEqual([2000, 1000]);
  });

  it("are given up when the run is cancelled, and reported", async () => {
    const cancelled = new AbortController();
    const holds = (_key: string, clock: FakeClock) => {
      if (clock.slept.length === 2) cancelled.abort(new Error("the run was cancelled"));
      return undefined;
    };
    const { words, clock } = await waitAt({ holds, signal: cancelled.signal });
    expect(clock.slept).toHaveLength(2);
    expect(words).toHaveLength(2);
  });
});

describe("nothing is waited for that cannot come", () => {
  const nowhere = () => undefined;

  it("where the copies to the other destination failed", async () => {
    const failed = [copied(copies[0] ?? copyStep(), { failure: obstacle("refused") }), ...published.slice(1)];
    const { words, asked } = await waitAt({ holds: nowhere, copies: failed });
    expect(asked).toEqual([]);
    expect(words).toEqual(
      Array(2).fill("held back: it is at no destination that this one could be filled from"),
    );
  });

  it("where the version was not published although nothing failed: then nothing fails here either", async () => {
    const reason = obstacle("it is a prerelease now");
    const withheld = copies.map((step) => copied(step, { withheld: reason }));
    const { outcomes, asked } = await waitAt({ holds: nowhere, copies: withheld });
    expect(asked).toEqual([]);
    expect(outcomes.map((outcome) => [outcome.failure, outcome.withheld])).toEqual(
      Array(2).fill([undefined, reason]),
    );
  });

  it("and is waited for where a destination had it before", async () => {
    const steps = [...images.map((image) => skipStep({ destination: dockerHub, image })), ...awaited];
    const { words, asked } = await waitAt({ holds: (key) => key, steps, copies: [] });
    expect(words).toEqual([undefined, undefined]);
    expect(asked).toHaveLength(2);
  });

  it("where the publish job could not publish it", async () => {
    const { asked, words } = await waitAt({ holds: nowhere, copies: [] });
    expect(asked).toEqual([]);
    expect(words[0]).toContain("held back");
  });
});
