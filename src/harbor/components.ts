import { InputError, messageOf, OperationError } from "../errors.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import { type Log, printable } from "../log/log.ts";
import { isRepository } from "../oci/reference.ts";
import type { Component } from "../plan/component.ts";
import type { Version } from "../plan/version.ts";
import {
  componentsOf,
  harbor,
  harborTableImages,
  needsMakefile,
  sameRepository,
} from "./harbor-components.ts";

/** The source of one release: its files at the release's tag. */
export interface ReleaseSource {
  readonly repository: RepositoryId;
  /** The text of a file, or undefined when there is none. Throws OperationError. */
  readonly readFile: (path: string) => Promise<string | undefined>;
}

/** Where Harbor's installer makes its docker-compose.yml from, since v1.8.0. */
export const composeTemplatePath = "make/photon/prepare/templates/docker_compose/docker-compose.yml.jinja";

/** Most images of a compose template. The largest release had 16; a text with more is something else. */
const mostImages = 100;

/**
 * The images that Harbor's compose template names, and `prepare`, which renders the template and so is not in it. Undefined
 * where the text is no such template: no image, far too many, or an image line that is not `goharbor/<name>:{{variable}}`. A
 * list of the other lines would then not be complete.
 *
 * The text is read line by line, not as YAML: Jinja's blocks make it invalid YAML.
 */
export function parseComposeTemplate(text: string): readonly string[] | undefined {
  const images = new Set<string>();
  for (const [, reference = ""] of text.matchAll(/^[ \t]*image:[ \t]*(.*?)\s*$/gm)) {
    const name = /^["']?(?:[^\s"'#]+\/)?goharbor\/([^\s"':/]+):\{\{\s*\w+\s*\}\}["']?$/.exec(reference)?.[1];
    if (name === undefined || !isRepository(name)) return undefined;
    images.add(name);
  }
  if (images.size === 0 || images.size > mostImages) return undefined;
  return ["prepare", ...[...images].filter((image) => image !== "prepare")];
}

/**
 * The components of a Harbor version: what the release's own source says, since the set has changed even between two
 * patch releases (goharbor/harbor#23157). If that cannot be read, the built-in list serves, and the log says so.
 * @throws InputError when neither knows them; the message asks for the input `images`.
 * @throws OperationError when the repository is not Harbor's own, so that no list is built in, and GitHub fails.
 */
export async function harborComponents(
  version: Version,
  source: ReleaseSource,
  log: Log,
): Promise<readonly Component[]> {
  const template = await readOrWarn(composeTemplatePath, source, log);
  const images = template === undefined ? undefined : parseComposeTemplate(template);
  if (images === undefined && !sameRepository(source.repository, harbor)) {
    const name = printable(`${source.repository.owner}/${source.repository.name}`);
    throw new InputError(
      `${name} has no readable ${composeTemplatePath} at ${printable(version.tag)}, so its images are not known: ` +
        'list them in the input "images", for example app:{{tag}}',
    );
  }
  if (images === undefined) logFallback(version, template, log);
  const names = images ?? harborTableImages(version);
  const makefile = needsMakefile(names, version) ? await readOrWarn("Makefile", source, log) : undefined;
  return componentsOf(names, version, makefile);
}

/** A file of the release. For Harbor itself a failure is a warning: the built-in list takes its place. */
async function readOrWarn(path: string, source: ReleaseSource, log: Log): Promise<string | undefined> {
  try {
    return await source.readFile(path);
  } catch (error) {
    if (!(error instanceof OperationError) || !sameRepository(source.repository, harbor)) throw error;
    log.warning(messageOf(error));
    return undefined;
  }
}

function logFallback(version: Version, template: string | undefined, log: Log): void {
  const what = template === undefined ? "could not be read" : "is not of the known form";
  log.warning(
    `${composeTemplatePath} at ${printable(version.tag)} ${what}; the built-in list of Harbor's images is used instead`,
  );
}
