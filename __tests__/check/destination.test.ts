import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkDestination } from "../../src/check/destination.ts";
import { systemClock } from "../../src/clock.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { Repository } from "../../src/oci/repository.ts";
import { component, never, openWorld, place, type World } from "../inventory/harness.ts";
import { clientOf } from "../oci/clients.ts";

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const components = [component("app", "v1.0.0"), component("db", "v1.0.0")];
const forEver = Number.POSITIVE_INFINITY;

/** The rows of a check, by subject. */
async function rowsOf(server: Awaited<ReturnType<World["start"]>>) {
  const client = clientOf(server);
  const destination = {
    ...world.destination(server),
    client,
    credentials: anonymous,
    repository: (name: string) => new Repository(client, name),
  };
  const results = await checkDestination(destination, components, { clock: systemClock, signal: never });
  return new Map(results.map((result) => [result.subject, result]));
}

describe("a destination that does not list its tags", () => {
  test.each([401, 403, 405, 500, 501])(
    "(%i) is asked for the image itself, and cannot prune",
    async (status) => {
      const server = await world.start();
      place(server, "db", "v1.0.0");
      server.fault({ when: { path: /tags\/list/ }, times: forEver, effect: { status } });
      const rows = await rowsOf(server);
      expect(rows.get("sign in")).toMatchObject({
        outcome: "ok",
        finding: expect.stringContaining("db is there"),
      });
      expect(rows.get("push")?.outcome).toBe("ok");
      expect(rows.get("delete")).toMatchObject({
        outcome: "missing",
        finding: expect.stringContaining("tags cannot be listed"),
      });
      expect(
        new Set(server.requests.filter(({ path }) => path.includes("tags")).map(({ path }) => path)).size,
      ).toBe(1);
    },
  );

  test("and refuses everything else, too, is told with its own words", async () => {
    const server = await world.start();
    const body = JSON.stringify({
      errors: [{ code: "UNAUTHORIZED", message: "project nonesuch not found" }],
    });
    server.fault({ when: { path: /goharbor/ }, times: forEver, effect: { status: 401, body } });
    const rows = await rowsOf(server);
    expect(rows.get("sign in")).toMatchObject({
      outcome: "missing",
      finding: expect.stringContaining("project nonesuch not found"),
      remedy: expect.stringContaining("Make the project"),
    });
  });
});
