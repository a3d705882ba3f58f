import { describe, it } from "vitest";
import { describeMainCases } from "./cases.ts";
import { missingPrograms, startDistributionWorld } from "./distribution.ts";

const missing = missingPrograms();

if (missing.length === 0) {
  describeMainCases("the built Action, with the distribution project's registry", startDistributionWorld);
} else {
  describe("the built Action, with the distribution project's registry", () => {
    if (process.env.FORBID_SKIPS) {
      it("has what it needs", () => {
        throw new Error(`${missing.join(" and ")} must be installed where FORBID_SKIPS is set`);
      });
    } else {
      console.warn(
        `Skipped: the cases with a real registry need ${missing.join(" and ")} (Debian packages of that name).`,
      );
      it.skip(`skipped: ${missing.join(" and ")} not installed`);
    }
  });
}
