import { isWanted, type Platform } from "../oci/platform.ts";
import { countOf, listOf } from "../wording.ts";
import type { SourceOptions } from "./sources.ts";
import type { Sighting } from "./wait.ts";

/** Most images that the line about images of one platform names. */
const namesShown = 5;

/**
 * Says, once for a run, which wanted platforms are in no index, and which images are no index, so that nothing could be chosen
 * of them. Where there is no index at all, only the latter is known. Goes by what was read already and sends nothing.
 */
export function tellPlatforms(
  { platforms, log }: Pick<SourceOptions, "platforms" | "log">,
  sightings: Iterable<Sighting>,
): void {
  if (platforms === "all") return;
  const served = [...sightings].flatMap((sighting) => {
    if (!("answers" in sighting)) return [];
    const answer = sighting.answers.find(({ image }) => image !== undefined);
    return answer === undefined ? [] : [{ name: sighting.component.from, has: answer.platforms }];
  });
  const offered = served.flatMap(({ has }) => (has === undefined ? [] : [has]));
  const absent = platforms.filter((platform) => !offered.flat().some((of) => isWanted(of, [platform])));
  if (offered.length > 0 && absent.length > 0)
    log.warning(`No index has a platform that the input "platforms" names: ${absent.map(print).join(", ")}`);
  const single = new Set(served.filter(({ has }) => has === undefined).map(({ name }) => name));
  if (single.size === 0) return;
  const names = `${countOf(single.size, "image")} (${listOf([...single], namesShown)})`;
  log.info(`"platforms" chooses from indexes only. Of one platform, and left as found: ${names}`);
}

function print({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join("/");
}
