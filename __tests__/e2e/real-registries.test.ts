import { describe } from "vitest";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { describeMainCases } from "./cases.ts";
import { realRegistries, startRealWorld } from "./real-registries.ts";
import { describeRegistryCases } from "./registry-cases.ts";

for (const registry of realRegistries) {
  const title = `the built Action, with ${registry.name}`;
  const missing = Object.entries(registry.programs).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) {
    describeMainCases(title, () => startRealWorld(registry));
    describeRegistryCases(title, () => startRealWorld(registry));
  } else {
    describe(title, () => {
      for (const [program, installation] of missing) skipWithout(program, installation);
    });
  }
}
