import semver from "semver";

/** Longest text that is looked into, in characters: some of the patterns below take long over blanks, and nobody writes more. */
const longestText = 300;

/**
 * What was surely meant by a text that chooses no versions, as it is written here: words of other tools for the newest, addresses
 * and references that end in a tag, ranges and patterns in other spellings. Undefined where nobody can tell.
 */
export function meantSelection(text: string): string | undefined {
  if (text.length > longestText) return undefined;
  return meantNewest(text) ?? tagIn(text) ?? tagsIn(text) ?? rangeIn(text) ?? patternIn(text);
}

/** Words for the newest versions that are tags by their form. */
export function meantNewest(text: string): string | undefined {
  const [word, count = "1"] = /^(?:latest|newest|last)\s*[:= ]?\s*([1-9][0-9]{0,3})?$/i.exec(text) ?? [];
  return word === undefined ? undefined : `newest:${count}`;
}

/** The tag in the address of a release or of its tag, in a ref, or behind the name of an image. */
function tagIn(text: string): string | undefined {
  const [, inAddress] = /^https?:\/\/\S+\/(?:releases\/tag|tree|tags)\/([\w.-]+)\/?$/.exec(text) ?? [];
  const [, inRef] = /^(?:refs\/)?tags\/([\w.-]+)$/.exec(text) ?? [];
  const [, ofImage] = /^[a-z0-9][a-z0-9./_-]*:(v?[0-9][\w.-]*)$/.exec(text) ?? [];
  return inAddress ?? inRef ?? ofImage;
}

/** Tags with something else than commas between them. */
function tagsIn(text: string): string | undefined {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== "");
  return parts.length > 1 && parts.every((part) => semver.parse(part) !== null)
    ? parts.join(", ")
    : undefined;
}

/** A range with commas or "and" between its ends, or with the sign of comparison turned round. */
function rangeIn(text: string): string | undefined {
  const range = text
    .replace(/\s*(?:,|&&|\band\b)\s*/gi, " ")
    .replaceAll("=>", ">=")
    .replaceAll("=<", "<=")
    .trim();
  const isRange = range !== text && /[<>=^~]/.test(range) && semver.validRange(range) !== null;
  return isRange && semver.minVersion(range) !== null ? range : undefined;
}

function patternIn(text: string): string | undefined {
  const [, expression] = /^(?:regexp?:\/?|\/)(.+?)\/?$/.exec(text) ?? [];
  if (expression !== undefined) return `/${expression}/`;
  return /^[\w.-]*[*?{][\w.*?{},-]*$/.test(text) ? `glob:${text}` : undefined;
}
