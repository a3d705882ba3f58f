/** The built Action with `check: true`: what each fault of a configuration looks like, and that nothing is left behind. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { type ActionResult, actionEnvironment, runAction } from "../../sandbox/action.ts";
import { hubAccount } from "../../sandbox/docker-hub.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import {
  actionInputs,
  type Sandbox,
  type SandboxOptions,
  seedHarbor,
  startSandbox,
} from "../../sandbox/sandbox.ts";
import { serviceAccount, tcrKey } from "../../sandbox/tcr.ts";
import { fullAccess } from "../../sandbox/token-server.ts";
import { role, startTcrWorld } from "./tcr-world.ts";
import { scale } from "./world.ts";

const reportSchema = v.object({
  check: v.literal(true),
  succeeded: v.boolean(),
  checks: v.array(
    v.object({
      place: v.string(),
      subject: v.string(),
      outcome: v.string(),
      needed: v.boolean(),
      finding: v.string(),
      remedy: v.optional(v.string()),
    }),
  ),
});

interface Checked extends ActionResult {
  readonly rows: v.InferOutput<typeof reportSchema>["checks"];
  /** `subject: outcome` of the rows about a place, in order. */
  of(place: string): readonly string[];
}

function checkedBy(result: ActionResult): Checked {
  const { checks: rows } = v.parse(reportSchema, result.report);
  const of = (place: string) =>
    rows.filter((row) => row.place === place).map(({ subject, outcome }) => `${subject}: ${outcome}`);
  return { ...result, rows, of };
}

/** Checks the configuration of a sandbox; there is no event that names a version. */
async function check(sandbox: Sandbox, inputs: Readonly<Record<string, string>> = {}): Promise<Checked> {
  const folder = await mkdtemp(join(tmpdir(), "check-"));
  try {
    const environment = actionEnvironment(sandbox, {
      event: { name: "push", payload: {} },
      folder,
      inputs: { ...actionInputs(sandbox), check: "true", "spool-limit": "100MB", ...inputs },
    });
    return checkedBy(await runAction(environment));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What must be after a check as it was before it. */
function remains(sandbox: Sandbox): unknown {
  const { source, dockerHub, tcr } = sandbox;
  return {
    states: [source, dockerHub.registry, tcr.registry].map((registry) => [
      registry.state(),
      registry.repositories(),
      registry.events,
      registry.uploadsOpen(),
    ]),
    namespaces: [...tcr.namespaces],
    allowlist: tcr.network?.allowlist,
  };
}

interface Case {
  readonly sandbox?: SandboxOptions;
  readonly inputs?: (sandbox: Sandbox) => Readonly<Record<string, string>>;
  readonly before?: (sandbox: Sandbox) => Promise<void> | void;
  /** Default: images in all registries. */
  readonly empty?: boolean;
}

/** Checks a sandbox, and that it is as it was. */
async function judge(given: Case): Promise<{ result: Checked; hub: string; tcr: string; source: string }> {
  await using sandbox = await startSandbox(given.sandbox);
  if (given.empty === true) seedHarborSource(sandbox);
  else seedHarbor(sandbox, { scale });
  await given.before?.(sandbox);
  const before = JSON.stringify(remains(sandbox));
  const result = await check(sandbox, given.inputs?.(sandbox));
  expect(JSON.stringify(remains(sandbox))).toBe(before);
  for (const secret of [
    hubAccount.secret,
    tcrKey.secretKey,
    ...sandbox.tcr.logins.map((one) => one.password),
  ])
    expect(
      `${result.log}${result.summary}${JSON.stringify(result.report)}`.replaceAll(/^::add-mask::.*$/gm, ""),
    ).not.toContain(secret);
  const name = (host: string) => `${host}/goharbor`;
  return {
    result,
    hub: name(sandbox.dockerHub.registry.host),
    tcr: name(sandbox.tcr.registry.host),
    source: name(sandbox.source.host),
  };
}

function seedHarborSource(sandbox: Sandbox): void {
  seedRelease(sandbox.source, "v2.15.2", { scale });
}

/** The inputs with another line for Docker Hub or TCR. */
function keeping(sandbox: Sandbox, attributes: { hub?: string; tcr?: string }): Record<string, string> {
  const inputs = actionInputs(sandbox);
  const [hub = "", tcr = ""] = (inputs.destinations ?? "").split("\n");
  return { ...inputs, destinations: `${hub}${attributes.hub ?? ""}\n${tcr}${attributes.tcr ?? ""}` };
}

const keyless = {
  "tcr-secret-id": "",
  "tcr-secret-key": "",
  "tcr-role-arn": role.arn,
  "tcr-provider-id": role.providerId,
};
const account = serviceAccount("mirror", "service-account-password");
const credential = fullAccess("100012345678", "long-term-credential");

/** A login of the registry in place of an API key. */
function loggedIn({ username, password }: { username: string; password: string }): Record<string, string> {
  return { "tcr-secret-id": "", "tcr-secret-key": "", "tcr-username": username, "tcr-password": password };
}

describe("a check of the configuration", { timeout: 120_000 }, () => {
  it("finds everything in order, and leaves everything as it was", async () => {
    const { result, hub, tcr, source } = await judge({
      inputs: (sandbox) => keeping(sandbox, { hub: ",keep=3" }),
    });
    expect(result.of("this runner")).toEqual(["spool folder: ok", "clock: ok", "congestion control: ok"]);
    expect(result.of(source)).toEqual(["read: ok"]);
    expect(result.of(hub)).toEqual(["sign in: ok", "push: ok", "delete: ok"]);
    expect(result.of(tcr)).toEqual(["sign in: ok", "namespace: ok", "push: ok", "delete: unknown"]);
    expect(result.rows.some(({ subject }) => subject === "releases of goharbor/harbor")).toBe(true);
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({ failed: "0", copied: "0", pruned: "0", images: "[]" });
    expect(result.summary).toContain("Nothing that is needed is missing");
    expect(result.summary).toContain("cannot be told");
    expect(result.log).toContain("tcr:DeleteRepositoryTags");
  });

  it("finds everything in order where nothing is yet", async () => {
    const { result, hub, tcr } = await judge({ empty: true });
    expect(result.of(hub)).toEqual(["sign in: ok", "push: ok"]);
    expect(result.of(tcr)).toEqual(["sign in: ok", "namespace: ok", "push: ok", "delete: unknown"]);
    expect(result.exitCode).toBe(0);
    expect(result.log).toContain("Docker Hub may make the repository");
  });

  it("tells a wrong password, and checks everything else", async () => {
    const { result, hub, tcr } = await judge({ inputs: () => ({ "dockerhub-token": "dckr_pat_wrong" }) });
    expect(result.of(hub)).toEqual(["sign in: missing", "push: unknown"]);
    expect(result.of(tcr)).toEqual(["sign in: ok", "namespace: ok", "push: ok", "delete: unknown"]);
    expect(result.exitCode).toBe(1);
    expect(result.outputs.failed).toBe("1");
    expect(result.summary).toContain("the login was refused");
  });

  it("tells a token without the right to delete, where the destination prunes", async () => {
    const accounts = [{ ...hubAccount, permission: "write" as const }];
    const given = { sandbox: { dockerHub: { accounts } } };
    const { result, hub } = await judge({
      ...given,
      inputs: (sandbox) => keeping(sandbox, { hub: ",keep=3" }),
    });
    expect(result.of(hub)).toEqual(["sign in: ok", "push: ok", "delete: missing"]);
    expect(result.exitCode).toBe(1);
    expect(result.log).toContain('"Read, Write, Delete"');
    const keepingAll = await judge(given);
    expect(keepingAll.result.of(keepingAll.hub)).toEqual(["sign in: ok", "push: ok"]);
    expect(keepingAll.result.exitCode).toBe(0);
  });

  it("tells a token without the right to push", async () => {
    const accounts = [{ ...hubAccount, permission: "read" as const }];
    const { result, hub } = await judge({ sandbox: { dockerHub: { accounts } } });
    expect(result.of(hub)).toEqual(["sign in: missing", "push: unknown"]);
    expect(result.log).toContain("insufficient scopes");
  });

  it("says that a namespace would be made, and does not make it", async () => {
    const { result, tcr } = await judge({ empty: true, sandbox: { tcr: { namespaces: {} } } });
    expect(result.of(tcr)).toEqual(["sign in: ok", "namespace: unknown", "push: unknown", "delete: unknown"]);
    expect(result.exitCode).toBe(0);
    expect(result.log).toContain("a run makes it, private");
  });

  it("tells a missing namespace that the login cannot make", async () => {
    const { result, tcr } = await judge({
      empty: true,
      sandbox: { tcr: { namespaces: {}, users: [credential] } },
      inputs: (sandbox) => ({ ...keeping(sandbox, { tcr: ",keep=all" }), ...loggedIn(credential) }),
    });
    expect(result.of(tcr)).toEqual(["sign in: ok", "push: missing"]);
    expect(result.exitCode).toBe(1);
  });

  it("tells that a service account cannot prune, and opens no upload that it could not give up", async () => {
    const { result, tcr } = await judge({
      sandbox: { tcr: { namespaces: { goharbor: false }, users: [account] } },
      inputs: () => loggedIn(account),
    });
    expect(result.of(tcr)).toEqual(["sign in: ok", "push: ok", "delete: missing"]);
    expect(result.exitCode).toBe(1);
    expect(result.log).toContain("service account");
    expect(result.log).toContain("may not give one up again");
  });

  it("tells a private source, unless another one has the image", async () => {
    const source = {
      authentication: { kind: "bearer", users: [fullAccess("someone", "else")] },
      anonymousPull: false,
    } as const;
    const alone = await judge({ sandbox: { source } });
    expect(alone.result.of(alone.source)).toEqual(["read: missing"]);
    expect(alone.result.exitCode).toBe(1);
    const helped = await judge({
      sandbox: { source },
      inputs: ({ source: { host }, tcr }) => ({
        source: `${host}/goharbor\n${tcr.registry.host}/goharbor`,
        version: "v2.15.1",
      }),
    });
    expect(helped.result.of(helped.source)).toEqual(["read: missing"]);
    expect(helped.result.of(helped.tcr)[0]).toBe("read: ok");
    expect(helped.result.summary).toContain("missing, but not needed");
    expect(helped.result.exitCode).toBe(0);
  });

  it("tells a registry that is down, and checks everything else", async () => {
    const { result, hub, tcr } = await judge({ before: (sandbox) => sandbox.dockerHub.registry.close() });
    expect(result.of(hub)).toEqual(["sign in: missing", "push: unknown"]);
    expect(result.of(tcr)).toEqual(["sign in: ok", "namespace: ok", "push: ok", "delete: unknown"]);
    expect(result.exitCode).toBe(1);
  });

  it("tells a wrong token of GitHub, and checks everything else", async () => {
    const { result, hub } = await judge({ inputs: () => ({ "github-token": "ghp_wrong" }) });
    const row = result.rows.find(({ subject }) => subject.startsWith("releases"));
    expect(row?.outcome).toBe("missing");
    expect(result.of(hub)).toEqual(["sign in: ok", "push: ok"]);
    expect(result.exitCode).toBe(1);
  });

  it("tells a version that there is not", async () => {
    const { result } = await judge({ inputs: () => ({ version: "v9.9.9" }) });
    const row = result.rows.find(({ subject }) => subject.startsWith("releases"));
    expect(row).toMatchObject({ outcome: "missing", finding: expect.stringContaining("v9.9.9") });
  });

  it("tells a disk that is too small", async () => {
    const { result } = await judge({ inputs: () => ({ "spool-limit": "9000TB" }) });
    expect(result.of("this runner")).toEqual([
      "spool folder: missing",
      "clock: ok",
      "congestion control: ok",
    ]);
    expect(result.exitCode).toBe(1);
  });
});

describe("a check of TCR without stored secrets", { timeout: 120_000 }, () => {
  it("tells an instance that is closed to the runner, and checks everything else", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job({ inputs: { check: "true", "tcr-open-access": "false" } });
    const result = checkedBy(await job.main());
    const { tcr, dockerHub } = world.sandbox;
    expect(result.of(`${tcr.registry.host}/goharbor`)).toEqual([
      "sign in: missing",
      "push: unknown",
      "delete: unknown",
    ]);
    expect(result.of(`${dockerHub.registry.host}/goharbor`)).toEqual(["sign in: ok", "push: ok"]);
    expect(result.exitCode).toBe(1);
    expect(world.allowlist()).toHaveLength(1);
  });

  it("is let in by a role for the time of the job, and leaves no entry", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job({ inputs: { ...keyless, check: "true" }, env: world.oidc.variables });
    const result = checkedBy(await job.main());
    const { tcr } = world.sandbox;
    expect(result.of(tcr.api.host)).toEqual(["keyless login: ok"]);
    expect(result.of(`${tcr.registry.host}/goharbor`)[0]).toBe("sign in: ok");
    expect(result.exitCode).toBe(0);
    expect((await job.post()).exitCode).toBe(0);
    expect(world.allowlist()).toHaveLength(1);
    expect(tcr.registry.repositories()).toEqual([]);
    expect(tcr.registry.uploadsOpen()).toBe(0);
  });

  it("says what to change when the job may not have an id token", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job({ inputs: { ...keyless, check: "true", "tcr-open-access": "false" } });
    const result = checkedBy(await job.main());
    expect(result.of(world.sandbox.tcr.api.host)).toEqual(["keyless login: missing"]);
    expect(result.log).toContain("permissions: id-token: write");
    expect(result.exitCode).toBe(1);
  });
});
