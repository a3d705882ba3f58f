import ts from "typescript";
import { describe, expect, test } from "vitest";
import { filesIn, textOf } from "./support/documents.ts";
import { type Message, messagesIn } from "./support/messages.ts";

const page = "docs/troubleshooting.md";

/** Sentences in the source that nobody looks up, each kind with its reason. */
const otherTexts: readonly (readonly [why: string, file: RegExp, text: RegExp])[] = [
  ["what the plan and the summary tell", /^src\/report\/(?!annotations|reported-step|write)/, /./],
  ["what the log tells while images are copied", /^src\/copy\/(progress|story)\.ts$/, /./],
  [
    "the help, and parts of a message about a flag",
    /^src\/terminal\/(flags|help|index)\.ts$/,
    /^(?!There is no|Every run)/,
  ],
  ["advice says itself what to do", /advice\.ts$/, /./],
  ["why a registry is treated in its way", /^src\/vendors\//, /./],
  [
    "parts of the rows of a check, which say themselves what to do",
    /^src\/check\/destination\.ts$/,
    /^(It answers|none of the images|… may make the repository|this login may not give|was opened)/,
  ],
  [
    "which keys of regsync's change nothing, or say themselves what to do",
    /\/regsync-keys\.ts$/,
    /^(?!… is no key)/,
  ],
  ["parts of requests", /./, /^(application\/json|GET \/|… Credential=)/],
  [
    "parts of a longer message",
    /./,
    /^(, |The run of the workflow|has not ended|looking up the (blob|tag)|harbor-release-mirror |Plan \(dry run|TCR Personal Edition|Share … of|it is in this job's share|… Set `tcr-|……\. Set|the (tcr- inputs|TENCENTCLOUD_ variables))/,
  ],
];

const messages = filesIn("src", ".ts")
  .flatMap((path) => messagesIn(parsed(path, textOf(path))))
  .filter(
    (message) => !otherTexts.some(([, file, text]) => file.test(message.file) && text.test(message.text)),
  );

/** All source, with texts that go over several lines put together. */
const source = filesIn("src", ".ts")
  .map(textOf)
  .join("\n")
  .replace(/["'`]\s*\+\s*["'`]/g, "");

const phrases = textOf(page)
  .split("\n")
  .filter((line) => /^\| `/.test(line))
  .flatMap((line) => {
    const [, cell = ""] = line.split(/(?<!\\)\|/);
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, phrase = ""]) => phrase);
  });

function parsed(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

describe(page, () => {
  test("has many phrases, each once", () => {
    expect(phrases.length).toBeGreaterThan(80);
    expect(phrases.filter((phrase, index) => phrases.indexOf(phrase) !== index)).toEqual([]);
  });

  test("explains every message that the code has", () => {
    const unexplained = messages.filter(({ text }) => !phrases.some((phrase) => text.includes(phrase)));
    expect(unexplained.map(toAdd)).toEqual([]);
  });

  test("explains messages that there are", () => {
    const unsaid = phrases.filter((phrase) => !source.includes(phrase.replace(/^.*…/, "")));
    expect(unsaid.map((phrase) => `no code says "${phrase}" any more: correct or remove it`)).toEqual([]);
  });

  test("every exception is for something", () => {
    const all = filesIn("src", ".ts").flatMap((path) => messagesIn(parsed(path, textOf(path))));
    const idle = otherTexts.filter(
      ([, file, text]) => !all.some((message) => file.test(message.file) && text.test(message.text)),
    );
    expect(idle).toEqual([]);
  });
});

/** What to do about a message without an explanation. */
function toAdd({ file, line, text }: Message): string {
  const [phrase = text] = text.split("…").toSorted((one, other) => other.length - one.length);
  return `${file}:${line} says "${text}": add a line "| \`${phrase.trim()}\` | … |" to the table of ${page} that fits, or the phrase to a line there`;
}

describe("the collector finds", () => {
  const found = (code: string): readonly string[] =>
    messagesIn(parsed("src/x.ts", code)).map(({ text }) => text);

  test.each([
    ['throw new InputError("the sky is green");', "the sky is green"],
    ["throw new InputError(`the $" + "{thing} is green`, { cause });", "the … is green"],
    ['mistake("the sky " + kind + " is green");', "the sky … is green"],
    ['const details = { problem: wet ? "it is too wet" : "dry" };', "it is too wet"],
    ['const reasonOf = () => "it is too wet";', "it is too wet"],
    ["function why() { return `it is wet in $" + "{place}`; }", "it is wet in …"],
    ['log.warning("it is too wet");', "it is too wet"],
  ])("the message in %s", (code, message) => {
    expect(found(code)).toEqual([message]);
  });

  test.each([
    'log.info("it is too wet");',
    'const advice = "buy an umbrella soon";',
    'const details = { advice: "buy an umbrella soon", operation: "reading the blob" };',
    'send(request, "reading the manifest of it");',
    'type Wet = "it is too wet";',
    'throw new InputError("nonsense");',
  ])("none in %s", (code) => {
    expect(found(code)).toEqual([]);
  });
});
