import { type Log, silentLog } from "../../src/log/log.ts";

/** A log that keeps what it was told. */
export interface RecordingLog extends Log {
  readonly masked: readonly string[];
  readonly infos: readonly string[];
  readonly warnings: readonly string[];
}

export function recordingLog(): RecordingLog {
  const masked: string[] = [];
  const infos: string[] = [];
  const warnings: string[] = [];
  return {
    ...silentLog,
    masked,
    infos,
    warnings,
    info: (message) => infos.push(message),
    warning: (message) => warnings.push(message),
    mask: (secret) => masked.push(secret),
  };
}
