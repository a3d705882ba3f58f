import { test } from "vitest";
import { holdFailingCopies } from "./failing-copies-property.ts";

test("copies that fail publish, delete and claim nothing wrong, in 1,000 random worlds", () =>
  holdFailingCopies(1_000));
