import { faultMatrix } from "./matrix.ts";
import { uploadStages } from "./stages.ts";

faultMatrix(uploadStages);
