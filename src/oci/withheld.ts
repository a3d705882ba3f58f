import { OperationError } from "../errors.ts";

/**
 * The answer to a question for a manifest, or "withheld": it is there, and a policy of its project lets nobody pull it now.
 * Harbor answers 412 so, for an image that is not signed or has vulnerabilities, after it has found the manifest; TCR has
 * the same switch. https://goharbor.io/docs/main/working-with-projects/project-configuration/
 * @throws what asking throws otherwise.
 */
export async function unlessWithheld<T>(asking: Promise<T>): Promise<T | "withheld"> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof OperationError && error.status === 412) return "withheld";
    throw error;
  }
}
