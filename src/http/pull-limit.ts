import { type HttpResponse, readAlready, readBytes } from "./http.ts";

/**
 * Whether a 429 is Docker Hub's limit on pulls, which takes up to six hours to pass. Its limit on requests answers 429 as
 * well and passes in a minute. Only the words of the answer are documented to differ.
 */
export function isPullLimit(text: string): boolean {
  return /pull rate limit|\/increase-rate-limit/i.test(text);
}

/** Largest reason for a 429 that is read, in bytes; what is useful in one fits a line. */
const reasonLimit = 64 * 1024;

/** An answer, and whether the pull limit is its reason: then the same request fails for hours. */
export interface JudgedResponse {
  readonly response: HttpResponse;
  readonly isPullLimit: boolean;
}

/** Looks into the body of a 429, and gives back an answer whose body can be read all the same. */
export async function judgePullLimit(response: HttpResponse): Promise<JudgedResponse> {
  if (response.status !== 429) return { response, isPullLimit: false };
  // A reason that breaks off or is too long is no reason.
  const bytes = await readBytes(response, reasonLimit).catch(() => Buffer.alloc(0));
  return { response: readAlready(response, bytes), isPullLimit: isPullLimit(bytes.toString("utf8")) };
}

/** How many pulls a registry grants whoever asks, as it told last. */
export interface PullBudget {
  /** Pulls in a window of time. */
  readonly limit: number;
  /** Pulls that were left when the registry said so. */
  readonly remaining: number;
  /** Length of the window in milliseconds; undefined where it is not named. */
  readonly windowMs: number | undefined;
}

/**
 * The pull budget in an answer about a manifest, HEAD included, which costs no pull itself: `ratelimit-limit: 100;w=21600`,
 * the window in seconds. Undefined where there is none: no limit, for this image or for this login.
 * https://docs.docker.com/docker-hub/usage/pulls/#view-pull-rate-and-limit
 */
export function pullBudgetIn(response: Pick<HttpResponse, "header">): PullBudget | undefined {
  const limit = quotaIn(response.header("ratelimit-limit"));
  const remaining = quotaIn(response.header("ratelimit-remaining"));
  if (limit === undefined || remaining === undefined) return undefined;
  return { limit: limit.pulls, remaining: remaining.pulls, windowMs: remaining.windowMs ?? limit.windowMs };
}

/** A number, and a window in seconds behind it. Nine digits are far more than any limit or window has. */
const quotaPattern = /^\s*([0-9]{1,9})\s*(?:;\s*w=([0-9]{1,9})\s*)?$/;

function quotaIn(header: string | undefined): { pulls: number; windowMs: number | undefined } | undefined {
  const [match, pulls, seconds] = quotaPattern.exec(header ?? "") ?? [];
  if (match === undefined) return undefined;
  return { pulls: Number(pulls), windowMs: seconds === undefined ? undefined : Number(seconds) * 1000 };
}
