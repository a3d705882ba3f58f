import { test } from "vitest";
import { holdPruningToOracle } from "./prune-oracle.ts";

test("what is deleted is what docs/decisions.md lets go, in 100,000 random repositories", {
  timeout: 600_000,
}, async () => {
  await holdPruningToOracle(100_000);
});
