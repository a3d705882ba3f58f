/** `npm run readme`: writes the generated parts of README.md anew from `action.yml` and `docs/workflows/`. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readSections, withSections } from "./readme-sections.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const path = `${root}README.md`;
writeFileSync(path, withSections(readFileSync(path, "utf8"), readSections(root)));
