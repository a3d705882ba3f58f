import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { always, echo, known } from "./secret-faults.ts";
import { leaks, maskedTooLate, meetings, notMasked, type Table } from "./secret-leaks.ts";
import {
  given,
  type Heard,
  listen,
  loginsOf,
  type SecretWorld,
  startSecretWorld,
  writeHelper,
} from "./secret-world.ts";

/**
 * Who may come to know a secret. Wherever else one is found is a leak: at another server, in the log beside the lines that
 * mask it, in the summary, the outputs, the report or any other file.
 */
const belongs: Table = {
  [given.githubToken.name]: ["GitHub API"],
  // The registry's own token names the user it was made for (`sub`).
  [given.hubUser.name]: ["Docker Hub token server", "Docker Hub API", "Docker Hub registry"],
  [given.hubToken.name]: ["Docker Hub token server", "Docker Hub API"],
  [given.secretId.name]: ["TCR API"],
  [given.secretKey.name]: [],
  [given.sessionToken.name]: ["TCR API"],
  [given.tcrUser.name]: ["TCR token server", "TCR registry"],
  [given.tcrPassword.name]: ["TCR token server"],
  [given.variableId.name]: ["TCR API"],
  [given.variableKey.name]: [],
  [given.variableToken.name]: ["TCR API"],
  [given.sourceKey.name]: ["source token server"],
  [given.helperUser.name]: ["Basic registry"],
  [given.helperPassword.name]: ["Basic registry"],
  [given.identityToken.name]: ["OAuth token server"],
  [given.unusedHub.name]: [],
  [given.unusedTcr.name]: [],
  [given.stranger.name]: [],
  [given.unusedPlace.name]: [],
  "registry token of the source": ["source registry"],
  "registry token of Docker Hub": ["Docker Hub registry"],
  "registry token of TCR": ["TCR registry"],
  "registry token by OAuth2": ["OAuth registry"],
  "token of the Hub API": ["Docker Hub API"],
  "temporary login of TCR": ["TCR token server"],
  "signature of a blob's address": ["source content server"],
  "signature with the API key": ["TCR API"],
};

interface Scenario {
  readonly arrange?: (world: SecretWorld) => void;
  readonly inputs?: Readonly<Record<string, string>>;
  /** Further inputs that depend on the places. */
  readonly inputsOf?: (world: SecretWorld) => Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What the log has to say, so that it is known to be this scenario. */
  readonly says: RegExp;
  /** Default: 1. */
  readonly exitCode?: 0 | 1;
}

async function play({ arrange, inputs, inputsOf, env = {}, says, exitCode = 1 }: Scenario): Promise<Heard> {
  await using world = await startSecretWorld();
  arrange?.(world);
  const heard = await listen(world, { inputs: { ...inputs, ...inputsOf?.(world) }, env });
  expect(leaks(heard, belongs)).toEqual([]);
  expect(notMasked(heard)).toEqual([]);
  expect(heard.result.log).toMatch(says);
  expect(heard.result.exitCode).toBe(exitCode);
  return heard;
}

const registries = ["Docker Hub registry", "TCR registry", "Basic registry", "OAuth registry"];
const tokenServers = ["Docker Hub token server", "TCR token server", "OAuth token server"];

describe.concurrent("secrets in a run that succeeds", () => {
  it("are found at all whom they belong to, and nowhere else", async () => {
    const heard = await play({ says: /8 images copied, 0 skipped, 4 pruned/, exitCode: 0 });
    const found = new Set(meetings(heard).map((meeting) => meeting.join(" at ")));
    const unused = new Set([given.tcrUser, given.tcrPassword].map(({ name }) => name));
    const expected = Object.entries(belongs)
      .filter(([secret]) => !unused.has(secret))
      .flatMap(([secret, places]) => places.map((place) => `${secret} at ${place}`))
      // The inputs are set, so the variables are for others.
      .filter((meeting) => !/^TENCENTCLOUD_.* at TCR API$/.test(meeting));
    expect([...found].sort()).toEqual(expected.sort());
  });

  it("are masked before anything else is printed", async () => {
    const { githubToken, hubToken, secretId, secretKey, sessionToken, unusedPlace } = given;
    const heard = await play({ says: /8 images copied/, exitCode: 0 });
    const early = [githubToken, hubToken, secretId, secretKey, sessionToken, unusedPlace];
    expect(maskedTooLate(heard, early)).toEqual([]);
  });
});

describe.concurrent("secrets in a run with other logins", () => {
  it.each<[what: string, scenario: Scenario]>([
    [
      "a registry login of TCR beside the API key",
      {
        inputs: { "tcr-username": given.tcrUser.value, "tcr-password": given.tcrPassword.value },
        says: /8 images copied/,
        exitCode: 0,
      },
    ],
    [
      "lists of the repositories of every place",
      {
        inputs: { images: "*", "versions-from": "tags", "dry-run": "true", version: "newest:1" },
        inputsOf: ({ inputs }) => ({
          source: `${inputs.source}\n${inputs.destinations?.replace(/,.*/g, "")}`,
        }),
        says: /\/v2\/namespaces\/goharbor\/repositories[\s\S]*8 images to copy/,
        exitCode: 0,
      },
    ],
    [
      "logins by place",
      {
        inputs: {
          "dockerhub-username": "",
          "dockerhub-token": "",
          "tcr-secret-id": "",
          "tcr-secret-key": "",
          "tcr-session-token": "",
        },
        inputsOf: ({ sandbox, inputs }) => ({
          logins: [
            inputs.logins,
            loginsOf({
              [`${sandbox.dockerHub.registry.host}/goharbor`]: [given.hubUser.value, given.hubToken.value],
            }),
            `${sandbox.tcr.registry.host}: ${JSON.stringify({
              "tcr-secret-id": given.secretId.value,
              "tcr-secret-key": given.secretKey.value,
              "tcr-session-token": given.sessionToken.value,
            })}`,
          ].join(""),
        }),
        says: /No source and no destination of this run takes the login for \S+other \(logins, line 1\)[\s\S]*8 images copied, 0 skipped, 4 pruned/,
        exitCode: 0,
      },
    ],
    [
      "logins that are not YAML",
      { inputsOf: ({ inputs }) => ({ logins: `${inputs.logins}quay.io: [` }), says: /logins, line [0-9]+: / },
    ],
    [
      "logins on the lines of places",
      {
        inputs: {
          destinations: `https://someone:${given.unusedPlace.mark}@quay.io/team\nquay.io/team,password=${given.stranger.mark}`,
        },
        says: /a login stands in the input logins/,
      },
    ],
    [
      "the API key of the job's variables",
      {
        inputs: { "tcr-secret-id": "", "tcr-secret-key": "", "tcr-session-token": "" },
        says: /8 images copied/,
        exitCode: 0,
      },
    ],
    [
      "a wrong login everywhere",
      {
        arrange: ({ folder }) =>
          writeHelper(folder, `process.stdout.write('{"Username":"x","Secret":"wrong password"}')`),
        inputs: {
          "dockerhub-token": "wrong token",
          "tcr-secret-key": "wrong key",
        },
        says: /(the login was refused|AuthFailure\.SignatureFailure)[\s\S]*(?!\1)(the login was refused|AuthFailure\.SignatureFailure)/,
      },
    ],
    [
      "a wrong github-token",
      { inputs: { "github-token": "ghs_wrong" }, says: /github-token is not valid here/ },
    ],
    [
      "a github-token of several lines",
      {
        inputs: { "github-token": `${given.githubToken.value}\n${given.githubToken.mark}second` },
        says: /::error::/,
      },
    ],
    ["a secret where a number belongs", { inputs: { keep: "many" }, says: /keep: "many" is neither/ }],
  ])("%s", async (_what, scenario) => {
    await play(scenario);
  });
});

describe.concurrent("secrets in a run with a bad Docker configuration", () => {
  const login = Buffer.from(`someone:${given.stranger.value}`).toString("base64");
  it.each<[what: string, text: string]>([
    ["cut off", `{"auths":{"registry.example":{"auth":"${login}","password":"${given.stranger.mark}`],
    ["of another form", `{"auths":"${given.stranger.mark}"}`],
    ["with numbers for texts", `{"auths":{},"credsStore":["${login}"]}`],
    [
      "with a credential helper that cannot be one",
      `{"credsStore":"../x","auths":{"registry.example":{"auth":"${login}"}}}`,
    ],
  ])("%s", async (_what, text) => {
    await play({
      arrange: ({ folder }) => writeFileSync(join(folder, "docker", "config.json"), text),
      says: /The Docker configuration/,
    });
  });

  it.each<[what: string, commands: string]>([
    [
      "fails and prints what it knows",
      "process.stderr.write(answer); process.stdout.write(answer); process.exitCode = 3",
    ],
    ["answers in another form", 'process.stdout.write("[" + answer + "]")'],
    ["is cut off", "process.stdout.write(answer.slice(0, 60))"],
  ])("a credential helper that %s", async (_what, commands) => {
    await play({
      arrange: ({ folder }) => writeHelper(folder, commands),
      says: /The credential helper docker-credential-marked (failed|gave no usable answer)/,
    });
  });
});

describe.concurrent("secrets that a server sends back", () => {
  it.each<[servers: readonly string[], status: number, before: number, says: RegExp]>([
    // 500 is tried again for half a minute: several servers share a run.
    [registries, 500, 0, /status 500/],
    [["source registry"], 500, 0, /is at no source/],
    [["GitHub API"], 500, 0, /GitHub .* status 500/],
    [[...tokenServers, "TCR API"], 500, 0, /status 500/],
    [registries, 401, 0, /status 401/],
    [registries, 403, 280, /status 403/],
    [tokenServers, 401, 0, /the login was refused/],
    [tokenServers, 403, 280, /the login was refused/],
    [["source registry"], 401, 0, /is at no source/],
    [["source registry"], 403, 280, /is at no source/],
    [["source token server"], 401, 0, /is at no source/],
    [["source token server"], 403, 280, /is at no source/],
    [["source content server"], 401, 0, /status 401/],
    [["source content server"], 403, 280, /status 403/],
    [["GitHub API"], 401, 0, /github-token is not valid here/],
    [["GitHub API"], 403, 280, /GitHub .* status 403/],
    [["Docker Hub API", "TCR API"], 401, 0, /status 401/],
    [["Docker Hub API", "TCR API"], 403, 280, /status 403/],
    // As the Tencent Cloud API refuses, with a status of success: a signature here.
    [["TCR API"], 200, 0, /AuthFailure\.SignatureFailure/],
    [["TCR API"], 200, 280, /AuthFailure\.SignatureFailure/],
  ])("%s with status %i after %i characters", async (servers, status, before, says) => {
    await play({
      arrange: (world) => {
        for (const server of servers) always(world, [server], echo(belongs, server, status, before));
      },
      says,
    });
  });

  it("in place of an answer", async () => {
    const wrong = (server: string) => {
      const text = known(belongs, server);
      return JSON.stringify({ token: { text }, access_token: { text }, expires_in: text, Response: text });
    };
    await play({
      arrange: (world) => {
        for (const server of [...tokenServers, "Docker Hub API"]) {
          const headers = { "content-type": "application/json" };
          always(world, [server], { status: 200, headers, body: wrong(server) });
        }
      },
      says: /not of the expected form/,
    });
  });
});

describe.concurrent("secrets of a run that fails half way", () => {
  it("at the pruning of Docker Hub", async () => {
    const refused = echo(belongs, "Docker Hub API", 403);
    await play({
      arrange: (world) =>
        world
          .server("Docker Hub API")
          .fault({ when: { method: "DELETE" }, times: Infinity, effect: refused }),
      says: /2 tags not deleted: .*does not let this token delete the tag/,
      exitCode: 0,
    });
  });

  it("at the pruning of TCR", async () => {
    await play({
      arrange: (world) =>
        world.server("TCR API").fault({
          when: { header: { name: "x-tc-action", value: /^DeleteRepositoryTags$/ } },
          times: Infinity,
          effect: echo(belongs, "TCR API", 200),
        }),
      says: /Pruning .* failed: .*AuthFailure/,
    });
  });

  it("at a signal", async () => {
    await using world = await startSecretWorld();
    let cancel = () => {};
    const upload = { method: ["PATCH", "PUT"], path: /\/blobs\/uploads\// };
    const hub = world.server("Docker Hub registry");
    hub.fault({ when: upload, times: Infinity, effect: { run: () => cancel() } });
    hub.fault({ when: upload, times: Infinity, effect: { delayMs: 60_000 } });
    const heard = await listen(world, {
      onStart: (child) => {
        cancel = () => child.kill("SIGTERM");
      },
    });
    expect(leaks(heard, belongs)).toEqual([]);
    expect(notMasked(heard)).toEqual([]);
    expect(heard.result.log).toContain("the run was cancelled (SIGTERM)");
    expect(heard.result.exitCode).toBe(1);
  });
});

describe.concurrent("secrets, where a server points at a stranger", () => {
  /** The same address by another name, so that it is another host. */
  const strange = (world: SecretWorld) => world.server("stranger").origin.replace("127.0.0.1", "localhost");
  const everyone = [...registries, ...tokenServers, "Docker Hub API", "TCR API"];

  it.each<[what: string, servers: readonly string[], says: RegExp]>([
    ["a redirect by all destinations", everyone, /::error::/],
    ["a redirect by the source", ["source registry"], /reading the manifest v2.15.2 failed/],
    ["a redirect by the source's token server", ["source token server"], /is at no source/],
    ["a redirect by GitHub", ["GitHub API"], /::error::/],
  ])("%s", async (_what, servers, says) => {
    await play({
      arrange: (world) =>
        always(world, servers, { status: 307, headers: { location: `${strange(world)}/elsewhere` } }),
      says,
    });
  });

  it("as token server", async () => {
    await play({
      arrange: (world) => {
        const challenge = `Bearer realm="${strange(world)}/token",service="x"`;
        const effect = { status: 401, headers: { "www-authenticate": challenge } };
        always(world, registries, effect, /^\/v2\//);
      },
      says: /names a token server on another host, localhost/,
    });
  });

  it("for an upload", async () => {
    await play({
      arrange: (world) => {
        const location = `${strange(world)}/upload?state=x`;
        for (const name of registries) {
          world.server(name).fault({
            when: { method: "POST", path: /\/blobs\/uploads\// },
            times: Infinity,
            effect: { status: 202, headers: { location } },
          });
        }
      },
      says: /::error::/,
    });
  });
});
