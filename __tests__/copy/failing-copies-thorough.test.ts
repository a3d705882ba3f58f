import { test } from "vitest";
import { holdFailingCopies } from "./failing-copies-property.ts";

test(
  "copies that fail publish, delete and claim nothing wrong, in 100,000 random worlds",
  {
    timeout: 600_000,
  },
  () => holdFailingCopies(100_000),
);
