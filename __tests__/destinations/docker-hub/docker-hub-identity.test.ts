import { describe, expect, it } from "vitest";
import { keylessHubCredentials } from "../../../src/destinations/docker-hub/docker-hub-identity.ts";
import { InputError } from "../../../src/errors.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { type Exchange, type Scripted, scriptedTransport } from "../../support/scripted-transport.ts";

const connectionId = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const call = "POST https://identity.docker.com/oauth/token";
const claims = Buffer.from(JSON.stringify({ sub: "repo:goharbor/harbor:ref:refs/tags/v2.15.2" }));
const idToken = (number: number): string => `id${number}.${claims.toString("base64url")}.sig`;
const gives = (token: string): Exchange => [call, { json: { access_token: token } }];

function scenario(exchanges: readonly Exchange[], identityUrl = "https://identity.docker.com") {
  const clock = fakeClock();
  const log = recordingLog();
  const audiences: string[] = [];
  const transport = scriptedTransport(...exchanges);
  const credentials = keylessHubCredentials({
    connection: { organisation: "goharbor", connectionId, identityUrl: new URL(identityUrl) },
    idTokens: async (audience) => idToken(audiences.push(audience)),
    transport,
    clock,
    log,
  });
  return { clock, log, audiences, transport, credentials };
}

describe("the keyless login for Docker Hub", () => {
  it("is the organisation, with what its id token is exchanged for as password", async () => {
    const { log, audiences, transport, credentials } = scenario([gives("one")]);
    expect(await credentials()).toEqual({ username: "goharbor", password: "one" });
    expect(audiences).toEqual(["https://identity.docker.com"]);
    const [sent] = transport.sent;
    expect(sent?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      subject_token: idToken(1),
      connection_id: connectionId,
      expires_in: "300",
    });
    expect(log.masked).toEqual(["one"]);
    transport.finish();
  });

  it("is exchanged once for all who ask, and again, with another id token, a minute before it runs out", async () => {
    const { clock, audiences, transport, credentials } = scenario([gives("one"), gives("two")]);
    const both = await Promise.all([credentials(), credentials()]);
    expect(both.map((login) => login?.password)).toEqual(["one", "one"]);
    clock.advance(240_000 - 1);
    expect((await credentials())?.password).toBe("one");
    clock.advance(1);
    expect((await credentials())?.password).toBe("two");
    expect(audiences).toHaveLength(2);
    expect(transport.sent[1]?.body).toContain("subject_token=id2.");
    transport.finish();
  });

  it("goes to the site that was given, which is also the audience", async () => {
    const base = "http://127.0.0.1:5000";
    const here: Exchange = [`POST ${base}/oauth/token`, { json: { access_token: "one" } }];
    const { audiences, transport, credentials } = scenario([here], base);
    await credentials();
    expect(audiences).toEqual([base]);
    transport.finish();
  });

  it.each<[number, unknown, string]>([
    [401, { error: "invalid_client", error_description: "unknown connection" }, "(unknown connection)"],
    [403, { message: "no ruleset" }, "(no ruleset)"],
    [400, { error: "invalid_grant" }, "(invalid_grant)"],
    [404, "not an object", "accept this workflow."],
  ])("refused with %i: explained by the job's subject, and not tried again", async (status, json, words) => {
    const { transport, credentials } = scenario([[call, { status, json }]]);
    for (const _again of [1, 2]) {
      const failure = await credentials().catch(String);
      expect(failure).toContain(
        `identity.docker.com: exchanging GitHub's id token failed with status ${status}`,
      );
      expect(failure).toContain(words);
      expect(failure).toContain("`repo:goharbor/harbor:ref:refs/tags/v2.15.2`");
      expect(failure).not.toContain(claims.toString("base64url"));
    }
    transport.finish();
  });

  it.each<[string, Scripted]>([
    ["429", { status: 429 }],
    ["503", { status: 503 }],
    ["a broken connection", new Error("reset")],
  ])("is tried again after %s", async (_name, answer) => {
    const { transport, credentials } = scenario([[call, answer], gives("two")]);
    await expect(credentials()).rejects.toThrow("identity.docker.com: exchanging GitHub's id token failed");
    expect((await credentials())?.password).toBe("two");
    transport.finish();
  });

  it.each<[string, unknown]>([
    ["no token", {}],
    ["an empty one", { access_token: "" }],
  ])("must not be %s", async (_name, json) => {
    const { transport, credentials } = scenario([[call, { json }]]);
    await expect(credentials()).rejects.toThrow("not of the expected form");
    transport.finish();
  });

  it("is not there for a job without id tokens", async () => {
    const transport = scriptedTransport();
    const credentials = keylessHubCredentials({
      connection: {
        organisation: "goharbor",
        connectionId,
        identityUrl: new URL("https://identity.docker.com"),
      },
      idTokens: () => Promise.reject(new InputError("id-token: write")),
      transport,
      clock: fakeClock(),
      log: recordingLog(),
    });
    await expect(credentials()).rejects.toThrow(InputError);
    transport.finish();
  });
});
