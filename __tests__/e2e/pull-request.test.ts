import { describe, expect, it } from "vitest";
import { act, startSandboxWorld, version } from "./world.ts";

/**
 * A pull request of a fork: GitHub gives its jobs no secret, and a token that only reads.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
 */
const withoutSecrets = {
  "dockerhub-username": "",
  "dockerhub-token": "",
  "tcr-secret-id": "",
  "tcr-secret-key": "",
  logins: "",
};

async function startFork() {
  const world = await startSandboxWorld();
  for (const place of [world.source, world.near]) await place.seed(version("v2.15.2"));
  await world.source.seed(version("v2.15.1"));
  const look = (inputs: Readonly<Record<string, string>>) =>
    act(world, {
      event: { name: "pull_request", payload: { action: "opened", number: 7 } },
      inputs: {
        ...withoutSecrets,
        "versions-from": "tags",
        repository: "",
        images: "harbor-core\nharbor-db",
        version: "newest:2",
        ...inputs,
      },
    });
  const writes = () =>
    [...world.sandbox.servers.values()].flatMap(({ requests }) =>
      requests.filter(({ method }) => method !== "GET" && method !== "HEAD"),
    );
  return { world, look, writes, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe("a pull request without secrets", () => {
  it("gets the plan of what is public, and nothing is written", async () => {
    await using fork = await startFork();
    const { exitCode, log, outputs } = await fork.look({
      destinations: fork.world.near.line,
      "dry-run": "true",
    });
    expect(log).toContain("Dry run, nothing was written: 2 images to copy, 2 to skip");
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "0", failed: "0" });
    expect(fork.writes()).toEqual([]);
  });

  it("is told which destination wants a login, and has the plan of the others", async () => {
    await using fork = await startFork();
    const { exitCode, log } = await fork.look({ "dry-run": "true" });
    expect(exitCode).toBe(1);
    expect(log).toContain("No login is known for this registry: set its inputs, give it one in `logins`");
    expect(log).toContain("2 images to copy, 2 to skip, 0 to prune, 4 that cannot be mirrored");
    expect(fork.writes()).toEqual([]);
  });

  it("is told by a check what is missing, and nothing is left behind", async () => {
    await using fork = await startFork();
    const { exitCode, log } = await fork.look({ check: "true" });
    expect(exitCode).toBe(1);
    expect(log).toContain("No login is known for this registry");
    const { near, far } = fork.world;
    expect(Object.keys(await far.state())).toEqual([]);
    expect(Object.keys((await near.state())["goharbor/harbor-core"] ?? {})).toEqual(["v2.15.2"]);
  });

  it("cannot mirror: every push is refused", async () => {
    await using fork = await startFork();
    const { exitCode } = await fork.look({});
    expect(exitCode).toBe(1);
    expect(Object.keys(await fork.world.far.state())).toEqual([]);
    expect(Object.keys((await fork.world.near.state())["goharbor/harbor-core"] ?? {})).toEqual(["v2.15.2"]);
  });
});
