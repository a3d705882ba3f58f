/**
 * The description of an allowlist entry. A run finds its own entries by it, and those of dead runs. Everything else on the list
 * belongs to somebody else.
 */
export interface AccessMark {
  /** Tells the jobs of one run apart: 8 hexadecimal digits. */
  readonly id: string;
  /** Run of the workflow, and how many times it has been started. */
  readonly runId: string;
  readonly attempt: number;
  /** When the job is over at the latest, in milliseconds since the epoch. */
  readonly until: number;
  /** `owner/name` that the workflow runs in; undefined where its name does not fit. */
  readonly repository: string | undefined;
  /** Whether the public endpoint was closed before. The last run of ours to leave has to close it. */
  readonly endpoint: boolean;
}

/** Longest description, in characters. The limit is that of a security group's rule, which these entries are modelled on. */
const longest = 100;

const minute = 60_000;

/** The mark as text. */
export function printMark(mark: AccessMark): string {
  // To the minute, rounded up: seconds are of no use here.
  const until = new Date(Math.ceil(mark.until / minute) * minute).toISOString().replace(/:00\.000Z$/, "Z");
  const flag = mark.endpoint ? "+endpoint" : "";
  const text = `harbor-release-mirror ${mark.id}${flag} run ${mark.runId}/${mark.attempt} until ${until}`;
  const named = `${text} ${mark.repository ?? ""}`.trim();
  return named.length <= longest ? named : text;
}

const form =
  /^harbor-release-mirror ([0-9a-f]{8})(\+endpoint)? run ([0-9]{1,15})\/([0-9]{1,9}) until ([0-9T:-]{16}Z)(?: ([\w.-]+\/[\w.-]+))?$/;

/** Reads a description; undefined unless it is one of ours in every detail. */
export function parseMark(description: string): AccessMark | undefined {
  const [, id, flag, runId, attempt, until = "", repository] = form.exec(description) ?? [];
  const time = Date.parse(until);
  if (id === undefined || runId === undefined || Number.isNaN(time)) return undefined;
  return { id, runId, attempt: Number(attempt), until: time, repository, endpoint: flag !== undefined };
}
