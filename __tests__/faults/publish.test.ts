import { faultMatrix } from "./matrix.ts";
import { publishStages } from "./stages.ts";

faultMatrix(publishStages);
