import { faultMatrix } from "./matrix.ts";
import { readingStages } from "./stages.ts";

faultMatrix(readingStages);
