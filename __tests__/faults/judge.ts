import { expect, vi } from "vitest";
import type { RegistryServer } from "../../sandbox/registry.ts";
import type { Stage } from "./stages.ts";
import {
  images,
  keptBefore,
  logins,
  oldest,
  type RunResult,
  repository,
  serversOf,
  type World,
  wanted,
} from "./world.ts";

/**
 * Virtual minutes that no run may take: of six tries each may be told to wait for five minutes. What is longer is not
 * waited for.
 */
const longestRun = 45;

/** What a run with this outcome must have left behind, everywhere and whatever the fault was. */
export async function judge(world: World, result: RunResult, stage: Pick<Stage, "party">): Promise<void> {
  const { healthy, troubled } = world;
  const sourceFailed = !result.done && stage.party !== "destination";
  expect(result.minutes).toBeLessThan(longestRun);
  // P4: the other destination has everything, and is pruned; without a source, it is as it was.
  expectComplete(healthy);
  expect(tagsOf(healthy)).toEqual(sourceFailed ? before : after);
  // P3: a tag of the version is there only if all of the version is.
  expectComplete(troubled);
  const published = images.filter((image) => troubled.tags(repository(image)).has(wanted));
  if (published.length > 0) expectWhole(troubled);
  // P5: nothing is deleted where a copy failed, and what is kept is there in any case.
  for (const image of images) {
    const tags = troubled.tags(repository(image));
    expect(tags.has(keptBefore)).toBe(true);
    if (published.length < images.length) expect(tags.has(oldest)).toBe(true);
  }
  if (result.done) expect(published).toEqual([...images]);
  expect(result.outputs.failed ?? "1").toMatch(result.done ? /^0$/ : /^[0-9]+$/);
  expectLoginsAtHome(world);
}

const before = { core: [oldest, keptBefore], portal: [oldest, keptBefore] };
const after = { core: [keptBefore, wanted], portal: [keptBefore, wanted] };

function tagsOf(registry: RegistryServer): Record<string, readonly string[]> {
  return Object.fromEntries(
    images.map((image) => [image, [...registry.tags(repository(image)).keys()].sort()]),
  );
}

/** Every tag leads to whole content: all manifests, all blobs, each of its digest. */
function expectComplete(registry: RegistryServer): void {
  for (const image of images)
    for (const tag of registry.tags(repository(image)).keys())
      expect([image, tag, registry.completeness(repository(image), tag)]).toEqual([image, tag, []]);
}

/** Every image of the version is there, be it without its tag. */
function expectWhole(registry: RegistryServer): void {
  for (const image of images) {
    const written = registry.events.filter(
      (event) => event.kind === "manifest" && event.repository === repository(image),
    );
    expect(written.length).toBeGreaterThan(0);
    for (const { digest } of written) expect(registry.completeness(repository(image), digest)).toEqual([]);
  }
}

/** P7: each login went to the servers that it is for. */
function expectLoginsAtHome(world: World): void {
  for (const [name, server] of serversOf(world)) {
    const sent = server.requests.map(({ headers }) => headers.authorization ?? "").join("\n");
    for (const { text, at } of logins) if (!at.test(name)) expect(sent).not.toContain(text);
    if (name.endsWith("content server")) expect(sent.trim()).toBe("");
  }
}

/**
 * P8: some line says which side, host, operation and status it was, in one sentence; or that something is not there, or which
 * version is half there, at the destination in trouble.
 */
export function expectPlainWords(
  { troubled }: World,
  result: RunResult,
  { party }: Stage,
  host: string,
  status: number | undefined,
): void {
  const sentences = result.lines.filter((line) => {
    if (line.includes(`${party} ${host}`)) return / failed/.test(line);
    if (line.includes(host) && /is at no source \(.*: not found\)/.test(line)) return true;
    return line.includes(troubled.host) && line.includes("is half there");
  });
  expect(sentences.length).toBeGreaterThan(0);
  if (status !== undefined)
    expect(sentences.some((line) => line.includes(`failed with status ${status}`))).toBe(true);
}

/** No upload is left open at the destination in trouble; those that are given up are cancelled in passing. */
export function nothingLeftOpen({ troubled }: World): Promise<void> {
  return vi.waitFor(() => expect(troubled.uploadsOpen()).toBe(0));
}
