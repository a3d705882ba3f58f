/**
 * Every row of the table of registries, made real: a small release is mirrored to a stand-in of each and from it, with the
 * login that its usual login action leaves behind, and old versions are pruned.
 */
import { afterEach, describe, expect, test } from "vitest";
import { type ProfileName, profileNames } from "../../sandbox/profiles.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { imageOf, images, seed, startWorld, versions, type World } from "./world.ts";

/** What becomes of an old version, one of whose tags shares its digest with a tag that stays. */
type Pruning = "both" | "unshared" | "none";

interface Row {
  readonly name: ProfileName;
  readonly prunes: Pruning;
  /** Requests that delete, as `host kind METHOD path`. */
  readonly deletes: readonly string[];
  /** Why tags stay. */
  readonly reason?: RegExp;
}

const [newest, kept, old] = versions;

const byTag = images.map((name) => `DELETE /v2/goharbor/${name}/manifests/${old}`);

const rows: readonly Row[] = [
  { name: "ecr", prunes: "both", deletes: ["api POST /", "api POST /"] },
  { name: "ecr-public", prunes: "none", deletes: [], reason: /lists no tags/ },
  {
    name: "acr",
    prunes: "both",
    deletes: [`DELETE /acr/v1/goharbor/app/_tags/${old}`, `DELETE /acr/v1/goharbor/web/_tags/${old}`],
  },
  {
    name: "artifact-registry",
    prunes: "both",
    deletes: byTag,
  },
  {
    name: "ghcr",
    prunes: "unshared",
    deletes: ["api DELETE /orgs/goharbor/packages/container/app/versions/2"],
  },
  { name: "gitlab", prunes: "both", deletes: byTag },
  { name: "quay", prunes: "both", deletes: byTag },
  {
    name: "artifactory",
    prunes: "both",
    deletes: [`DELETE /artifactory/goharbor/app/${old}`, `DELETE /artifactory/goharbor/web/${old}`],
  },
  { name: "alibaba", prunes: "unshared", deletes: byDigest("app") },
  { name: "swr", prunes: "unshared", deletes: byDigest("app") },
  { name: "volcengine", prunes: "none", deletes: [], reason: /only its own API deletes them/ },
  {
    name: "harbor",
    prunes: "both",
    deletes: [
      `DELETE /api/v2.0/projects/goharbor/repositories/app/artifacts/${old}/tags/${old}`,
      `DELETE /api/v2.0/projects/goharbor/repositories/app/artifacts/${imageOf("app", old).digest}`,
      `DELETE /api/v2.0/projects/goharbor/repositories/web/artifacts/${old}/tags/${old}`,
    ],
  },
  { name: "distribution", prunes: "unshared", deletes: byDigest("app") },
];

/** A registry that refuses a deletion by tag is asked for it by digest. */
function byDigest(name: string): readonly string[] {
  const path = `DELETE /v2/goharbor/${name}/manifests`;
  return [`${path}/${old}`, `${path}/${imageOf(name, old).digest}`];
}

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]();
});

async function worldOf(name: ProfileName): Promise<World> {
  const world = await startWorld(name);
  worlds.push(world);
  return world;
}

/** The destination's line: its own host says nothing on a loopback address, so its type is named. */
function lineOf({ vendor }: World, name: ProfileName): string {
  const api = vendor.api === undefined ? "" : `,api=${vendor.api.origin}`;
  return `${vendor.registry.host}/${vendor.namespace},type=${name}${api}`;
}

/** What of a login must never be printed, in the form that it is stored in. */
function secretsOf({ dockerConfig, helper, variables }: World["vendor"]): readonly string[] {
  const stored = JSON.stringify(dockerConfig);
  const [, auth = "", token = ""] = /"auth":"([^"]*)"(?:,"identitytoken":"([^"]*)")?/.exec(stored) ?? [];
  const password = helper?.answer.Secret ?? Buffer.from(auth, "base64").toString().split(":").at(-1) ?? "";
  const { AWS_SECRET_ACCESS_KEY: key = "", AWS_SESSION_TOKEN: session = "" } = variables;
  return [token === "" ? password : token, key, session].filter((secret) => secret !== "");
}

function deletions({ vendor }: World): readonly string[] {
  const own = vendor.registry.requests.filter(
    ({ method, path }) => method === "DELETE" && !path.includes("/uploads/"),
  );
  const api = (vendor.api?.requests ?? []).filter(
    ({ method, headers }) =>
      method === "DELETE" || String(headers["x-amz-target"]).endsWith("BatchDeleteImage"),
  );
  return [
    ...own
      .filter(({ status, path }) => status !== 401 && !isTrial(path))
      .map(({ method, path }) => `${method} ${path}`),
    ...api.map(({ method, path }) => `api ${method} ${path}`),
  ].toSorted();
}

const digests = images.flatMap((name) => versions.map((version) => imageOf(name, version).digest));

/** Whether a deletion is of a digest or a tag that nobody has: so it is tried whether the registry deletes. */
function isTrial(path: string): boolean {
  if (/\/artifacts\/[0-9a-f]{64}\/tags\//.test(path)) return true;
  return path.includes("/manifests/sha256:") && !digests.some((digest) => path.endsWith(digest));
}

test("the rows are those of the profiles", () => {
  expect(rows.map(({ name }) => name)).toEqual(profileNames);
});

describe.each(rows)("$name", ({ name, prunes, deletes, reason }) => {
  const { route } = vendorOf("registry.example.com", name).deletion;

  test("as destination takes a version and gives up an old one, as far as it can", async () => {
    const world = await worldOf(name);
    const { plain, vendor } = world;
    const { registry } = vendor;
    seed(plain, "source", [newest]);
    seed(registry, "goharbor", [kept, old]);
    const shared = imageOf("web", old);
    registry.putManifest("goharbor/web", shared.bytes, shared.mediaType, "stable");

    const result = await world.mirror(`${plain.host}/source`, lineOf(world, name), {}, vendor.variables);

    expect(result.lines.filter((line) => line.startsWith("The run stopped"))).toEqual([]);
    expect(result.done).toBe(true);
    for (const image of images) {
      for (const version of [newest, kept]) {
        expect(registry.tags(`goharbor/${image}`).get(version)).toBe(imageOf(image, version).digest);
        expect(registry.completeness(`goharbor/${image}`, version)).toEqual([]);
      }
    }
    expect(registry.tags("goharbor/app").has(old)).toBe(prunes === "none");
    expect(registry.tags("goharbor/web").has(old)).toBe(prunes !== "both");
    expect(registry.tags("goharbor/web").get("stable")).toBe(shared.digest);
    expect(registry.completeness("goharbor/web", "stable")).toEqual([]);
    expect(deletions(world)).toEqual(deletes.toSorted());
    const trials = registry.requests.filter(({ method, path }) => method === "DELETE" && isTrial(path));
    expect(trials.filter(({ status }) => status !== 401)).toHaveLength(
      ["registry", "harbor"].includes(route) ? 1 : 0,
    );
    // The token of the job may not delete at ghcr.io, so an upload that turned out not to be needed stays open there.
    if (name !== "ghcr") expect(registry.uploadsOpen()).toBe(0);
    const elsewhere = JSON.stringify([...plain.requests, ...world.github.requests]);
    for (const secret of secretsOf(vendor)) {
      expect(result.masked).toContain(secret);
      expect(elsewhere).not.toContain(secret);
      expect(elsewhere).not.toContain(Buffer.from(`${vendor.username}:${secret}`).toString("base64"));
    }
    // The key signs; only its id and its token travel.
    const { AWS_SECRET_ACCESS_KEY: key = "no key" } = vendor.variables;
    expect(JSON.stringify([...registry.requests, ...(vendor.api?.requests ?? [])])).not.toContain(key);
    const warnings = result.warnings.filter((line) => line.startsWith("Nothing will be pruned"));
    expect(warnings).toEqual(reason === undefined ? [] : [expect.stringMatching(reason)]);
  });

  test("as destination where nothing is yet", async () => {
    const world = await worldOf(name);
    const { plain, vendor } = world;
    seed(plain, "source", [newest]);
    const result = await world.mirror(`${plain.host}/source`, lineOf(world, name), {}, vendor.variables);
    expect(result.done).toBe(true);
    for (const image of images) expect(vendor.registry.completeness(`goharbor/${image}`, newest)).toEqual([]);
  });

  test("as destination of a dry run, which leaves nothing behind", async () => {
    const world = await worldOf(name);
    const { plain, vendor } = world;
    seed(plain, "source", [newest]);
    const result = await world.mirror(
      `${plain.host}/source`,
      lineOf(world, name),
      { "dry-run": "true" },
      vendor.variables,
    );
    expect(result.done).toBe(true);
    expect(result.lines.join("\n")).toContain("copy");
    expect(vendor.registry.repositories()).toEqual([]);
    expect(vendor.registry.events).toEqual([]);
    expect(vendor.api?.requests ?? []).toEqual([]);
  });

  test("as source", async () => {
    const world = await worldOf(name);
    const { plain, vendor } = world;
    seed(vendor.registry, "goharbor", [newest]);
    const result = await world.mirror(
      `${vendor.registry.host}/goharbor`,
      `${plain.host}/mirror`,
      {},
      vendor.variables,
    );
    expect(result.lines.filter((line) => line.startsWith("The run stopped"))).toEqual([]);
    expect(result.done).toBe(true);
    for (const image of images) {
      expect(plain.completeness(`mirror/${image}`, newest)).toEqual([]);
      expect(plain.tags(`mirror/${image}`).get(newest)).toBe(imageOf(image, newest).digest);
    }
  });

  test("is the row of the table that its name stands for", () => {
    expect(route === "none").toBe(prunes === "none");
  });
});
