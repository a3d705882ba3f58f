import { describe, expect, it } from "vitest";
import { serviceAccount, startTcr } from "../../sandbox/tcr.ts";
import { personalLogin, startTcrPersonal } from "../../sandbox/tcr-personal.ts";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

const held = ["v2.15.1", "v2.15.0", "v2.14.4"];

describe("TCR", () => {
  it("Personal is mirrored to and pruned, with a login beside the key", async () => {
    await using world = await startSandboxWorld();
    await using personal = await startTcrPersonal({ namespaces: ["goharbor"] });
    await world.source.seed(version("v2.15.2"));
    for (const tag of held) version(tag)(personal.registry);
    const line = `${personal.registry.host}/goharbor,type=tcr-personal,region=ap-guangzhou,api=${personal.api.origin},keep=3`;
    const { exitCode, outputs } = await act(world, {
      inputs: {
        destinations: line,
        "tcr-username": personalLogin.username,
        "tcr-password": personalLogin.password,
      },
    });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "12", failed: "0" });
    expect(tagsOf(personal.registry.state(), "harbor-core")).toEqual(["v2.15.0", "v2.15.1", "v2.15.2"]);
    // No action of the Enterprise edition is asked for there.
    const actions = personal.api.requests.map(({ headers }) => String(headers["x-tc-action"]));
    expect(actions.length).toBeGreaterThan(0);
    expect(actions.filter((action) => !action.endsWith("Personal"))).toEqual([]);
  });

  it("Personal is read from", async () => {
    await using world = await startSandboxWorld();
    await using personal = await startTcrPersonal({ namespaces: ["goharbor"] });
    version("v2.15.2")(personal.registry);
    const { exitCode, outputs } = await act(world, {
      inputs: { source: `${personal.registry.host}/goharbor` },
    });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "24", failed: "0" });
  });

  it("with a service account is mirrored to, and the plan says that nothing is pruned before it copies", async () => {
    await using world = await startSandboxWorld();
    await using tcr = await startTcr({
      namespaces: { goharbor: false },
      users: [serviceAccount("mirror", "robot-password")],
    });
    await world.source.seed(version("v2.15.2"));
    for (const tag of held) version(tag)(tcr.registry);
    const { exitCode, log } = await act(world, {
      inputs: {
        destinations: `${tcr.registry.host}/goharbor,type=tcr,keep=3`,
        "tcr-secret-id": "",
        "tcr-secret-key": "",
        "tcr-username": "tcr$mirror",
        "tcr-password": "robot-password",
      },
    });
    expect(exitCode).toBe(0);
    expect(tagsOf(tcr.registry.state(), "harbor-core")).toEqual([...held, "v2.15.2"].sort());
    const said = log.indexOf("tcr$mirror is a service account, for which TCR has no right to delete");
    expect(said).toBeGreaterThan(0);
    expect(said).toBeLessThan(log.indexOf("::group::Copy"));
    expect(tcr.api.requests).toEqual([]);
  });

  it("keeps an immutable tag that was to be pruned, says why, and prunes the others", async () => {
    await using world = await startSandboxWorld();
    const immutableTags = new Set(["goharbor/harbor-core:v2.14.4"]);
    await using tcr = await startTcr({ namespaces: { goharbor: false }, immutableTags });
    await world.source.seed(version("v2.15.2"));
    for (const tag of held) version(tag)(tcr.registry);
    const { registryId, region } = tcr.instance;
    const line = `${tcr.registry.host}/goharbor,type=tcr,api=${tcr.api.origin},registry-id=${registryId},region=${region},keep=3`;
    const { exitCode, log } = await act(world, { inputs: { destinations: line } });
    expect(exitCode).toBe(0);
    expect(log).toContain("An immutable tag rule of the namespace protects this tag");
    expect(tagsOf(tcr.registry.state(), "harbor-core")).toEqual([...held, "v2.15.2"].sort());
    expect(tagsOf(tcr.registry.state(), "harbor-portal")).not.toContain("v2.14.4");
  });
});
