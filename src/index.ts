// What GitHub's runner starts. A file of its own, so that others can start `main.ts`, such as `@github/local-action`.
import { run } from "./main.ts";

await run();
