import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type ActionResult, actionEnvironment, releaseEvent, runAction } from "../../sandbox/action.ts";
import { type GitHubOidc, startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { actionInputs, type Sandbox, type SandboxOptions, startSandbox } from "../../sandbox/sandbox.ts";
import { scale } from "./world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const connection = {
  id: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
  organisation: "goharbor",
  subjects: ["repo:goharbor/harbor:*"],
};

async function sandboxWith(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = await startSandbox(options);
  open.push(sandbox);
  seedRelease(sandbox.source, "v2.15.2", { scale });
  return sandbox;
}

/** A sandbox with a connection, and the inputs that use it in place of a token. */
async function keylessWorld(change: Partial<typeof connection> = {}) {
  const issuer = await startGitHubOidc();
  open.push(issuer);
  const sandbox = await sandboxWith({
    dockerHub: { accounts: [], oidc: { issuer, connections: [{ ...connection, ...change }] } },
  });
  const inputs = {
    ...actionInputs(sandbox),
    "dockerhub-username": connection.organisation,
    "dockerhub-token": "",
    "dockerhub-oidc-connection-id": connection.id,
    "dockerhub-identity-url": sandbox.dockerHub.identity.origin,
  };
  return { sandbox, issuer, inputs };
}

async function act(
  sandbox: Sandbox,
  inputs: Readonly<Record<string, string>>,
  issuer?: GitHubOidc,
): Promise<ActionResult> {
  const folder = await mkdtemp(join(tmpdir(), "action-"));
  open.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
  const event = releaseEvent(sandbox, "v2.15.2");
  return runAction(actionEnvironment(sandbox, { event, inputs, folder, env: issuer?.variables ?? {} }));
}

/** The first of the `destinations`, Docker Hub, with more attributes; and without the other one. */
function hubOnly(inputs: Readonly<Record<string, string>>, attributes: string): Record<string, string> {
  const [line = ""] = (inputs.destinations ?? "").split("\n");
  return { ...inputs, destinations: `${line}${attributes}` };
}

function tagsAt({ dockerHub }: Sandbox): readonly string[] {
  return [...dockerHub.registry.tags("goharbor/harbor-core").keys()].sort();
}

describe("the keyless login for Docker Hub", () => {
  it("mirrors without any stored secret; every token stays where it belongs and out of the log", async () => {
    const { sandbox, issuer, inputs } = await keylessWorld();
    for (const server of sandbox.servers.values()) server.recordBytes();
    const { exitCode, log, outputs, summary } = await act(sandbox, inputs, issuer);
    expect(log).not.toContain("::error");
    expect([exitCode, outputs.copied]).toEqual([0, "24"]);
    expect(tagsAt(sandbox)).toEqual(["v2.15.2"]);
    expect(issuer.issued.length).toBeGreaterThan(0);
    expect(sandbox.dockerHub.keylessTokens).toHaveLength(issuer.issued.length);
    const [idToken = "", password = ""] = [issuer.issued[0], sandbox.dockerHub.keylessTokens[0]];
    const visible = log
      .split("\n")
      .filter((line) => !line.startsWith("::add-mask::"))
      .concat(summary)
      .join("\n");
    for (const secret of [idToken, password]) expect(visible).not.toContain(secret);
    const holders = [...sandbox.servers].filter(([, { received }]) =>
      received.some((bytes) => [password, idToken].some((secret) => holds(bytes, secret))),
    );
    expect(holders.map(([name]) => name).sort()).toEqual([
      "Docker Hub token server",
      "Docker identity service",
    ]);
  });

  it("says before it copies that nothing will be pruned, and leaves the tags", async () => {
    const { sandbox, issuer, inputs } = await keylessWorld();
    for (const tag of ["v2.15.1", "v2.15.0"]) seedRelease(sandbox.dockerHub.registry, tag, { scale });
    const { exitCode, log } = await act(sandbox, hubOnly(inputs, ",keep=1"), issuer);
    expect(exitCode).toBe(0);
    expect(log).toMatch(/::warning::Nothing will be pruned at .*OIDC connection may delete tags/);
    expect(log.indexOf("Nothing will be pruned")).toBeLessThan(log.indexOf("::group::Copy"));
    expect(tagsAt(sandbox)).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
  });

  it("explains a connection that does not fit the workflow, and mirrors to the others all the same", async () => {
    const { sandbox, issuer, inputs } = await keylessWorld({ subjects: ["repo:goharbor/website:*"] });
    const { exitCode, log, outputs } = await act(sandbox, inputs, issuer);
    expect([exitCode, outputs.copied]).toEqual([1, "12"]);
    expect(log).toContain("exchanging GitHub's id token failed with status 403");
    expect(log).toContain("`repo:goharbor/harbor:ref:refs/heads/main`");
    expect(sandbox.dockerHub.registry.repositories()).toEqual([]);
    // A refusal is a fact: it is not asked for again by each image.
    expect(sandbox.dockerHub.identity.requests).toHaveLength(1);
  });

  it("tells which permission the job lacks before any request is sent", async () => {
    const { sandbox, inputs } = await keylessWorld();
    const { exitCode, log } = await act(sandbox, inputs);
    expect(exitCode).toBe(1);
    expect(log).toContain("dockerhub-oidc-connection-id: needs `permissions: id-token: write`");
    for (const { requests } of sandbox.servers.values()) expect(requests).toEqual([]);
  });
});

describe("an access token without the right to delete", () => {
  it("is found out before anything is copied; the release is mirrored and no tag is touched", async () => {
    const account = { identifier: "writer", secret: "dckr_pat_writes-only", permission: "write" } as const;
    const sandbox = await sandboxWith({ dockerHub: { accounts: [account] } });
    seedRelease(sandbox.dockerHub.registry, "v2.15.1", { scale });
    const login = { "dockerhub-username": "writer", "dockerhub-token": account.secret };
    const inputs = { ...hubOnly(actionInputs(sandbox), ",keep=1"), ...login };
    const { exitCode, log, outputs } = await act(sandbox, inputs);
    expect([exitCode, outputs.copied, outputs.pruned]).toEqual([0, "12", "0"]);
    expect(log).toMatch(
      /::warning::Nothing will be pruned at .*no permission to delete.*"Read, Write, Delete"/,
    );
    expect(log.indexOf("no permission to delete")).toBeLessThan(log.indexOf("::group::Copy"));
    expect(sandbox.dockerHub.api.requests.map(({ method }) => method)).toEqual(["POST"]);
    expect(tagsAt(sandbox)).toEqual(["v2.15.1", "v2.15.2"]);
  });

  it("that may only read is explained by what pushing needs", async () => {
    const account = { identifier: "reader", secret: "dckr_pat_reads-only", permission: "read" } as const;
    const sandbox = await sandboxWith({ dockerHub: { accounts: [account] } });
    const login = { "dockerhub-username": "reader", "dockerhub-token": account.secret };
    const { exitCode, log } = await act(sandbox, { ...hubOnly(actionInputs(sandbox), ""), ...login });
    expect(exitCode).toBe(1);
    expect(log).toContain("the login was refused (access token has insufficient scopes)");
    expect(sandbox.dockerHub.registry.repositories()).toEqual([]);
  });
});

describe("immutable tags", () => {
  it("are neither overwritten nor deleted, and that is named as the reason", async () => {
    const immutableTags = new Set(["goharbor/harbor-core:v2.15.2", "goharbor/harbor-core:v2.15.1"]);
    const sandbox = await sandboxWith({ dockerHub: { immutableTags } });
    const hub = sandbox.dockerHub.registry;
    seedRelease(hub, "v2.15.1", { scale });
    const inputs = hubOnly(actionInputs(sandbox), ",keep=1");
    const pruning = await act(sandbox, inputs);
    expect(pruning.exitCode).toBe(0);
    expect(pruning.log).toMatch(/deleting the tag v2\.15\.1 failed with status 403: the tag is immutable/);
    expect(pruning.outputs).toMatchObject({ copied: "12", pruned: "11", failed: "0" });
    expect(tagsAt(sandbox)).toEqual(["v2.15.1", "v2.15.2"]);

    const before = pushTo(hub, "goharbor/harbor-core", buildImage({ seed: "another build" }), "v2.15.2");
    const overwriting = await act(sandbox, inputs);
    expect(overwriting.exitCode).toBe(1);
    expect(overwriting.log).toMatch(
      /harbor-core.* failed with status 403 .*may be immutable by the repository's settings/,
    );
    expect(hub.tags("goharbor/harbor-core").get("v2.15.2")).toBe(before);
  });
});

describe("a source that limits pulls", () => {
  it("is spared when another source has the release; both are told before copying", async () => {
    const sandbox = await sandboxWith({
      dockerHub: { registry: { rateLimitHeaders: { limit: 100, remaining: 5 } } },
    });
    const hub = sandbox.dockerHub.registry;
    seedRelease(hub, "v2.15.2", { scale });
    const [, tcr = ""] = (actionInputs(sandbox).destinations ?? "").split("\n");
    const source = `${hub.host}/goharbor\n${sandbox.source.host}/goharbor`;
    const { exitCode, log, outputs } = await act(sandbox, {
      ...actionInputs(sandbox),
      destinations: tcr,
      source,
    });
    expect([exitCode, outputs.copied]).toEqual([0, "12"]);
    expect(log).toContain(
      `pulls at ${hub.host}, which grants 100 and has 5 left. Images read from another source instead: 12.`,
    );
    expect(hub.pullsRemaining).toBe(5);
  });

  it("alone: the limit is foretold, then met at once and not waited for", async () => {
    const sandbox = await sandboxWith({
      dockerHub: { registry: { rateLimitHeaders: { limit: 100, remaining: 5 } } },
    });
    const hub = sandbox.dockerHub.registry;
    seedRelease(hub, "v2.15.2", { scale });
    const [, tcr = ""] = (actionInputs(sandbox).destinations ?? "").split("\n");
    const inputs = { ...actionInputs(sandbox), destinations: tcr, source: `${hub.host}/goharbor` };
    const { exitCode, log } = await act(sandbox, inputs);
    expect(exitCode).toBe(1);
    expect(log).toMatch(/::warning::The plan needs (at least )?[0-9]+ pulls .* and has 5 left/);
    expect(log).toMatch(/status 429 TOOMANYREQUESTS: You have reached your pull rate limit/);
    const refused = hub.requests.filter(({ status }) => status === 429);
    expect(new Set(refused.map(({ path }) => path)).size).toBe(refused.length);
    expect(sandbox.tcr.registry.tags("goharbor/harbor-core").size).toBe(0);
  });
});

/** Whether bytes hold a secret, plain or in the Base64 of a Basic login. */
function holds(bytes: Buffer, secret: string): boolean {
  const text = bytes.toString("latin1");
  const logins = [...text.matchAll(/basic ([A-Za-z0-9+/=]+)/gi)].map(([, login = ""]) =>
    Buffer.from(login, "base64").toString("utf8"),
  );
  return [text, ...logins].some((part) => part.includes(secret));
}
