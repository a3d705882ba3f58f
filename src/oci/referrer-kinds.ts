import { OperationError } from "../errors.ts";

/** What signatures and the like a registry refuses for what they are: it is asked once for a kind, not again for every image. */
export class ReferrerKinds {
  readonly #first = new Map<string, Promise<OperationError | undefined>>();

  /**
   * Puts the first of a kind, and the others only where the registry has not refused that one.
   * @param of which manifest it is, for the failure of one that is not sent.
   * @param isOfKind whether a refusal is about the kind, and not about this one manifest.
   * @throws what `put` throws; the refusal of the first.
   */
  async put<T>(
    kind: string,
    of: { readonly repository: string; readonly subject: string },
    isOfKind: (refusal: OperationError) => boolean,
    put: () => Promise<T>,
  ): Promise<T> {
    const first = this.#first.get(kind);
    if (first !== undefined) {
      const refusal = await first;
      if (refusal !== undefined) throw new OperationError({ ...refusal.details, ...of });
      return put();
    }
    const putting = put();
    const refused = putting.then(
      () => undefined,
      (error: unknown) => (error instanceof OperationError && isOfKind(error) ? error : undefined),
    );
    this.#first.set(kind, refused);
    return putting;
  }
}
