import { OperationError } from "../../src/errors.ts";

/** The OperationError that some work ends with. Throws when it ends well, or with another error. */
export async function failureOf(work: Promise<unknown>): Promise<OperationError> {
  const outcome = await work.then(
    () => "no failure",
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof OperationError) return outcome;
  throw new Error(`an OperationError was expected: ${String(outcome)}`);
}
