import { expect, test } from "vitest";
import { checksumsOf } from "../../src/report/checksums.ts";
import { obstacle } from "../support/failures.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  leaveStep,
  leftStep,
  pruneStep,
  run,
  skipStep,
  tcr,
} from "./result-builder.ts";

const hex = (text: string) => digest(text).slice("sha256:".length);

test("has what was copied or was in place and compared, each digest at each place once, and nothing else", () => {
  const shared = copyStep({ image: "db", version: "v2.15.1" });
  const result = run()
    .copied(copyStep())
    .copied(copyStep({ destination: dockerHub }))
    .copied(shared)
    // The same image under another tag, of another version.
    .copied({ ...copyStep({ image: "db", tag: "stable" }), source: shared.source })
    .copyFailed(copyStep({ image: "portal" }), "refused")
    .plan(skipStep({ image: "log" }))
    .plan({ ...skipStep({ image: "uncompared" }), warning: obstacle("no source answers") })
    .plan(skipStep({ image: "unwanted", inPlace: false }), leftStep({ image: "other" }, "another digest"))
    .plan(failStep({ image: "missing" }), leaveStep({ image: "old" }))
    .pruned(pruneStep({ image: "older" }))
    .build();
  expect(checksumsOf(result)).toEqual([
    [
      `${hex("harbor-core:v2.15.2")}  ${tcr}/harbor-core\n`,
      `${hex("harbor-core:v2.15.2")}  ${dockerHub}/harbor-core\n`,
      `${hex("db:v2.15.1")}  ${tcr}/db\n`,
      `${hex("log:v2.15.2")}  ${tcr}/log\n`,
    ].join(""),
  ]);
});

test("has what is there without a signature that the registry refuses", () => {
  const step = { ...copyStep(), attachmentsOnly: true } as const;
  expect(
    checksumsOf(
      run()
        .unsigned(step, [obstacle("refused")])
        .build(),
    ),
  ).toHaveLength(1);
});

test("has nothing of a dry run, of a job that sets no tags, and where nothing is in place", () => {
  const planned = run().plan(copyStep(), skipStep({ image: "log" }));
  expect(checksumsOf(planned.build({ dryRun: true }))).toEqual([]);
  expect(checksumsOf(run().copied(copyStep()).build({ job: "copy" }))).toEqual([]);
  expect(checksumsOf(run().copyFailed(copyStep(), "refused").build())).toEqual([]);
});
