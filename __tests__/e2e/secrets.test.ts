import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { FaultRule } from "../../sandbox/server.ts";
import { formsOf, holds, type Secret } from "./secret.ts";
import { given, type Heard, listen, type SecretWorld, startSecretWorld, writeHelper } from "./secret-world.ts";

/**
 * Who may come to know a secret. Wherever else one is found is a leak: at another server, in the log beside the lines that
 * mask it, in the summary, the outputs, the report or any other file.
 */
const belongs: Readonly<Record<string, readonly string[]>> = {
  [given.githubToken.name]: ["GitHub API"],
  [given.hubUser.name]: ["Docker Hub token server", "Docker Hub API"],
  [given.hubToken.name]: ["Docker Hub token server", "Docker Hub API"],
  [given.secretId.name]: ["TCR API"],
  [given.secretKey.name]: [],
  [given.sessionToken.name]: ["TCR API"],
  [given.tcrUser.name]: ["TCR token server"],
  [given.tcrPassword.name]: ["TCR token server"],
  // The variables of the job are there for every program of it.
  [given.variableId.name]: ["TCR API", "credential helper"],
  [given.variableKey.name]: ["credential helper"],
  [given.variableToken.name]: ["TCR API", "credential helper"],
  [given.sourceKey.name]: ["source token server"],
  [given.helperUser.name]: ["Basic registry"],
  [given.helperPassword.name]: ["Basic registry"],
  [given.identityToken.name]: ["OAuth token server"],
  [given.unusedHub.name]: [],
  [given.unusedTcr.name]: [],
  [given.stranger.name]: [],
  "registry token of the source": ["source registry"],
  "registry token of Docker Hub": ["Docker Hub registry"],
  "registry token of TCR": ["TCR registry"],
  "registry token by OAuth2": ["OAuth registry"],
  "token of the Hub API": ["Docker Hub API"],
  "temporary login of TCR": ["TCR token server"],
  "signature of a blob's address": ["source content server"],
  "signature with the API key": ["TCR API"],
};

/** User names, whose value alone opens nothing: not masked, and all the same nowhere to be seen. And what nobody reads. */
const unmasked: ReadonlySet<string> = new Set(
  [
    given.hubUser,
    given.tcrUser,
    given.helperUser,
    given.unusedHub,
    given.unusedTcr,
    given.stranger,
    { name: "signature of a blob's address" },
    { name: "signature with the API key" },
  ].map(({ name }) => name),
);

const maskCommand = "::add-mask::";

/** Where each secret was found among what was sent, by the names of both. */
function meetings({ secrets, sent }: Heard): readonly (readonly [secret: string, place: string])[] {
  return secrets.flatMap((secret) =>
    [...sent].flatMap(([place, text]) => (holds(text, secret) ? [[secret.name, place] as const] : [])),
  );
}

/** Every secret in a wrong place, in words. */
function leaks(heard: Heard): readonly string[] {
  const { result, secrets, files } = heard;
  const atServers = meetings(heard).filter(([secret, place]) => !belongs[secret]?.includes(place));
  const printed = result.log.split("\n").filter((line) => !line.startsWith(maskCommand));
  const written: readonly (readonly [string, string])[] = [
    ...printed.map((line) => [`the log: ${line}`, line] as const),
    ["the outputs", JSON.stringify(result.outputs)],
    ...files,
  ];
  return [
    ...atServers.map(([secret, place]) => `${secret}: sent to ${place}`),
    ...secrets.flatMap((secret) =>
      written.flatMap(([place, text]) => (holds(text, secret) ? [`${secret.name}: in ${place}`] : [])),
    ),
  ];
}

/** Secrets that somebody was sent and the runner was not told to mask. */
function notMasked(heard: Heard): readonly string[] {
  const masks = heard.result.log.split("\n").filter((line) => line.startsWith(maskCommand));
  const met = new Set(meetings(heard).map(([secret]) => secret));
  return heard.secrets
    .filter(({ name }) => met.has(name) && !unmasked.has(name) && !belongs[name]?.includes("credential helper"))
    .filter((secret) => !masks.some((line) => holds(line.replaceAll("%25", "%"), secret)))
    .map(({ name }) => name);
}

interface Scenario {
  readonly arrange?: (world: SecretWorld) => void;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What the log has to say, so that it is known to be this scenario. */
  readonly says: RegExp;
  /** Default: 1. */
  readonly exitCode?: 0 | 1;
}

async function play({ arrange, inputs = {}, env = {}, says, exitCode = 1 }: Scenario): Promise<Heard> {
  await using world = await startSecretWorld();
  arrange?.(world);
  const heard = await listen(world, { inputs, env });
  expect(leaks(heard)).toEqual([]);
  expect(notMasked(heard)).toEqual([]);
  expect(heard.result.log).toMatch(says);
  expect(heard.result.exitCode).toBe(exitCode);
  return heard;
}

/** A fault that stays. `/v2/` itself is left as it is: nobody could log in otherwise. */
function always(world: SecretWorld, servers: readonly string[], effect: FaultRule["effect"], path = /^\/(?!v2\/$)/) {
  for (const name of servers) world.server(name).fault({ when: { path }, times: Infinity, effect });
}

/** Those that a server may know, in every form. */
function known(server: string): string {
  const secrets: readonly Secret[] = Object.values(given).filter(({ name }) => belongs[name]?.includes(server));
  return secrets.flatMap(formsOf).join(" | ");
}

/**
 * A refusal that sends back all that the server knows: the login that came with the request, decoded too, and its secrets.
 * @param before characters in front of it, so that the place where a long text is cut is inside of a secret.
 */
function echo(server: string, status: number, before = 0): FaultRule["effect"] {
  const body: Extract<FaultRule["effect"], { status: number }>["body"] = ({ headers }) => {
    const login = headers.authorization ?? "";
    const decoded = Buffer.from(login.split(" ")[1] ?? "", "base64").toString();
    const message = `${"x".repeat(before)}${login} | ${decoded} | ${known(server)}`;
    const errors = [{ code: "DENIED", message }];
    // The forms of registries, of GitHub, of Docker Hub and of the Tencent Cloud API in one.
    const Response = { Error: { Code: "AuthFailure.SignatureFailure", Message: message }, RequestId: message };
    return JSON.stringify({ errors, message, documentation_url: message, detail: message, details: message, Response });
  };
  return { status, headers: { "content-type": "application/json" }, body };
}

const registries = ["Docker Hub registry", "TCR registry", "Basic registry", "OAuth registry"];
const tokenServers = ["Docker Hub token server", "TCR token server", "OAuth token server"];

describe.concurrent("secrets in a run that succeeds", () => {
  it("are found at all whom they belong to, and nowhere else", async () => {
    const heard = await play({ says: /Copied 8 images/i, exitCode: 0 });
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
    const { result } = await play({ says: /Plan/, exitCode: 0 });
    const lines = result.log.split("\n");
    const first = lines.findIndex((line) => !line.startsWith(maskCommand));
    const masked = lines.slice(0, first).join("\n").replaceAll("%25", "%");
    const { githubToken, hubToken, secretId, secretKey, sessionToken } = given;
    const inputs = [githubToken, hubToken, secretId, secretKey, sessionToken];
    expect(inputs.filter((secret) => !masked.includes(secret.value))).toEqual([]);
  });
});
