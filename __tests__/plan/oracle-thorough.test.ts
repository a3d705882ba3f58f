import { test } from "vitest";
import { holdPlanToOracle } from "./oracle-property.ts";
import { holdRoutesToOracle } from "./route-property.ts";

test("the plan is what docs/decisions.md says, in 100,000 random worlds", { timeout: 600_000 }, () => {
  holdPlanToOracle(100_000);
});

test("so are versions from tags and the plans of several routes, in 15,000", {
  timeout: 600_000,
}, async () => {
  await holdRoutesToOracle(15_000);
});
