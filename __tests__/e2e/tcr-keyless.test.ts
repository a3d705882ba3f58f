import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { role, runnerAddress, startTcrWorld } from "./tcr-world.ts";
import { tagsOf, version } from "./world.ts";

const keyless = {
  "tcr-secret-id": "",
  "tcr-secret-key": "",
  "tcr-role-arn": role.arn,
  "tcr-provider-id": role.providerId,
};

describe("TCR without stored secrets", () => {
  it("is mirrored to and pruned with a role, in both steps of the job, and no secret is shown", async () => {
    await using world = await startTcrWorld();
    const { tcr } = world.sandbox;
    for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) version(held)(tcr.registry);
    await using job = await world.job({ inputs: keyless, env: world.oidc.variables });
    const main = await job.main();
    expect(main.exitCode).toBe(0);
    expect(world.isMirrored("tcr")).toBe(true);
    expect(tagsOf(tcr.registry.state(), "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
    const post = await job.post();
    expect(post.exitCode).toBe(0);
    expect(world.allowlist()).toHaveLength(1);
    // One session each for the main and the post step.
    expect(tcr.sessions.map(({ name }) => name)).toEqual([
      "harbor-release-mirror-1",
      "harbor-release-mirror-1",
    ]);
    const secrets = [
      ...world.oidc.issued,
      ...tcr.sessions.flatMap(({ key }) => [key.secretId, key.secretKey, key.sessionToken ?? ""]),
      ...tcr.logins.map(({ password }) => password),
    ];
    expect(secrets.length).toBeGreaterThan(8);
    const report = await readFile(main.outputs.report ?? "", "utf8").catch(() => "");
    const shown = [main.log, post.log, main.summary, JSON.stringify(main.outputs), report]
      .join("\n")
      // The line that tells the runner to hide it.
      .replace(/^::add-mask::.*$/gm, "");
    for (const secret of secrets) expect(shown).not.toContain(secret);
  });

  it("says what to change when the role does not trust this workflow, and mirrors elsewhere", async () => {
    await using world = await startTcrWorld({
      allowlist: [{ block: `${runnerAddress}/32`, description: "" }],
    });
    await using job = await world.job({
      inputs: { ...keyless, "tcr-role-audience": "somebody-else", "tcr-open-access": "false" },
      env: world.oidc.variables,
    });
    const { exitCode, log } = await job.main();
    expect(exitCode).toBe(1);
    expect(log).toContain("the client id `somebody-else`");
    expect(world.isMirrored("dockerHub")).toBe(true);
    expect(world.sandbox.tcr.sessions).toEqual([]);
  });

  it("says what to change when the job may not have an id token", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job({ inputs: keyless });
    const { exitCode, log } = await job.main();
    expect(exitCode).toBe(1);
    expect(log).toContain("permissions: id-token: write");
  });
});
