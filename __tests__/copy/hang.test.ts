import { expect, test } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { failureOf } from "../oci/failure-of.ts";
import { contentOf, startDownloadWorld } from "./download-world.ts";
const three = randomBytes("three", 3_000_000);
test.each(Array.from({ length: 60 }, (_, i) => i))("x %i", async () => {
  await using world = await startDownloadWorld();
  world.servers[0]?.fault({ when: { method: "GET", path: /\/blobs\// }, times: Infinity, effect: { reset: true } });
  const { digest } = world.claim(three, 2);
  const timer = setTimeout(() => console.log("HANG", world.servers[0]?.requests.length, world.slots, JSON.stringify(world.servers[0]?.requests.slice(-3)), world.downloads.lanes), 6000);
  const failures = [0, 1].map(async () => failureOf(contentOf(await world.downloads.open(digest))));
  for (const failure of await Promise.all(failures)) expect(failure.message).toContain("source");
  clearTimeout(timer);
}, 8000);
