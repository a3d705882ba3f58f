import { test } from "vitest";
import { holdRoutesToOracle } from "./route-property.ts";

test("versions from tags and the plans of several routes are what docs/decisions.md says, in random worlds", async () => {
  await holdRoutesToOracle(1_000);
});
