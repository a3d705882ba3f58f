import { gunzipSync, gzipSync } from "node:zlib";
import * as v from "valibot";
import { InputError, messageOf } from "../errors.ts";
import { BodyError, parseJson } from "../http/http.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { isRepository, isTag, parseNamespace, printNamespace } from "../oci/reference.ts";

/**
 * The plan as it travels from the job that makes it to those that copy and publish. It comes back as an output of another
 * job: foreign data, of which nothing is believed that the inputs do not say as well. There is no secret in it.
 */

/** Raised with every change that an older or newer version of this Action would read wrongly. */
const schemaVersion = 2;

/**
 * Longest text of a plan, in characters. It reaches the next job as an environment variable, and Linux takes 131,072 bytes
 * of one, name included (MAX_ARG_STRLEN, https://man7.org/linux/man-pages/man2/execve.2.html). GitHub's own limit, 1 MB in
 * UTF-16 for all outputs of a job, is further away.
 */
const textLimit = 120_000;

/** Most bytes of a plan once it is unpacked: far above what `textLimit` can hold of a real one, far below a runner's memory. */
const unpackedLimit = 16 * 1024 * 1024;

/** Most shares: as many jobs as GitHub gives a matrix. https://docs.github.com/en/actions/reference/limits */
const shareLimit = 256;

const namespaceText = v.pipe(
  v.string(),
  v.maxLength(512),
  v.check((text) => {
    const namespace = parseNamespace(text);
    return namespace !== undefined && printNamespace(namespace) === text;
  }, "not of the form registry/namespace"),
);
const repositoryText = v.pipe(v.string(), v.check(isRepository, "not the name of an image"));
const tagText = v.pipe(v.string(), v.check(isTag, "not a tag"));
const digestText = v.pipe(
  v.string(),
  v.check((text) => parseDigest(text) !== undefined, "not a digest"),
  v.transform((text) => text as Digest),
);
/** The characters of every text that `versionOf` takes for a version. */
const versionText = v.pipe(v.string(), v.regex(/^[\w.+-]{1,255}$/, "not the tag of a version"));
/** `owner/name`, or places or names of routes with commas between them. */
const originText = v.pipe(v.string(), v.regex(/^\P{C}{1,1000}$/u, "not owner/name, sources or routes"));

const place = { destination: namespaceText, version: versionText, image: repositoryText, tag: tagText };

const documentSchema = v.strictObject({
  schemaVersion: v.literal(schemaVersion),
  /** Digest of the inputs that the plan was made from, as `digestOfInputs` makes it. */
  inputs: digestText,
  /** `owner/name` whose releases count, or the sources whose tags do. */
  repository: originText,
  /** Tags of the wanted versions, newest first. */
  versions: v.pipe(v.array(versionText), v.nonEmpty("no version"), v.maxLength(10_000)),
  copies: v.pipe(
    v.array(
      v.strictObject({
        ...place,
        /** What the tag is to have afterwards. */
        digest: digestText,
        /** Which copy job brings it, from 1 on. */
        share: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(shareLimit)),
      }),
    ),
    v.maxLength(100_000),
  ),
  prunes: v.pipe(
    v.array(
      v.strictObject({
        ...place,
        /** Of what the tag held until it is overwritten: then this goes, and the tag stays. */
        untagged: v.optional(digestText),
      }),
    ),
    v.maxLength(100_000),
  ),
});

/** A plan on its way between jobs. */
export type PlanDocument = v.InferOutput<typeof documentSchema>;
/** An image that a copy job brings to a destination. */
export type PlannedCopy = PlanDocument["copies"][number];
/** A tag that the publish job may prune, or what an overwritten one held. */
export type PlannedPrune = PlanDocument["prunes"][number];

/** Read before anything else: a plan of another schema version has another form. */
const versionSchema = v.object({ schemaVersion: v.number() });

/**
 * The plan as one line of text: JSON, packed with gzip, in Base64. Not for its size alone: the runner drops an output that
 * holds the value of a secret, and a user name such as "goharbor" is one for many.
 * https://docs.github.com/actions/writing-workflows/choosing-what-your-workflow-does/passing-information-between-jobs
 * @throws InputError when it is longer than a job can take.
 */
export function writePlan(document: Omit<PlanDocument, "schemaVersion">): string {
  const text = gzipSync(JSON.stringify({ schemaVersion, ...document }), { level: 9 }).toString("base64");
  if (text.length <= textLimit) return text;
  throw new InputError(
    `The plan has ${document.copies.length} images to copy and ${document.prunes.length} tags to prune; packed, these are ${text.length} characters, and a job takes ${textLimit}. Mirror fewer versions at a time (version), or in one job (mode: all).`,
  );
}

/**
 * Reads a plan that another job wrote.
 * @throws InputError when it is not one, or one of another version of this Action.
 */
export function readPlan(text: string): PlanDocument {
  try {
    const json = unpack(text);
    const { schemaVersion: version } = parseJson(json, versionSchema, "the text");
    if (version !== schemaVersion)
      throw new BodyError(
        `it is of format ${version}, and this version of the Action reads ${schemaVersion}`,
      );
    return parseJson(json, documentSchema, "the text");
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    throw new InputError(
      `plan: this is not a plan that can be carried out: ${messageOf(error)}. Give the output plan of the job with the mode plan, unchanged, and use the same version of the Action in all jobs.`,
    );
  }
}

function unpack(text: string): string {
  if (text.length > textLimit) throw new BodyError(`it has more than ${textLimit} characters`);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new BodyError("it is not in Base64");
  try {
    return gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: unpackedLimit }).toString("utf8");
  } catch (error) {
    throw new BodyError(`it cannot be unpacked (${messageOf(error)})`);
  }
}
