import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type ActionEvent, releaseEvent } from "../../sandbox/action.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { fullAccess } from "../../sandbox/registry.ts";
import type { JobResult, WorkflowOptions } from "../../sandbox/workflow.ts";
import { codeBlocks, textOf } from "../support/documents.ts";
import {
  type ExampleWorld,
  loginAction,
  registryLogin,
  secrets,
  seedShop,
  shopOptions,
  tagsByImage,
  tagsByNamespace,
  tcrLogin,
  type WorldOptions,
} from "./examples.ts";
import { scale } from "./world.ts";

/** A block of YAML in a document, by where it is. */
export interface Block {
  /** Path of the document and heading above the block, and a number where there are several below it. */
  readonly name: string;
  readonly text: string;
}

/** How a block is run, and what must be true afterwards. */
export interface Example {
  /** Name of the TCR instance there is. Default: `goharbor`. */
  readonly instance?: string;
  readonly options?: WorldOptions;
  /** Steps that follow, where the block is only a part of a job: what it says must be of use to them. */
  readonly followedBy?: string;
  readonly prepare?: (world: ExampleWorld) => unknown;
  readonly event: (world: ExampleWorld) => ActionEvent;
  readonly more?: Partial<WorkflowOptions>;
  /** Repositories that it mirrors whatever version the event brings. */
  readonly besides?: readonly string[];
  /** What the registries hold then. */
  readonly expected: (world: ExampleWorld) => void;
  /** What the steps tell then. */
  readonly told?: (jobs: readonly JobResult[], world: ExampleWorld) => void;
}

const all = ["v2.14.4", "v2.15.0", "v2.15.1", "v2.15.2"];
const newestThree = all.slice(1);

/** TCR holds three versions, of which the oldest has to go for v2.15.2. */
function seedMirrors({ sandbox }: ExampleWorld): void {
  for (const version of all.slice(0, 3)) seedRelease(sandbox.tcr.registry, version, { scale });
  seedRelease(sandbox.dockerHub.registry, "v2.15.1", { scale });
}

const published = (world: ExampleWorld): ActionEvent => releaseEvent(world.sandbox, "v2.15.2");

/** The release of v2.15.2 goes to Docker Hub, which keeps all, and to TCR, which holds three versions and keeps three. */
const release: Example = {
  options: { tcr: { namespaces: { goharbor: false } } },
  prepare: seedMirrors,
  event: published,
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.1", "v2.15.2"] });
  },
};

/** The same, and the newest three charts beside the images. */
const releaseAndChart: Example = {
  ...release,
  besides: ["goharbor/harbor"],
  expected: ({ sandbox }) => {
    for (const { registry, versions } of [
      { registry: sandbox.tcr.registry, versions: newestThree },
      { registry: sandbox.dockerHub.registry, versions: ["v2.15.1", "v2.15.2"] },
    ]) {
      expect([...registry.tags("goharbor/harbor-core").keys()].sort()).toEqual(versions);
      expect([...registry.tags("goharbor/harbor").keys()].sort()).toEqual(["1.18.4", "1.19.0", "1.19.1"]);
    }
  },
};

/** On the schedule, what is missing of both. */
const chartOnSchedule: Example = {
  besides: ["goharbor/harbor"],
  options: { tcr: { namespaces: { goharbor: false } } },
  event: () => ({ name: "schedule", payload: { schedule: "17 3 * * *" } }),
  expected: ({ sandbox }) => {
    for (const registry of [sandbox.tcr.registry, sandbox.dockerHub.registry]) {
      expect([...registry.tags("goharbor/harbor-core").keys()].sort()).toEqual(newestThree);
      expect([...registry.tags("goharbor/harbor").keys()].sort()).toEqual(["1.18.4", "1.19.0", "1.19.1"]);
    }
  },
};

/** The same at an instance that has nothing yet: the namespace is made, and everyone may pull from it. */
const firstRelease: Example = {
  event: published,
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(sandbox.tcr.namespaces.get("goharbor")).toEqual({ public: true });
  },
};

const schedule: Example = {
  instance: "example",
  event: () => ({ name: "schedule", payload: { schedule: "17 3,15 * * *" } }),
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(sandbox.tcr.namespaces.get("goharbor")).toEqual({ public: true });
    expect(sandbox.dockerHub.registry.state()).toEqual({});
  },
};

/** Each of both routes brings its own versions to one place. */
const imagesAndChart: Example = {
  ...schedule,
  expected: (world) => {
    const { registry } = world.sandbox.tcr;
    expect([...registry.tags("goharbor/harbor").keys()].sort()).toEqual(["1.18.4", "1.19.0", "1.19.1"]);
    expect([...registry.tags("goharbor/harbor-core").keys()].sort()).toEqual(newestThree);
    expect(registry.completeness("goharbor/harbor", "1.19.1")).toEqual([]);
  },
  told: (jobs) => {
    const summary = jobs[0]?.steps.map(({ action }) => action?.summary).join("\n");
    expect(summary).toContain("helm pull oci://example.tencentcloudcr.com/goharbor/harbor --version 1.19.1");
    expect(summary).toContain("docker pull example.tencentcloudcr.com/goharbor/harbor-core:v2.15.2");
    expect(summary).toContain("repository: example.tencentcloudcr.com/goharbor/harbor-core");
  },
};

/** The box that says "dry run" is ticked, or not. */
function backfill(isDryRun: boolean): Example {
  const inputs = { version: "v2.14.4, v2.15.0", "dry-run": isDryRun };
  return {
    instance: "example",
    // GitHub puts texts into the event, and makes a boolean of this one for the context `inputs`.
    event: () => ({
      name: "workflow_dispatch",
      payload: { inputs: { ...inputs, "dry-run": String(isDryRun) } },
    }),
    more: { inputs },
    expected: ({ sandbox }) => {
      expect(tagsByNamespace(sandbox.tcr.registry)).toEqual(
        isDryRun ? {} : { "goharbor-archive": ["v2.14.4", "v2.15.0"] },
      );
      expect(sandbox.tcr.namespaces.size).toBe(isDryRun ? 0 : 1);
    },
    told: (jobs) => {
      const report = jobs[0]?.steps.at(-1)?.log;
      expect(report).toContain(`Images copied: ${isDryRun ? 0 : 24}`);
      expect(report).toContain('"schemaVersion"');
    },
  };
}

const ownImages: Example = {
  options: shopOptions,
  prepare: ({ sandbox }) => seedShop(sandbox),
  event: ({ sandbox }) => releaseEvent(sandbox, "v1.4.0"),
  expected: ({ registry }) => {
    expect(tagsByImage(registry.state())).toEqual({
      "mirror/shop-server": ["v1.4.0"],
      "mirror/shop-worker": ["1.4.0"],
      "mirror/shop-web": ["1.4-alpine"],
      "mirror/shop-migrate": ["v1.4.0"],
    });
  },
  told: ([mirror, ...checks], { registry }) => {
    expect(mirror?.outputs.images).toContain('"reference":"registry.example.com/mirror/shop-server:v1.4.0"');
    const printed = checks.map(({ steps }) => steps[0]?.log.trim()).sort();
    const digests = registry.state();
    expect(printed).toEqual(
      [
        `registry.example.com/mirror/shop-migrate:v1.4.0@${digests["mirror/shop-migrate"]?.["v1.4.0"]}`,
        `registry.example.com/mirror/shop-server:v1.4.0@${digests["mirror/shop-server"]?.["v1.4.0"]}`,
        `registry.example.com/mirror/shop-web:1.4-alpine@${digests["mirror/shop-web"]?.["1.4-alpine"]}`,
        `registry.example.com/mirror/shop-worker:1.4.0@${digests["mirror/shop-worker"]?.["1.4.0"]}`,
      ].map((image) => `Your own command for ${image}`),
    );
  },
};

/** A candidate gets its final tag, and goes on by digest. */
const promotion: Example = {
  event: () => ({ name: "workflow_dispatch", payload: { inputs: { candidate: "v1.4.0-rc.2" } } }),
  more: { inputs: { candidate: "v1.4.0-rc.2" } },
  prepare: ({ registry }) => {
    for (const image of ["server", "worker"])
      for (const tag of ["v1.4.0-rc.2", "v1.4.0-rc.1"])
        pushTo(registry, `dev/${image}`, buildImage({ seed: `${image}:${tag}` }), tag);
  },
  expected: ({ registry }) => {
    for (const image of ["server", "worker"]) {
      const candidate = registry.tags(`dev/${image}`).get("v1.4.0-rc.2");
      for (const place of ["test", "production"])
        expect([...registry.tags(`${place}/${image}`)]).toEqual([["1.4.0", candidate]]);
    }
    expect(
      registry.requests.filter(({ method, path }) => method === "GET" && /blobs\/sha256/.test(path)),
    ).toEqual([]);
  },
  told: (jobs) => expect(jobs.map(({ steps }) => steps.at(-1)?.outputs.copied)).toEqual(["2", "2"]),
};

/** The project's images without a login. */
const publicShop = { github: shopOptions.github ?? {} };

const twoMirrors: Example = {
  instance: "example",
  options: {
    ...publicShop,
  },
  prepare: ({ sandbox }) => seedShop(sandbox),
  event: ({ sandbox }) => releaseEvent(sandbox, "v1.4.0"),
  expected: ({ sandbox }) => {
    const images = (namespace: string) => ({
      [`${namespace}/shop-server`]: ["v1.4.0"],
      [`${namespace}/shop-worker`]: ["1.4.0"],
    });
    expect(tagsByImage(sandbox.dockerHub.registry.state())).toEqual(images("example"));
    expect(tagsByImage(sandbox.tcr.registry.state())).toEqual(images("shop"));
  },
};

/** The statement that is signed names each image with the digest that its place has. */
const attested: Example = {
  ...twoMirrors,
  told: (_jobs, { sandbox, folder }) => {
    const statement: unknown = JSON.parse(readFileSync(`${folder}/job-0/home/statement.json`, "utf8"));
    const hub = sandbox.dockerHub.registry.state();
    const tcr = sandbox.tcr.registry.state();
    const subjects = [
      ["docker.io/example/shop-server", hub["example/shop-server"]?.["v1.4.0"]],
      ["docker.io/example/shop-worker", hub["example/shop-worker"]?.["1.4.0"]],
      ["example.tencentcloudcr.com/shop/shop-server", tcr["shop/shop-server"]?.["v1.4.0"]],
      ["example.tencentcloudcr.com/shop/shop-worker", tcr["shop/shop-worker"]?.["1.4.0"]],
    ];
    expect(statement).toMatchObject({
      subject: subjects.map(([name, digest]) => ({
        name,
        digest: { sha256: digest?.replace("sha256:", "") },
      })),
      predicate: { schemaVersion: 1, succeeded: true, mirroredVersions: ["v1.4.0"] },
    });
  },
};

/** A rule of TCR brings to the mainland what has come to the instance abroad, once the run looks for it there. */
const filledBySync: Example = {
  instance: "example-sg",
  event: () => ({ name: "schedule", payload: {} }),
  prepare: ({ sandbox, registry }) => {
    const fill = () => {
      for (const version of Object.keys(sandbox.tcr.registry.state()["goharbor/harbor-core"] ?? {}))
        seedRelease(registry, version, { scale });
    };
    // The plan looks 36 times.
    registry.fault({ when: { method: "HEAD", path: /manifests/ }, skip: 40, effect: { run: fill } });
  },
  expected: ({ sandbox, registry }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(tagsByNamespace(registry)).toEqual({ goharbor: newestThree });
    expect(registry.requests.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  },
  told: ([job]) => {
    const { outputs, log } = job?.steps.at(-1) ?? {};
    expect(outputs).toMatchObject({ copied: "72", failed: "0" });
    expect(log).toContain("has come to example.tencentcloudcr.com/goharbor");
  },
};

/** The second job reads nothing but what the first one has brought. */
const twoHops: Example = {
  instance: "example",
  event: () => ({ name: "schedule", payload: {} }),
  expected: ({ sandbox, registry }) => {
    expect(tagsByNamespace(registry)).toEqual({ goharbor: newestThree });
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(sandbox.tcr.namespaces.get("goharbor")).toEqual({ public: true });
  },
};

/** A run of the workflow that publishes, as GitHub tells of it: the ref has no kind there, and this run is of the default branch. */
function afterRun(run: Readonly<Record<string, string>>): ActionEvent {
  const ended = {
    name: "Publish release",
    event: "push",
    conclusion: "success",
    head_branch: "v1.4.0",
    ...run,
  };
  return { name: "workflow_run", payload: { action: "completed", workflow_run: ended } };
}

/** @param isWanted whether the job runs and mirrors the version; otherwise it is left out. */
function afterPublishing(run: Readonly<Record<string, string>>, isWanted: boolean): Example {
  return {
    instance: "example",
    options: publicShop,
    prepare: ({ sandbox }) => seedShop(sandbox),
    event: () => afterRun(run),
    expected: ({ sandbox }) => {
      const images = { "published/shop-server": ["v1.4.0"], "published/shop-worker": ["1.4.0"] };
      expect(tagsByImage(sandbox.tcr.registry.state())).toEqual(isWanted ? images : {});
    },
    told: ([job]) => expect(job?.skipped).toBe(!isWanted),
  };
}

const oneStep: Example = {
  event: () => ({ name: "push", payload: {} }),
  expected: ({ registry }) => {
    expect(tagsByNamespace(registry)).toEqual({ harbor: ["v2.15.1"] });
  },
  told: ([job]) => {
    expect(job?.steps.at(-1)).toMatchObject({ skipped: false, failed: false });
  },
};

/** @param event that starts the workflow: a pull request gets the plan, anything else the images. */
function routesOn(event: "pull_request" | "push"): Example {
  const isMirrored = event === "push";
  const routes = "- source: ghcr.io/example\n  images: |\n    shop-server\n    shop-worker:{{version}}\n";
  return {
    options: publicShop,
    prepare: ({ sandbox, folder }) => {
      seedShop(sandbox);
      // Where a step of the sandbox has its workspace, and the repository of the runner `act`.
      for (const workspace of ["plan-0/step-1/workspace", "mirror-0/step-1/workspace", "act/repository"]) {
        mkdirSync(join(folder, workspace, "mirror"), { recursive: true });
        writeFileSync(join(folder, workspace, "mirror/routes.yaml"), routes);
      }
    },
    event: () => ({ name: event, payload: { action: "opened", number: 7 } }),
    expected: ({ sandbox }) => {
      const images = {
        "example-mirror/shop-server": ["v1.3.0", "v1.4.0"],
        "example-mirror/shop-worker": ["1.3.0", "1.4.0"],
      };
      expect(tagsByImage(sandbox.dockerHub.registry.state())).toEqual(isMirrored ? images : {});
    },
    told: (jobs) => {
      const [job] = jobs.filter(({ skipped }) => !skipped);
      expect(job?.id).toBe(isMirrored ? "mirror" : "plan");
      expect(job?.steps.at(-1)?.log).toContain("4 images");
    },
  };
}

/** Versions of no release, from the tags of images. */
const fromTags: Readonly<Record<"product" | "list" | "pattern", Example>> = {
  product: {
    event: () => ({ name: "schedule", payload: {} }),
    prepare: ({ sandbox }) => seedShop(sandbox),
    expected: ({ registry, sandbox }) => {
      expect(tagsByImage(registry.state())).toEqual({
        "mirror/shop-server": ["v1.3.0", "v1.4.0"],
        "mirror/shop-worker": ["1.3.0", "1.4.0"],
      });
      expect(sandbox.github.requests).toEqual([]);
    },
  },
  list: {
    instance: "example",
    event: () => ({ name: "schedule", payload: {} }),
    prepare: ({ sandbox }) => {
      seedShop(sandbox);
      pushTo(sandbox.dockerHub.registry, "prom/prometheus", buildImage({ seed: "prometheus" }), "v2.53.0");
      pushTo(sandbox.dockerHub.registry, "library/nginx", buildImage({ seed: "nginx" }), "1.27-alpine");
    },
    expected: ({ sandbox }) => {
      expect(tagsByImage(sandbox.tcr.registry.state())).toEqual({
        "public/prometheus": ["v2.53.0"],
        "public/nginx": ["1.27-alpine"],
        "public/shop-migrate": ["v1.4.0"],
      });
      expect(sandbox.tcr.namespaces.get("public")).toEqual({ public: true });
    },
  },
  pattern: {
    instance: "example",
    event: () => ({ name: "schedule", payload: {} }),
    prepare: ({ registry }) => {
      for (const minor of [0, 1, 2, 3])
        pushTo(registry, "team/web", buildImage({ seed: `web${minor}` }), `v1.${minor}.0`);
      pushTo(registry, "team/jobs/mail", buildImage({ seed: "mail" }), "v7.0.0");
      pushTo(registry, "other/web", buildImage({ seed: "other" }), "v1.0.0");
    },
    expected: ({ sandbox }) => {
      expect(tagsByImage(sandbox.tcr.registry.state())).toEqual({
        "team/web": ["v1.1.0", "v1.2.0", "v1.3.0"],
        "team/jobs/mail": ["v7.0.0"],
      });
    },
  },
};

const loginAtExample = { registry: "registry.example.com", ...registryLogin };

const enterpriseServer: Example = {
  event: () => ({ name: "schedule", payload: {} }),
  more: { actions: {}, token: "the token of another server" },
  prepare: ({ folder }) => loginAction({ inputs: loginAtExample, home: `${folder}/job-0/home` }),
  expected: ({ registry }) => {
    expect(tagsByNamespace(registry)).toEqual({ harbor: newestThree });
  },
};

/**
 * Files of another tool, as the document has them above the step, lie in its workspace, and nothing else is anywhere.
 * @param expected the tags of each image then, of TCR and of the other registry together.
 */
function fromTool(
  heading: string,
  files: readonly string[],
  expected: Readonly<Record<string, readonly string[]>>,
): Example {
  return {
    options: {
      tcr: { namespaces: { goharbor: false }, users: [fullAccess(tcrLogin.username, tcrLogin.password)] },
    },
    event: () => ({ name: "push", payload: {} }),
    prepare: ({ folder }) => {
      const document = "docs/migration.md";
      const workspace = join(folder, "job-0", "step-0", "workspace");
      mkdirSync(workspace, { recursive: true });
      for (const [index, file] of files.entries()) {
        const name = `${document}, ${heading}, block ${index + 1}`;
        const text = blocksIn(document, textOf(document)).find((block) => block.name === name)?.text ?? "";
        writeFileSync(join(workspace, file), text);
      }
    },
    expected: ({ sandbox, registry }) =>
      expect({ ...tagsByImage(sandbox.tcr.registry.state()), ...tagsByImage(registry.state()) }).toEqual(
        expected,
      ),
  };
}

/** Everything of TCR Personal, to the instance of another account that has nothing yet. */
const personalToEnterprise: Example = {
  instance: "example",
  event: () => ({ name: "workflow_dispatch", payload: {} }),
  prepare: ({ personal: { registry } }) => {
    for (const name of ["web/front", "web/back", "jobs/mail"])
      pushTo(registry, name, buildImage({ seed: name }), "v1.0.0");
  },
  expected: ({ sandbox, personal }) => {
    expect(sandbox.tcr.registry.state()).toEqual(personal.registry.state());
    expect(Object.fromEntries(sandbox.tcr.namespaces)).toEqual({
      web: { public: false },
      jobs: { public: false },
    });
  },
};

const keylessTcr: Example = {
  options: (oidc) => ({
    tcr: {
      keys: [],
      namespaces: { goharbor: false },
      role: {
        arn: "qcs::cam::uin/100012345678:roleName/harbor-mirror",
        providerId: "github",
        subjects: ["repo:goharbor/harbor:ref:refs/heads/main"],
        check: oidc.check,
      },
    },
  }),
  prepare: seedMirrors,
  event: published,
  more: { secrets: {} },
  expected: ({ sandbox }) => expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree }),
};

const keylessDockerHub: Example = {
  options: (oidc) => ({
    dockerHub: {
      accounts: [],
      oidc: {
        // The stand-in knows only its own address; an id token is for the public one.
        issuer: { check: (token) => oidc.check(token, "https://identity.docker.com") },
        connections: [
          {
            id: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            organisation: "my-org",
            subjects: ["repo:goharbor/harbor:*"],
          },
        ],
      },
    },
  }),
  event: published,
  more: { secrets: {} },
  expected: ({ sandbox }) =>
    expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ "my-org": ["v2.15.2"] }),
};

const tencentKey = {
  TENCENTCLOUD_SECRET_ID: secrets.TENCENTCLOUD_SECRET_ID ?? "",
  TENCENTCLOUD_SECRET_KEY: secrets.TENCENTCLOUD_SECRET_KEY ?? "",
};

/** Every job of the called workflow ran, and the one that publishes came last. */
const ranAllJobs: Example["told"] = (jobs) => {
  expect(jobs.map(({ id }) => id).filter((id) => id !== "copy")).toEqual(["plan", "publish"]);
  expect(jobs.filter(({ id }) => id === "copy").length).toBeGreaterThan(0);
  expect(jobs.filter(({ skipped }) => skipped)).toEqual([]);
};

/** A login that the steps after it use to mirror to that registry. */
function loginAt(registry: string): Example {
  return {
    event: published,
    followedBy: `
- uses: goharbor/harbor-release-mirror@v1
  with:
    version: v2.15.1
    source: docker.io/goharbor
    destinations: ${registry}/goharbor,keep=all
    wait: "0"
`,
    prepare: ({ sandbox }) => seedRelease(sandbox.dockerHub.registry, "v2.15.1", { scale }),
    expected: (world) =>
      expect(
        tagsByNamespace(registry === "ghcr.io" ? world.sandbox.source : world.registry).goharbor,
      ).toContain("v2.15.1"),
  };
}

/** Each block of YAML that is run, by its place, in each of the ways that a reader may. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  "README.md, Quick start": [releaseAndChart, chartOnSchedule],
  "docs/permissions.md, Check your configuration first": [
    {
      ...release,
      expected: ({ sandbox }) => {
        expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: all.slice(0, 3) });
        expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.1"] });
      },
    },
  ],
  "docs/recipes.md, A release in the same repository": [release, firstRelease],
  "docs/recipes.md, A mirror of another repository, on a schedule": [schedule],
  "docs/recipes.md, A backfill by hand, with a dry run first": [backfill(true), backfill(false)],
  "docs/recipes.md, All images of a release, to two mirrors": [twoMirrors],
  "docs/recipes.md, A release that a workflow publishes": [
    afterPublishing({}, true),
    afterPublishing({ conclusion: "failure" }, false),
    afterPublishing({ event: "pull_request" }, false),
  ],
  "docs/recipes.md, The images of another project, and what later jobs do with them": [ownImages],
  "docs/recipes.md, One step among others": [oneStep],
  "docs/recipes.md, A project without releases": [fromTags.product],
  "docs/recipes.md, Public images, from many places to one registry": [fromTags.list],
  "docs/recipes.md, Everything of a namespace, newest three": [fromTags.pattern],
  "docs/recipes.md, Across the border, by TCR's own rule": [filledBySync],
  "docs/recipes.md, Across the border, in two hops": [twoHops],
  "docs/recipes.md, From development to test to production": [promotion],
  "docs/recipes.md, Harbor's images and its chart": [imagesAndChart],
  "docs/recipes.md, Sign what went where": [attested],
  "docs/recipes.md, Routes that others propose": [routesOn("pull_request"), routesOn("push")],
  "docs/recipes.md, An issue when a mirror fails": [
    {
      ...schedule,
      prepare: ({ sandbox }) => {
        sandbox.github.issues.permission = "write";
      },
      told: (_jobs, { sandbox }) => expect(sandbox.github.issues.all).toEqual([]),
    },
  ],
  "docs/recipes.md, GitHub Enterprise Server": [enterpriseServer],
  "docs/tcr.md, From Personal to Enterprise": [personalToEnterprise],
  "docs/tcr.md, Without stored secrets": [keylessTcr],
  "docs/docker-hub.md, Without a stored secret": [keylessDockerHub],
  "docs/fan-out.md, Several jobs, block 1": [
    {
      instance: "example",
      event: () => ({ name: "schedule", payload: {} }),
      more: { secrets: tencentKey },
      expected: ({ sandbox }) =>
        expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree }),
      told: ranAllJobs,
    },
  ],
  "docs/fan-out.md, Several jobs, block 2": [{ ...release, told: ranAllJobs }],
  "docs/registries.md, docker login": [loginAt("quay.io")],
  "docs/migration.md, skopeo sync, block 2": [
    fromTool("skopeo sync", ["sync.yml"], {
      "goharbor/redis-photon": ["v2.15.0", "v2.15.1"],
      "goharbor/harbor-core": newestThree,
      "goharbor/harbor-portal": newestThree,
    }),
  ],
  "docs/migration.md, regsync, block 2": [
    fromTool("regsync", ["regsync.yml"], {
      "goharbor/harbor-core": newestThree,
      "goharbor/harbor-portal": ["stable"],
    }),
  ],
  "docs/migration.md, image-syncer, block 3": [
    fromTool("image-syncer", ["auth.yaml", "images.yaml"], {
      "harbor/harbor-core": ["v2.15.1", "v2.15.2"],
      "harbor/harbor-portal": newestThree,
      "archive/portal": newestThree,
    }),
  ],
  "docs/migration.md, image-transfer, block 3": [
    fromTool("image-transfer", ["registry-secret.yaml", "transfer-rule.yaml"], {
      "goharbor/harbor-core": ["v2.15.2"],
      "goharbor/harbor-portal": ["v2.15.1", "v2.15.2"],
    }),
  ],
  "docs/migration.md, A plain list": [
    fromTool("A plain list", [], {
      "goharbor/harbor-core": ["stable", "v2.15.2"],
      "goharbor/nginx-photon": ["v2.15.1"],
    }),
  ],
};

/** The blocks of a document, by the heading above each. A comment in a block looks like a heading and is none. */
export function blocksIn(path: string, markdown: string): readonly Block[] {
  const blank = (code: string): string => code.replace(/^# .*$/gm, "");
  const outline = markdown.replace(/^```[\s\S]*?^```$/gm, blank);
  const headings = [...outline.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => heading);
  const lines = markdown.split("\n");
  const starts: number[] = [];
  for (const heading of headings) {
    // Some headings come twice on a page: each is looked for below the one before.
    const from = (starts.at(-1) ?? -1) + 1;
    starts.push(lines.findIndex((line, at) => at >= from && line.replace(/^#+ /, "") === heading));
  }
  const sections = headings.map((heading, index) => ({
    heading,
    text: lines.slice(starts[index], starts[index + 1]).join("\n"),
  }));
  return sections.flatMap(({ heading, text: section }) => {
    const found = codeBlocks(section, "yaml");
    return found.map((text, index) => ({
      name: `${path}, ${heading}${found.length > 1 ? `, block ${index + 1}` : ""}`,
      text,
    }));
  });
}
