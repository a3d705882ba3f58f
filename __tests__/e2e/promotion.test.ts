import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry, type User } from "../../sandbox/registry.ts";
import { act, startSandboxWorld } from "./world.ts";

/** From development to test to production: the same digests, whatever the tags are called. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const images = ["server", "worker"] as const;

/** May pull and push below some paths, pull from others, and delete nothing. */
function account(username: string, pushes: readonly string[], pulls: readonly string[] = []): User {
  const isBelow = (paths: readonly string[], repository: string) =>
    paths.some((path) => repository.startsWith(`${path}/`));
  return {
    username,
    password: `${username}-password`,
    access: (repository, action) =>
      action !== "delete" && isBelow(action === "pull" ? [...pushes, ...pulls] : pushes, repository),
  };
}

async function startWorld(options: Parameters<typeof startRegistry>[0] = {}) {
  const world = await startSandboxWorld();
  const registry = await startRegistry(options);
  open.push(world, registry);
  for (const image of images)
    for (const tag of ["v1.4.0-rc.2", "v1.3.0", "sha-abc1234"])
      pushTo(registry, `dev/${image}`, buildImage({ seed: `${image}:${tag}` }), tag);
  const promote = (inputs: Readonly<Record<string, string>>) =>
    act(world, {
      event: { name: "workflow_dispatch", payload: {} },
      inputs: {
        repository: "",
        "versions-from": "tags",
        "dockerhub-username": "",
        "dockerhub-token": "",
        "tcr-secret-id": "",
        "tcr-secret-key": "",
        wait: "0",
        ...inputs,
      },
    });
  return { registry, promote };
}

const digestsIn = (registry: RegistryServer, place: string, tag: string) =>
  images.map((image) => registry.tags(`${place}/${image}`).get(tag));

/** What moves bytes of blobs, to the runner or from it. */
const moves = ({ requests }: RegistryServer) =>
  requests.filter(
    ({ method, path }) =>
      (method === "GET" && /\/blobs\/sha256/.test(path)) ||
      ((method === "PUT" || method === "PATCH") && path.includes("/blobs/uploads/")),
  );

/** The step that gives a candidate its final tag in the test environment. */
const toTest = (host: string) => ({
  source: `${host}/dev`,
  version: "v1.4.0-rc.2",
  images: images.map((image) => `${image} => ${image}:{{major}}.{{minor}}.{{patch}}`).join("\n"),
  destinations: `${host}/test`,
});

describe("promotion within one registry", () => {
  it("mounts every blob, so that no byte moves, and gives the final tag the digest of the candidate", async () => {
    const { registry, promote } = await startWorld();
    const { exitCode, log } = await promote(toTest(registry.host));
    expect(exitCode, log).toBe(0);
    expect(digestsIn(registry, "test", "1.4.0")).toEqual(digestsIn(registry, "dev", "v1.4.0-rc.2"));
    expect(registry.tags("test/server").size).toBe(1);
    expect(moves(registry)).toEqual([]);
  });

  it("brings to production by digest what test approved, whatever the tags lead to by then", async () => {
    const { registry, promote } = await startWorld();
    const approved = await promote(toTest(registry.host));
    const before = digestsIn(registry, "test", "1.4.0");
    pushTo(registry, "test/server", buildImage({ seed: "pushed by somebody else" }), "1.4.0");
    const { exitCode, log } = await promote({
      images: approved.outputs.images ?? "",
      destinations: `${registry.host}/production`,
    });
    expect(exitCode, log).toBe(0);
    expect(digestsIn(registry, "production", "1.4.0")).toEqual(before);
    expect(moves(registry)).toEqual([]);
  });

  it("takes any tag that a build has, such as that of a commit", async () => {
    const { registry, promote } = await startWorld();
    const { exitCode, log } = await promote({
      ...toTest(registry.host),
      version: "sha-abc1234",
      images: images.join("\n"),
    });
    expect(exitCode, log).toBe(0);
    expect(digestsIn(registry, "test", "sha-abc1234")).toEqual(digestsIn(registry, "dev", "sha-abc1234"));
  });

  it("leaves immutable tags as they are on a second run, without the right to delete, and fails by name where they differ", async () => {
    const immutableTags = new Set<string>();
    const { registry, promote } = await startWorld({ immutableTags, deletion: "disabled" });
    expect((await promote(toTest(registry.host))).exitCode).toBe(0);
    for (const image of images) immutableTags.add(`test/${image}:1.4.0`);
    const held = digestsIn(registry, "test", "1.4.0");
    const again = await promote(toTest(registry.host));
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "2", failed: "0" });
    const other = await promote({
      ...toTest(registry.host),
      version: "v1.3.0",
      images: images.map((image) => `${image} => ${image}:1.4.0`).join("\n"),
    });
    expect(other.exitCode).toBe(1);
    expect(other.log).toContain("1.4.0");
    expect(digestsIn(registry, "test", "1.4.0")).toEqual(held);
  });
});

describe("promotion across accounts", () => {
  it("uses the login of each place, and copies the bytes that no account may mount", async () => {
    const users = [account("builder", ["dev"]), account("tester", ["test"])];
    const { registry, promote } = await startWorld({
      anonymousPull: false,
      authentication: { kind: "bearer", users, service: "registry" },
    });
    const { exitCode, log } = await promote({
      ...toTest(registry.host),
      logins: `"${registry.host}/dev": {username: builder, password: builder-password}
"${registry.host}/test": {username: tester, password: tester-password}
`,
    });
    expect(exitCode, log).toBe(0);
    expect(digestsIn(registry, "test", "1.4.0")).toEqual(digestsIn(registry, "dev", "v1.4.0-rc.2"));
    expect(log).not.toMatch(/(?<!add-mask::)(builder|tester)-password/);
  });
});
