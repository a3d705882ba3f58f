import { quoted } from "../suggestions.ts";
import type { YamlEntry } from "../yaml.ts";
import { asksNothing, type Surroundings } from "./fields.ts";

/** What regsync has and this has not, by its keys: what changes nothing, and what would. */

/** Keys that change nothing here, of the file's `defaults`, of an entry and of a login; and what does it here. */
const idle: ReadonlyMap<string, string> = new Map([
  ["interval", "a run begins when the workflow does: set its schedule"],
  ["schedule", "a run begins when the workflow does: set its schedule"],
  ["ratelimit", "limits are read from the answers of each registry"],
  ["parallel", "how much goes at once is found by measuring"],
  ["mediaTypes", "every type of image is copied"],
  ["fastCheck", "what is in place is told by its digest, and its referrers are looked at too"],
  ["referrerSlow", "referrers are found in each registry's own way"],
  ["blobLimit", "a layer may have any size"],
  ["cacheCount", "nothing is asked twice in a run"],
  ["cacheTime", "nothing is asked twice in a run"],
  ["skipDockerConfig", "a login of the file wins over the Docker configuration, which is read all the same"],
  ["userAgent", "requests say what they come from"],
  ["mirrors", "images are read from the registry that is named"],
  ["priority", "images are read from the registry that is named"],
  ["pathPrefix", "images are read from the registry that is named"],
  ["repoAuth", "tokens are asked for as each registry gives them"],
  ["credHost", "the login is asked for by the registry's own name"],
  ["credExpire", "the login is asked for when it is needed"],
  ["reqPerSec", "limits are read from the answers of each registry"],
  ["reqConcurrent", "how much goes at once is found by measuring"],
  ["blobChunk", "layers go in the way that each registry takes"],
  ["blobMax", "layers go in the way that each registry takes"],
  ["api", "it has no effect in regsync either"],
  ["apiOpts", "it has no effect in regsync either"],
]);

/** Keys that would change what is mirrored, and are not done here. */
const undone: ReadonlyMap<string, string> = new Map([
  ["backup", "what a tag held before is kept nowhere: leave it out, or set overwrite: skip"],
  ["hooks", "no program runs for an image: make it a step of the job"],
  ["referrerFilters", "referrers are copied all or not at all: leave it out, or set referrers: false"],
  ["referrerSource", "referrers are read beside their image"],
  ["referrerTarget", "referrers are written beside their image"],
  ["includeExternal", "layers that may not be passed on stay where they are"],
  ["clientCert", "no certificate of the client's is shown to a registry"],
  ["clientKey", "no certificate of the client's is shown to a registry"],
  ["token", "a login is a user name and a password"],
  ["credHelper", "name the helper in the Docker configuration, as credHelpers"],
]);

/** Says what of some keys has no effect here, and what cannot be done. */
export function remarkOn(
  entries: readonly YamlEntry[],
  read: readonly string[],
  { remarks }: Surroundings,
): void {
  for (const entry of entries) {
    const { key, line } = entry;
    if (read.includes(key)) continue;
    const [without, instead] = [undone.get(key), idle.get(key)];
    if (without !== undefined) {
      if (!asksNothing(entry)) remarks.mistake(line, `${key}: ${without}`);
    } else if (instead === undefined)
      remarks.notice(`${quoted(key)} is no key of regsync's, and left alone as there`);
    else if (!asksNothing(entry)) remarks.notice(`${key}: ${instead}`);
  }
}
