import { describeMainCases } from "./cases.ts";
import { startSandboxWorld } from "./world.ts";

describeMainCases("the built Action, with Docker Hub and TCR", startSandboxWorld);
