import type { Clock } from "../clock.ts";
import { OperationError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Namespace } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { Repository } from "../oci/repository.ts";
import type { Slots } from "../oci/slots.ts";
import type { DestinationProgress } from "./progress.ts";

/** A destination as the engine sees it. */
export interface TargetOptions extends Namespace {
  /** `registry/namespace`. */
  readonly name: string;
  /** The registry's client for the side "destination". */
  readonly client: Registry;
  readonly uploads: Slots;
  readonly progress: DestinationProgress;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the run. */
  readonly signal: AbortSignal;
}

/**
 * Operations in a row that may fail for good, after all their own tries, before the destination counts as down. Each has
 * by then been tried for half a minute; a hundred blobs more would only stand in line for the same end.
 */
const failuresUntilDown = 3;

/** One destination during the copy: its repositories, its slots, and whether it still works. */
export class Target {
  readonly options: TargetOptions;
  readonly signal: AbortSignal;
  readonly #down = new AbortController();
  readonly #repositories = new Map<string, Repository>();
  #failuresInARow = 0;

  constructor(options: TargetOptions) {
    this.options = options;
    this.signal = AbortSignal.any([options.signal, this.#down.signal]);
  }

  repository(name: string): Repository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const repository = new Repository(this.options.client, name);
    this.#repositories.set(name, repository);
    return repository;
  }

  /** An operation went well: the destination is not down. */
  works(): void {
    this.#failuresInARow = 0;
  }

  /** An operation failed for good. Only trouble of the destination itself counts, not refusals of single repositories. */
  failed(error: unknown): void {
    if (!(error instanceof OperationError) || error.details.side !== "destination" || !error.temporary)
      return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= failuresUntilDown) this.#down.abort(error);
  }
}
