import { InputError } from "../errors.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import type { Log } from "../log/log.ts";
import { applyRules, applyRulesOnce, type Component, type ImageRule } from "../plan/component.ts";
import type { AnyVersion } from "../plan/version.ts";
import { harborComponents } from "./components.ts";
import { everyHarborImage, harbor, harborTableComponents, sameRepository } from "./harbor-components.ts";

/** Which images each version of the mirrored repository has. */
export interface Catalogue {
  /** The image names that a destination may hold, those of old versions included. */
  readonly images: readonly string[];
  /** The images of a version; undefined where nobody knows them without a request. */
  known(version: AnyVersion): readonly Component[] | undefined;
  /**
   * The images of a version. May read the release's source.
   * @throws InputError or OperationError
   */
  read(version: AnyVersion): Promise<readonly Component[]>;
}

/** Reads a file of the mirrored repository at a tag; undefined when there is none. */
export type ReadAtTag = (path: string, tag: string) => Promise<string | undefined>;

/**
 * The built-in list was compared with Harbor's own files at every release before this day. A later release may have
 * other images, even a patch of an old line.
 */
const listedUntil = Date.UTC(2026, 7, 21);

/** The catalogue that the `images` input asks for. */
export function createCatalogue(
  images: "auto" | readonly ImageRule[],
  repository: RepositoryId,
  readAtTag: ReadAtTag,
  log: Log,
): Catalogue {
  if (images !== "auto") return listedCatalogue(images);
  const isHarbor = sameRepository(repository, harbor);
  return {
    images: isHarbor ? everyHarborImage : [],
    known: (version) =>
      isHarbor && version.number !== undefined && version.publishedAt < listedUntil
        ? harborTableComponents(version)
        : undefined,
    read: async (version) => {
      if (version.number === undefined)
        throw new InputError(`images: auto knows no images of ${version.tag}, which has no number`);
      const readFile = (path: string): Promise<string | undefined> => readAtTag(path, version.tag);
      return harborComponents(version, { repository, readFile }, log);
    },
  };
}

/** The catalogue of listed images. */
export function listedCatalogue(rules: readonly ImageRule[]): Catalogue {
  return {
    images: [...new Set(rules.map(({ to }) => to))],
    known: (version) => applyRules(rules, version),
    read: async (version) => applyRulesOnce(rules, version),
  };
}
