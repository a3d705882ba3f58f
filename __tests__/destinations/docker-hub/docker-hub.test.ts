import { describe, expect, it } from "vitest";
import type { DestinationInput } from "../../../src/destinations/destination-input.ts";
import { createDockerHubDestination } from "../../../src/destinations/docker-hub/docker-hub.ts";
import { InputError } from "../../../src/errors.ts";
import type { Login } from "../../../src/oci/credentials.ts";
import { anonymous, type Credentials } from "../../../src/oci/credentials.ts";
import { obstacle, wordsOf } from "../../support/failures.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { type Exchange, type Scripted, scriptedTransport } from "../../support/scripted-transport.ts";

const signal = new AbortController().signal;
const hub = "https://hub.docker.com";
const repository = "goharbor/harbor-core";
const person: Login = { username: "robot", password: "dckr_pat_secret" };
const organisation: Login = { username: "goharbor", password: "dckr_oat_secret" };

const loginCall = `POST ${hub}/v2/auth/token`;
const current = (tag: string) => `DELETE ${hub}/v2/namespaces/goharbor/repositories/harbor-core/tags/${tag}`;
const legacy = (tag: string) => `DELETE ${hub}/v2/repositories/goharbor/harbor-core/tags/${tag}/`;
const status = (code: number): Scripted => ({ status: code });
const token = (value: string): Scripted => ({ json: { access_token: value } });
const loggedIn: Exchange = [loginCall, token("jwt-1")];

interface Options {
  readonly input?: Partial<DestinationInput>;
  readonly login?: Login | undefined;
  readonly keyless?: Credentials;
  readonly dockerCredentials?: Credentials;
}

async function scenario(exchanges: readonly Exchange[], options: Options = {}) {
  const { input = {}, dockerCredentials = anonymous } = options;
  const login = "login" in options ? options.login : person;
  const clock = fakeClock();
  const log = recordingLog();
  const transport = scriptedTransport(...exchanges);
  const destination = await createDockerHubDestination({
    input: {
      registry: "docker.io",
      path: "goharbor",
      type: "docker-hub",
      retention: { keep: 3, keepBy: "semver" },
      api: undefined,
      registryId: undefined,
      region: undefined,
      public: false,
      tokenServer: undefined,
      attestations: true,
      ...input,
    },
    login,
    keyless: options.keyless,
    dockerCredentials,
    transport,
    clock,
    log,
  });
  const deleteTags = (...tags: string[]) =>
    destination.deleteTags(
      repository,
      tags.map((tag) => ({ tag, digest: undefined })),
      signal,
    );
  return { clock, log, transport, destination, deleteTags };
}

describe("a Docker Hub destination", () => {
  it("takes the login of the inputs, deletes by tag, and sends nothing to be made or prepared", async () => {
    const { transport, destination } = await scenario([]);
    await destination.prepare(signal);
    expect(await destination.credentials(signal)).toEqual(person);
    expect(destination.deletion).toBe("by-tag");
    expect(destination.name).toBe("docker.io/goharbor");
    expect(transport.sent).toEqual([]);
  });

  it("takes the login of the Docker configuration otherwise, also for the API", async () => {
    const { transport, destination, deleteTags } = await scenario([loggedIn, [current("v1"), status(204)]], {
      login: undefined,
      dockerCredentials: () => Promise.resolve(person),
    });
    expect(await destination.credentials(signal)).toEqual(person);
    await deleteTags("v1");
    expect(JSON.parse(transport.sent[0]?.body ?? "")).toEqual({
      identifier: "robot",
      secret: "dckr_pat_secret",
    });
    transport.finish();
  });

  it.each<[string, Credentials, string]>([
    ["no login at all", anonymous, "needs a login"],
    [
      "an identity token",
      () => Promise.resolve({ username: "<token>", password: "", identityToken: "refresh" }),
      "identity token",
    ],
    ["a login that cannot be read", () => Promise.reject(new Error("helper broke")), "helper broke"],
  ])("cannot delete with %s, and says what to set", async (_name, dockerCredentials, reason) => {
    const { transport, destination, deleteTags } = await scenario([], {
      login: undefined,
      dockerCredentials,
    });
    expect(destination.deletion).toBe("unavailable");
    expect(destination.deletionUnavailable).toContain(reason);
    expect(destination.deletionUnavailable).toContain("`dockerhub-token`");
    expect(await deleteTags("v1")).toEqual([
      { tag: "v1", failure: obstacle(destination.deletionUnavailable ?? "") },
    ]);
    expect(transport.sent).toEqual([]);
  });

  it("refuses a namespace of several parts", async () => {
    const made = scenario([], { input: { path: "team/harbor" } });
    await expect(made).rejects.toThrow(InputError);
  });
});

describe("a keyless Docker Hub destination", () => {
  const keyless: Credentials = () => Promise.resolve({ username: "goharbor", password: "minutes" });
  const options = { login: undefined, keyless, dockerCredentials: () => Promise.reject(new Error("unused")) };

  it("takes the keyless login for registry and API, on namespace routes only", async () => {
    const { transport, destination, deleteTags } = await scenario(
      [loggedIn, [current("v1"), status(405)]],
      options,
    );
    expect(await destination.credentials(signal)).toEqual({ username: "goharbor", password: "minutes" });
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("status 405");
    expect(JSON.parse(transport.sent[0]?.body ?? "")).toEqual({ identifier: "goharbor", secret: "minutes" });
    transport.finish();
  });

  it("says early, and with what to do, that the API does not take it", async () => {
    const { transport, destination } = await scenario([[loginCall, status(401)]], options);
    await expect(destination.whyNoDeletion?.(signal)).rejects.toThrow(/OIDC connection.*`dockerhub-token`/);
    transport.finish();
  });
});

describe("deleting tags on Docker Hub", () => {
  it("logs in once, masks the token before its first use, and deletes every tag by its name", async () => {
    const { transport, log, deleteTags } = await scenario([
      loggedIn,
      [
        current("v1"),
        () => {
          expect(log.masked).toEqual(["jwt-1"]);
          return status(204);
        },
      ],
      [current("v2"), status(200)],
    ]);
    expect(await deleteTags("v1", "v2")).toEqual([
      { tag: "v1", failure: undefined },
      { tag: "v2", failure: undefined },
    ]);
    const bearers = transport.sent.map(({ headers }) => headers.authorization);
    expect(bearers).toEqual([undefined, "Bearer jwt-1", "Bearer jwt-1"]);
    transport.finish();
  });

  it("goes to the API that the attribute names, below its path", async () => {
    const api = new URL("http://127.0.0.1:5000/hub/");
    const base = "http://127.0.0.1:5000/hub/v2";
    const { transport, deleteTags } = await scenario(
      [
        [`POST ${base}/auth/token`, token("jwt-1")],
        [`DELETE ${base}/namespaces/goharbor/repositories/harbor-core/tags/v1`, status(204)],
      ],
      { input: { api } },
    );
    expect(await deleteTags("v1")).toEqual([{ tag: "v1", failure: undefined }]);
    transport.finish();
  });

  it.each([404, 405])("falls back to the older route after a %i", async (first) => {
    const { transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(first)],
      [legacy("v1"), status(204)],
    ]);
    expect(await deleteTags("v1")).toEqual([{ tag: "v1", failure: undefined }]);
    transport.finish();
  });

  it("counts a tag that neither route knows as gone", async () => {
    const { transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(404)],
      [legacy("v1"), status(404)],
    ]);
    expect(await deleteTags("v1")).toEqual([{ tag: "v1", failure: undefined }]);
    transport.finish();
  });

  it("never takes the older route with an organisation access token, which it refuses", async () => {
    const { transport, deleteTags } = await scenario(
      [loggedIn, [current("v1"), status(404)], [current("v2"), status(405)]],
      { login: organisation },
    );
    const [first, second] = await deleteTags("v1", "v2");
    expect(first).toEqual({ tag: "v1", failure: undefined });
    expect(wordsOf(second?.failure)).toContain("status 405");
    transport.finish();
  });

  it.each([403, 500])("explains a missing right (%i), and goes on with the next tag", async (refused) => {
    const { transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(refused)],
      [current("v2"), status(204)],
    ]);
    const [first, second] = await deleteTags("v1", "v2");
    expect(wordsOf(first?.failure)).toContain(
      `hub.docker.com/goharbor/harbor-core: deleting the tag v1 failed with status ${refused}`,
    );
    expect(wordsOf(first?.failure)).toContain('"Read, Write, Delete"');
    expect(second?.failure).toBeUndefined();
    transport.finish();
  });

  it("explains an immutable tag by Docker Hub's own words", async () => {
    const { transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), { status: 403, json: { message: "tag is immutable" } }],
    ]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("status 403: the tag is immutable (tag is immutable)");
    expect(wordsOf(deletion?.failure)).toContain("tag mutability settings");
    expect(wordsOf(deletion?.failure)).not.toContain("Read, Write, Delete");
    transport.finish();
  });

  it.each<[string, Scripted]>([
    ["no JSON", { status: 403, body: "<html>::set-output name=x::y" }],
    ["something else", { status: 403, json: ["immutable"] }],
    ["endless", { status: 403, body: `{"message":"${"x".repeat(70_000)}"}` }],
  ])("is not confused by a reason that is %s", async (_name, answer) => {
    const { transport, deleteTags } = await scenario([loggedIn, [current("v1"), answer]]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toMatch(
      /status 403: Docker Hub does not let this token delete the tag\. /,
    );
    transport.finish();
  });

  it("gives a broken connection as the failure of its tag", async () => {
    const { transport, deleteTags } = await scenario([loggedIn, [current("v1"), new Error("reset")]]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("deleting the tag v1 failed: reset");
    transport.finish();
  });

  it("ends with the signal's reason when the run is cancelled", async () => {
    const { transport, destination } = await scenario([]);
    const cancelled = AbortSignal.abort(new Error("cancelled"));
    const tags = [{ tag: "v1", digest: undefined }];
    await expect(destination.deleteTags(repository, tags, cancelled)).rejects.toThrow("cancelled");
    expect(transport.sent).toEqual([]);
  });
});

describe("the token of the Docker Hub API", () => {
  it("is renewed after nine minutes", async () => {
    const { clock, transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(204)],
      [current("v2"), status(204)],
      [loginCall, token("jwt-2")],
      [current("v3"), status(204)],
    ]);
    await deleteTags("v1");
    clock.advance(9 * 60_000 - 1);
    await deleteTags("v2");
    clock.advance(1);
    await deleteTags("v3");
    expect(transport.sent.at(-1)?.headers.authorization).toBe("Bearer jwt-2");
    transport.finish();
  });

  it("is renewed once when it is refused", async () => {
    const { log, transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(401)],
      [loginCall, token("jwt-2")],
      [current("v1"), status(204)],
    ]);
    expect(await deleteTags("v1")).toEqual([{ tag: "v1", failure: undefined }]);
    expect(log.masked).toEqual(["jwt-1", "jwt-2"]);
    transport.finish();
  });

  it("is given up when a fresh one is refused as well", async () => {
    const { transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), status(401)],
      [loginCall, token("jwt-2")],
      [current("v1"), status(401)],
    ]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("status 401");
    transport.finish();
  });

  it("is not asked for again with credentials that were refused, nor are they printed", async () => {
    const { transport, deleteTags } = await scenario([[loginCall, status(401)]]);
    const deletions = await deleteTags("v1", "v2");
    for (const { failure } of deletions) {
      expect(wordsOf(failure)).toContain("logging in to the Docker Hub API failed with status 401");
      expect(wordsOf(failure)).toContain("`dockerhub-username` and `dockerhub-token`");
      expect(wordsOf(failure)).not.toContain(person.password);
    }
    expect(deletions).toHaveLength(2);
    transport.finish();
  });

  it("is asked for again after another failure", async () => {
    const { transport, deleteTags } = await scenario([
      [loginCall, status(503)],
      loggedIn,
      [current("v2"), status(204)],
    ]);
    const [first, second] = await deleteTags("v1", "v2");
    expect(wordsOf(first?.failure)).toContain("status 503");
    expect(second?.failure).toBeUndefined();
    transport.finish();
  });

  it.each<[string, Scripted]>([
    ["empty", token("")],
    ["missing", { json: { token: "jwt" } }],
  ])("must not be %s", async (_name, answer) => {
    const { transport, deleteTags } = await scenario([[loginCall, answer]]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("not of the expected form");
    transport.finish();
  });
});

describe("the rate limit of the Docker Hub API", () => {
  const now = fakeClock().now();
  const limited = (header: string, value: number): Scripted => ({
    status: 429,
    headers: { [header]: String(value) },
  });

  it.each([
    ["the time in X-Retry-After", limited("x-retry-after", now / 1000 + 90), 90_000],
    ["the seconds in Retry-After", limited("retry-after", 90), 90_000],
    ["at least a second", limited("x-retry-after", now / 1000 - 90), 1000],
  ])("is waited for: %s", async (_name, answer, wait) => {
    const { clock, transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), answer],
      [current("v1"), status(204)],
    ]);
    expect(await deleteTags("v1")).toEqual([{ tag: "v1", failure: undefined }]);
    expect(clock.slept).toEqual([wait]);
    transport.finish();
  });

  const answered = (remaining: number, reset: number): Scripted => ({
    status: 204,
    headers: { "x-ratelimit-remaining": String(remaining), "x-ratelimit-reset": String(reset) },
  });

  it.each([
    ["not paced while requests are left", answered(1, now / 1000 + 30), []],
    ["paced once the last one is used", answered(0, now / 1000 + 30), [30_000]],
    ["not paced for longer than a job should wait", answered(0, now / 1000 + 301), []],
    ["not paced by a moment that is past", answered(0, now / 1000 - 5), []],
  ])("%s", async (_name, answer, slept) => {
    const { clock, transport, deleteTags } = await scenario([
      loggedIn,
      [current("v1"), answer],
      [current("v2"), status(204)],
    ]);
    await deleteTags("v1", "v2");
    expect(clock.slept).toEqual(slept);
    transport.finish();
  });

  it.each([
    ["more than five minutes away", limited("x-retry-after", now / 1000 + 301), "asks to wait 6 minutes"],
    ["not named", status(429), "rate limit is used up"],
  ])("is not waited for when its end is %s", async (_name, answer, words) => {
    const { clock, transport, deleteTags } = await scenario([loggedIn, [current("v1"), answer]]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain(words);
    expect(clock.slept).toEqual([]);
    transport.finish();
  });

  it("is given up after three answers", async () => {
    const again: Exchange = [current("v1"), limited("retry-after", 1)];
    const { transport, deleteTags } = await scenario([loggedIn, again, again, again]);
    const [deletion] = await deleteTags("v1");
    expect(wordsOf(deletion?.failure)).toContain("status 429");
    transport.finish();
  });
});
