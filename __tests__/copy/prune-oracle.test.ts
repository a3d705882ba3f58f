import { test } from "vitest";
import { holdPruningToOracle } from "./prune-oracle.ts";

test("what is deleted is what docs/decisions.md lets go, in three thousand random repositories", async () => {
  await holdPruningToOracle(3_000);
});
