import { faultMatrix } from "./matrix.ts";
import { githubStages, hubStages, tcrStages } from "./stages.ts";

faultMatrix([...githubStages, ...hubStages, ...tcrStages]);
