/** `npm run readme`: writes the generated parts of README.md, bench/README.md and docs/ anew, from `action.yml`, `docs/workflows/`, `src/vendors/` and `bench/results/`. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { documentsWithSections, readSections, withSections } from "./readme-sections.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const sections = readSections(root);
for (const path of documentsWithSections(root, sections)) {
  writeFileSync(`${root}${path}`, withSections(readFileSync(`${root}${path}`, "utf8"), sections));
}
