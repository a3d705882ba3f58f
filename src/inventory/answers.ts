import { InputError, OperationError } from "../errors.ts";
import { PatternError } from "../pattern.ts";

/** What sources answer to a question, and those that do not answer it. */
export interface Answers<Source, Answer> {
  readonly answers: readonly Answer[];
  readonly refused: readonly { readonly source: Source; readonly error: Error }[];
}

/**
 * Asks every source. One that fails is passed over where another answers; what is the same mistake at each is thrown.
 * @throws InputError or OperationError where none answers: that of the first.
 */
export async function askEach<Source, Answer>(
  sources: readonly Source[],
  ask: (source: Source) => Promise<Answer>,
  signal: AbortSignal,
): Promise<Answers<Source, Answer>> {
  const asked = await Promise.all(
    sources.map(async (source): Promise<Answers<Source, Answer>> => {
      try {
        return { answers: [await ask(source)], refused: [] };
      } catch (error) {
        signal.throwIfAborted();
        const isItsOwn = error instanceof OperationError || error instanceof InputError;
        if (!isItsOwn || error instanceof PatternError) throw error;
        return { answers: [], refused: [{ source, error }] };
      }
    }),
  );
  const answers = asked.flatMap((one) => one.answers);
  const refused = asked.flatMap((one) => one.refused);
  const [first] = refused;
  if (first !== undefined && answers.length === 0) throw first.error;
  return { answers, refused };
}
