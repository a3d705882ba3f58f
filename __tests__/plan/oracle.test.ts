import { test } from "vitest";
import { holdPlanToOracle } from "./oracle-property.ts";

test("the plan is what docs/decisions.md says, in a few thousand random worlds", () => {
  holdPlanToOracle(4_000);
});
