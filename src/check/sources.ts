import type { Finding } from "../destinations/destination.ts";
import { type Source, sourcesOf } from "../inventory/sources.ts";
import { printNamespace, printReference, repositoryOf } from "../oci/reference.ts";
import type { Component } from "../plan/component.ts";
import { attempt, type CheckContext, type CheckResult } from "./check.ts";

/**
 * Looks for one image of the wanted version at every source, by HEAD. A source that lacks it is a problem only if no other
 * source has it.
 * @param components of the wanted version; none: no version is known.
 */
export async function checkSources(
  sources: readonly Source[],
  components: readonly Component[],
  context: CheckContext,
): Promise<readonly CheckResult[]> {
  const results = await Promise.all(
    sources.map((source) =>
      attempt(
        { place: printNamespace(source), subject: "read" },
        (until) =>
          readOne(
            source,
            components.find((each) => sourcesOf(each.source, [source]).length > 0),
            until,
          ),
        context,
      ),
    ),
  );
  const served = sources.some((source, index) => !source.onlyNamed && results[index]?.outcome === "ok");
  return results.map((result, index) => ({
    ...result,
    needed: sources[index]?.onlyNamed === true || !served,
  }));
}

async function readOne(
  source: Source,
  component: Component | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  if (component === undefined)
    return { outcome: "unknown", finding: "No version is known, and so no image that could be looked for." };
  const name = printReference(component.from, component.fromTag);
  const repository = source.repository(repositoryOf(source, component.from));
  const found =
    (await repository.resolve(component.fromTag, signal)) ??
    (await repository.resolveInDoubt(component.fromTag, signal));
  if (found !== undefined)
    return { outcome: "ok", finding: `${name} is there and can be read.${findingOfPulls(source)}` };
  return {
    outcome: "missing",
    finding: `It answers, but ${name} is not there.`,
    remedy:
      "Check `source` and `images`. If the version was released just now, a run waits for it as long as `wait` says.",
  };
}

function findingOfPulls({ client: { pullBudget } }: Source): string {
  return pullBudget === undefined ? "" : ` ${pullBudget.remaining} of ${pullBudget.limit} pulls are left.`;
}
