import fc from "fast-check";

/** Runs of each property: enough to find what is easy to find, few enough for seconds in all. */
export const runs = { numRuns: 300 };

/** Length of a text that no parser may take long for, in characters. */
export const longLength = 100_000;

/**
 * Longest time for a text of that length, in milliseconds. No measure of speed: what takes the square of the length takes
 * minutes, and what backtracks takes for ever.
 */
export const hang = 5_000;

/** Text made of pieces that mean something to a parser, between text that does not. */
export function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.string({ maxLength: 5, unit: "binary" }) },
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );
}

/** Long texts that make a parser with nested repetition go through all ways: one piece, again and again, with ends that do not fit. */
export function longTextsOf(...pieces: readonly string[]): readonly string[] {
  return pieces
    .filter((piece) => piece !== "")
    .flatMap((piece) => {
      const long = piece.repeat(Math.ceil(longLength / piece.length)).slice(0, longLength);
      return [long, `${long}\u0000`, `${pieces[0] ?? ""}${long}!`];
    });
}

/** The same labels as host names and paths have. */
export const label: fc.Arbitrary<string> = fc.stringMatching(/^[a-z0-9]{1,8}$/);

/** Path components of the distribution specification. */
export const component: fc.Arbitrary<string> = fc.stringMatching(
  /^[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/,
);

export const digest: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`),
  fc.stringMatching(/^[0-9a-f]{128}$/).map((hex) => `sha512:${hex}`),
);
