import * as v from "valibot";
import { parse } from "yaml";

/** The parts of `action.yml` that people are shown. */
const actionSchema = v.object({
  inputs: v.record(
    v.string(),
    v.object({ description: v.string(), required: v.boolean(), default: v.optional(v.string(), "") }),
  ),
  outputs: v.record(v.string(), v.object({ description: v.string() })),
});

export type ActionMetadata = v.InferOutput<typeof actionSchema>;

/**
 * Reads the text of `action.yml`.
 * @throws ValiError when a description is missing, or a default is not text.
 */
export function parseAction(text: string): ActionMetadata {
  return v.parse(actionSchema, parse(text));
}
