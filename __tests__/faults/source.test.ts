import { faultMatrix } from "./matrix.ts";
import { sourceStages } from "./stages.ts";

faultMatrix(sourceStages);
