import { test } from "vitest";
import { holdPlanToOracle } from "./oracle-property.ts";

test("the plan is what docs/decisions.md says, in 100,000 random worlds", { timeout: 600_000 }, () => {
  holdPlanToOracle(100_000);
});
