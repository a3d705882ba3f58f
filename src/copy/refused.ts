import { OperationError } from "../errors.ts";

/** Statuses by which a registry refuses a manifest for good: for what it is, its size, a policy, a rule or a quota. */
const refusals: readonly number[] = [400, 403, 405, 406, 412, 413, 415, 422, 501];

/** Whether a registry says that it lacks blobs of a manifest: they are sent, and the manifest is put again. */
export function lacksContent(error: unknown): error is OperationError {
  if (!(error instanceof OperationError)) return false;
  return error.details.code === "MANIFEST_BLOB_UNKNOWN" || error.details.code === "BLOB_UNKNOWN";
}

/**
 * Whether a destination refuses what it was sent, which trying again does not change. A login that is not taken and trouble
 * that passes are no refusals.
 */
export function isRefused(error: unknown): error is OperationError {
  if (!(error instanceof OperationError) || error.temporary) return false;
  const { side, status = 0 } = error.details;
  return side === "destination" && refusals.includes(status) && !lacksContent(error);
}
