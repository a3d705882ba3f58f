/** Which party of a run a failure belongs to: the first thing that a user has to know to mend it. The runner is its disk. */
export type Side = "source" | "destination" | "GitHub" | "runner";

/** A mistake in what the user gave: inputs, event, wanted version. The message says what to change. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** Everything a user needs to see where an operation failed and what to do about it. */
export interface FailureDetails {
  readonly side: Side;
  /** Host and port that was spoken to, without scheme or path; of the runner, the folder. */
  readonly host: string;
  /** Repository on that host, where the operation concerned one. */
  readonly repository?: string | undefined;
  /** What was tried, as a gerund: "reading the manifest". The same words for every image, because reports group by it. */
  readonly operation: string;
  /** What exactly it was tried on, which follows the operation in a sentence: a tag, a digest. */
  readonly subject?: string | undefined;
  /** HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** The service's own error code (`DENIED`, `AuthFailure.SecretIdNotFound`), where it sent one. */
  readonly code?: string | undefined;
  /** What went wrong, in the service's words or ours. Already free of control characters. */
  readonly problem: string;
  /** What the user can do. */
  readonly advice?: string | undefined;
  /** Whether the same request may succeed later; decides about retries. */
  readonly temporary?: boolean | undefined;
  /** How long the service asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A failure at a registry, a vendor API or GitHub, told in one sentence (P8). */
export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly details: FailureDetails;

  constructor(details: FailureDetails, options?: { cause?: unknown }) {
    super(describeFailure(details), options);
    this.details = details;
  }

  get status(): number | undefined {
    return this.details.status;
  }

  get temporary(): boolean {
    return this.details.temporary ?? false;
  }
}

/** One sentence: side, host, repository, operation, subject, status, code, problem, advice. */
function describeFailure(details: FailureDetails): string {
  const where = details.repository === undefined ? details.host : `${details.host}/${details.repository}`;
  const status = details.status === undefined ? "" : ` with status ${details.status}`;
  const code = details.code === undefined ? "" : ` ${details.code}`;
  const operation =
    details.subject === undefined ? details.operation : `${details.operation} ${details.subject}`;
  const advice = details.advice === undefined ? "" : ` ${details.advice}`;
  return `${details.side} ${where}: ${operation} failed${status}${code}: ${sentence(details.problem)}${advice}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The message of anything that was thrown, for people. Follows causes, because undici hides the reason there. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown instanceof OperationError || thrown instanceof InputError) return thrown.message;
  const cause = thrown.cause === undefined ? "" : ` (${messageOf(thrown.cause)})`;
  return `${thrown.message || thrown.name}${cause}`;
}
