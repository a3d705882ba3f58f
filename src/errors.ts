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
  /** Digests of the content that the service named: of blobs that it does not know, for one. */
  readonly digests?: readonly string[] | undefined;
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

/** An operation that failed, as data. */
export interface FailedOperation extends FailureDetails {
  readonly kind: "operation";
  /** What it keeps from being done, where that is not the operation itself: "no tag of this version is moved". */
  readonly consequence?: string | undefined;
}

/**
 * What keeps something from being done although no operation failed. `held-back`: a failure that is told elsewhere, such as
 * that of another image of the version.
 */
export interface Obstacle {
  readonly kind: "obstacle" | "held-back";
  /** The same words for every image, because reports group by it. */
  readonly problem: string;
  /** What exactly it is about, where that differs: a tag, a digest. */
  readonly subject?: string | undefined;
  readonly advice?: string | undefined;
}

/** Why something is not done: data up to the last reader, who groups by it and parses no words. */
export type Failure = FailedOperation | Obstacle;

/**
 * Anything that was thrown, as data.
 * @param consequence what it keeps from being done.
 */
export function failureOf(thrown: unknown, consequence?: string): Failure {
  if (thrown instanceof OperationError) return { kind: "operation", ...thrown.details, consequence };
  const problem = messageOf(thrown);
  return { kind: "obstacle", problem: consequence === undefined ? problem : `${consequence}: ${problem}` };
}

/** A key that all failures of one cause have: made of neither names nor the words of an answer. */
export function causeOf(failure: Failure): string {
  if (failure.kind !== "operation") return JSON.stringify([failure.kind, failure.problem, failure.advice]);
  const { kind, consequence, side, host, operation, status, code, advice } = failure;
  return JSON.stringify([kind, consequence, side, host, operation, status, code, advice]);
}

/** A failure in words, for people. */
export function sentenceOf(failure: Failure): string {
  if (failure.kind === "operation") {
    const { consequence } = failure;
    return `${consequence === undefined ? "" : `${consequence}: `}${describeFailure(failure)}`;
  }
  const { problem, subject, advice } = failure;
  const what = subject === undefined ? problem : `${problem}: ${subject}`;
  return advice === undefined ? what : `${sentence(what)} ${advice}`;
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
