import { afterEach, describe, expect, it } from "vitest";
import { githubToken, packagesToken } from "../../sandbox/github.ts";
import { publicNames, startInternet } from "../../sandbox/internet.ts";
import { act, startSandboxWorld, version } from "./world.ts";

/** Patterns at the registries of the internet: each has its list at an address of its own, where no other login goes. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function startWorld() {
  const world = await startSandboxWorld();
  const { sandbox } = world;
  const internet = await startInternet(publicNames(sandbox));
  open.push(internet, world);
  for (const place of [world.source, world.near, world.far]) await place.seed(version("v2.15.2"));
  const run = (inputs: Readonly<Record<string, string>>) =>
    act(
      { ...world, env: internet.env },
      {
        event: { name: "push", payload: {} },
        inputs: {
          repository: "",
          "versions-from": "tags",
          version: "newest:1",
          images: "harbor-{core,db}",
          "dry-run": "true",
          "github-api-url": "https://api.github.com",
          ...inputs,
        },
      },
    );
  return { sandbox, internet, run };
}

const tcr = "goharbor.tencentcloudcr.com/goharbor";

describe("a pattern lists the repositories", () => {
  it("of ghcr.io at GitHub's API, with a classic token; that of the job gets none", async () => {
    const { sandbox, internet, run } = await startWorld();
    const inputs = { source: "ghcr.io/goharbor", destinations: "docker.io/mirror" };
    const listed = await run({ ...inputs, "github-token": packagesToken });
    expect(listed.log).toContain("In all: 2 images to copy");
    expect(listed.exitCode).toBe(0);
    expect(sandbox.github.requests.map(({ path }) => path)).toEqual([
      "/orgs/goharbor/packages?package_type=container&per_page=100",
    ]);
    const refused = await run({ ...inputs, "github-token": githubToken });
    expect(refused.exitCode).toBe(1);
    expect(refused.log).toContain("a classic token that has `read:packages`");
    expect(internet.refused).toEqual([]);
  });

  it("of Docker Hub at the Hub API, without a login", async () => {
    const { sandbox, internet, run } = await startWorld();
    const login = { "dockerhub-username": "", "dockerhub-token": "" };
    const { exitCode, log } = await run({ ...login, source: "docker.io/goharbor", destinations: tcr });
    expect({ exitCode, copies: /In all: (.*) to copy/.exec(log)?.[1] }).toEqual({
      exitCode: 0,
      copies: "0 images",
    });
    expect(sandbox.dockerHub.api.requests.map(({ path }) => path)).toEqual([
      "/v2/namespaces/goharbor/repositories?page=1&page_size=100",
    ]);
    expect(sandbox.dockerHub.api.requests[0]?.headers.authorization).toBeUndefined();
    expect(sandbox.github.requests).toEqual([]);
    expect(internet.refused).toEqual([]);
  });

  it("of TCR at its API, with the key, for a destination that takes the source's namespace", async () => {
    const { internet, run } = await startWorld();
    const { exitCode, log } = await run({ source: tcr, destinations: "docker.io" });
    expect({ exitCode, copies: /In all: (.*) to copy/.exec(log)?.[1] }).toEqual({
      exitCode: 0,
      copies: "0 images",
    });
    expect(log).toContain("docker.io/goharbor");
    expect(internet.refused).toEqual([]);
  });
});
