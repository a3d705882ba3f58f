import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { InputError } from "../../src/errors.ts";
import type { Credential } from "../../src/oci/credentials.ts";
import { credentialHelpers, dockerConfiguration, type RunHelper } from "../../src/oci/docker-config.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "docker-config-test-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const encoded = (login: string) => Buffer.from(login).toString("base64");

async function writeConfig(config: unknown): Promise<void> {
  await writeFile(join(folder, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
}

/** The login that a configuration has for a registry. */
async function loginOf(
  registry: string,
  config: unknown,
  helper: RunHelper = credentialHelpers(process.env, systemClock),
): Promise<Credential | undefined> {
  await writeConfig(config);
  return dockerConfiguration(folder, helper)(registry)();
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  return String(error);
}

/** A stand-in that answers with what it was asked. */
const askedHelper: RunHelper = (helper, serverUrl) =>
  Promise.resolve({ username: helper, password: serverUrl });

describe("auths", () => {
  test.each([
    ["auth", { auth: encoded("bot:secret") }, { username: "bot", password: "secret" }],
    ["a password with colons", { auth: encoded("bot:a:b:c") }, { username: "bot", password: "a:b:c" }],
    ["Docker's padding", { auth: encoded("bot:secret\0\0") }, { username: "bot", password: "secret" }],
    [
      "username and password",
      { username: "bot", password: "secret" },
      { username: "bot", password: "secret" },
    ],
    [
      "an identity token",
      { auth: encoded("00000000-0000-0000-0000-000000000000:"), identitytoken: "refresh" },
      { username: "00000000-0000-0000-0000-000000000000", identityToken: "refresh" },
    ],
  ])("%s", async (_name, entry, expected) => {
    expect(await loginOf("ghcr.io", { auths: { "ghcr.io": entry } })).toMatchObject(expected);
  });

  test.each([
    ["an empty entry, which docker leaves beside credsStore", {}],
    ["an empty auth", { auth: "" }],
    ["no colon", { auth: encoded("bot") }],
    ["no password", { auth: encoded("bot:") }],
    ["no base64", { auth: "%%%" }],
  ])("%s is no login", async (_name, entry) => {
    expect(await loginOf("ghcr.io", { auths: { "ghcr.io": entry } })).toBeUndefined();
  });

  test.each([
    ["ghcr.io", "ghcr.io"],
    ["ghcr.io", "https://ghcr.io"],
    ["ghcr.io", "https://ghcr.io/"],
    ["ghcr.io", "http://ghcr.io/v1/"],
    ["ghcr.io", "GHCR.io"],
    ["ghcr.io", "ghcr.io:443"],
    ["ghcr.io", "https://ghcr.io:443/v2/"],
    ["docker.io", "docker.io:443"],
    ["localhost:5000", "localhost:5000"],
    ["docker.io", "https://index.docker.io/v1/"],
    ["docker.io", "index.docker.io"],
    ["docker.io", "docker.io"],
    ["docker.io", "registry-1.docker.io"],
    ["docker.io", "https://registry.hub.docker.com/v2/"],
  ])("%s is found under %s", async (registry, key) => {
    const auths = {
      "other.example": { auth: encoded("other:other") },
      [key]: { auth: encoded("bot:secret") },
    };
    expect(await loginOf(registry, { auths })).toMatchObject({ username: "bot", password: "secret" });
  });

  test.each([
    ["ghcr.io", "evil-ghcr.io"],
    ["ghcr.io", "ghcr.io.evil.example"],
    ["ghcr.io", "https://evil.example/ghcr.io"],
    ["ghcr.io", "sub.ghcr.io"],
    ["sub.ghcr.io", "ghcr.io"],
    ["ghcr.io", "ghcr.io:8443"],
    ["ghcr.io:8443", "ghcr.io"],
    ["ghcr.io", "user@ghcr.io"],
    ["ghcr.io", ""],
    ["docker.io", "docker.io.evil.example"],
    ["docker.io", "https://index.docker.io/v1/access-token"],
    ["docker.io", "https://index.docker.io/v1/refresh-token"],
    ["__proto__", "ghcr.io"],
  ])("the login of %s is not that of %j", async (registry, key) => {
    expect(await loginOf(registry, { auths: { [key]: { auth: encoded("bot:secret") } } })).toBeUndefined();
  });
});

describe("the file", () => {
  test("that is not there is no mistake: everything is anonymous", async () => {
    const configuration = dockerConfiguration(join(folder, "nowhere"), askedHelper);
    expect(await configuration("ghcr.io")()).toBeUndefined();
  });

  test.each([
    "",
    " \n",
    '{"auths":null,"credHelpers":null,"credsStore":null}',
    '{"auths":{"ghcr.io":null}}',
    "{}",
    '{"auths":{},"HttpHeaders":{"User-Agent":"x"},"currentContext":"y"}',
  ])("%s has no login", async (text) => {
    expect(await loginOf("ghcr.io", text)).toBeUndefined();
  });

  test.each([
    ["cut off", '{"auths":{"ghcr.io":{"auth":"c2VjcmV0'],
    ["no JSON", "secret-password"],
    ["a login that is text", '{"auths":{"ghcr.io":"secret-password"}}'],
    ["a password that is a list", '{"auths":{"ghcr.io":{"password":["secret-password"]}}}'],
    ["a helper that is a list", '{"credHelpers":{"ghcr.io":["secret-password"]}}'],
    ["a text", '"secret-password"'],
  ])("that is malformed (%s) is named, and never quoted", async (_name, text) => {
    const message = await failureOf(loginOf("ghcr.io", text));
    expect(message).toContain(join(folder, "config.json"));
    expect(message).toContain("Log in again");
    expect(message).not.toMatch(/secret|c2VjcmV0/);
  });

  test("that cannot be read is a failure, not an anonymous login", async () => {
    await mkdir(join(folder, "config.json"));
    expect(await failureOf(dockerConfiguration(folder, askedHelper)("ghcr.io")())).toContain(
      "cannot be read",
    );
  });

  test("is read once", async () => {
    await writeConfig({ auths: { "ghcr.io": { auth: encoded("bot:secret") } } });
    const configuration = dockerConfiguration(folder, askedHelper);
    await configuration("ghcr.io")();
    await rm(join(folder, "config.json"));
    expect(await configuration("ghcr.io")()).toMatchObject({ username: "bot" });
  });
});

describe("a broken entry", () => {
  const good = { auth: encoded("bot:secret") };

  test.each([
    ["null", { auths: { "other.example": null, "ghcr.io": good } }],
    ["a text", { auths: { "other.example": "secret-password", "ghcr.io": good } }],
    ["a number under what is no host", { auths: { "secret-password": 1, "ghcr.io": good } }],
    ["a password that is a list", { auths: { "other.example": { password: [] }, "ghcr.io": good } }],
    ["a helper that is null", { credHelpers: { "other.example": null }, auths: { "ghcr.io": good } }],
    ["a helper that is a number", { credHelpers: { "other.example": 1 }, auths: { "ghcr.io": good } }],
  ])("(%s) concerns its own registry only", async (_what, config) => {
    expect(await loginOf("ghcr.io", config)).toMatchObject({ username: "bot", password: "secret" });
  });

  test("is named by its key, with the registry to log in to", async () => {
    const config = {
      auths: { "https://ghcr.io": { auth: 1, password: "secret-password" }, "other.example": good },
    };
    const message = await failureOf(loginOf("ghcr.io", config));
    expect(message).toMatch(
      /for ghcr\.io: what is below https:\/\/ghcr\.io is no login.*docker login ghcr\.io/,
    );
    expect(message).not.toContain("secret");
  });
});

describe("a key with a path", () => {
  const login = (name: string) => ({ auth: encoded(`${name}:secret`) });

  test.each([
    ["ns", ["r.example/other", "r.example/ns"], "r.example/ns"],
    ["ns", ["r.example/ns", "r.example"], "r.example/ns"],
    ["ns", ["r.example", "r.example/ns"], "r.example/ns"],
    ["ns", ["r.example", "r.example/other"], "r.example"],
    ["ns/team", ["r.example/ns", "r.example/ns/team", "r.example"], "r.example/ns/team"],
    ["ns/team", ["r.example/ns", "r.example"], "r.example/ns"],
    ["ns", ["r.example/ns/"], "r.example/ns/"],
    ["ns", ["r.example/v1/"], "r.example/v1/"],
    ["ns", ["https://r.example/v1/", "r.example/ns"], "r.example/ns"],
  ])("of %s, among %j, is %s: the longest that leads there", async (namespace, keys, expected) => {
    const auths = Object.fromEntries(keys.map((key) => [key, { username: key, password: "secret" }]));
    await writeConfig({ auths });
    const found = await dockerConfiguration(folder, askedHelper)("r.example", namespace)();
    expect(found?.username).toBe(expected);
  });

  test.each([
    ["ns", "r.example/other"],
    ["ns", "r.example/n"],
    ["ns", "r.example/ns2"],
    ["ns", "r.example/ns/deeper"],
    ["ns", "evil.example/r.example/ns"],
    [undefined, "r.example/ns"],
  ])("is not for %s where it is %s", async (namespace, key) => {
    await writeConfig({ auths: { [key]: login("bot") } });
    expect(await dockerConfiguration(folder, askedHelper)("r.example", namespace)()).toBeUndefined();
  });
});

describe("which credential helper is asked", () => {
  const stored = { auth: encoded("bot:secret") };

  test.each([
    [
      "its own, before the file and the store",
      { credHelpers: { "ghcr.io": "own" }, auths: { "ghcr.io": stored }, credsStore: "store" },
      "own",
      "ghcr.io",
    ],
    [
      "the store, with the registry's key",
      { auths: { "https://ghcr.io": {} }, credsStore: "store" },
      "store",
      "https://ghcr.io",
    ],
    ["the store, without any key", { credsStore: "store" }, "store", "ghcr.io"],
    [
      "the store, though another registry has its own",
      { credHelpers: { "ghcr.io.evil.example": "own" }, credsStore: "store" },
      "store",
      "ghcr.io",
    ],
    [
      "none, where the file has the login",
      { auths: { "ghcr.io": stored }, credsStore: "store" },
      "bot",
      "secret",
    ],
    [
      "none, by an empty name",
      { credHelpers: { "ghcr.io": "" }, auths: { "ghcr.io": stored }, credsStore: "store" },
      "bot",
      "secret",
    ],
  ])("%s", async (_name, config, username, password) => {
    expect(await loginOf("ghcr.io", config, askedHelper)).toMatchObject({ username, password });
  });

  test.each([
    ["an empty store", { credsStore: "" }],
    ["an empty helper beside a store", { credHelpers: { "ghcr.io": "" }, credsStore: "store" }],
  ])("none, by %s", async (_name, config) => {
    expect(await loginOf("ghcr.io", config, askedHelper)).toBeUndefined();
  });

  test("Docker Hub's under docker's own key for it", async () => {
    expect(await loginOf("docker.io", { credsStore: "store" }, askedHelper)).toMatchObject({
      password: "https://index.docker.io/v1/",
    });
    const credHelpers = { "index.docker.io": "own" };
    expect(await loginOf("docker.io", { credHelpers }, askedHelper)).toMatchObject({ username: "own" });
  });

  test("again each time, because its logins run out", async () => {
    let asked = 0;
    await writeConfig({ credsStore: "store" });
    const credentials = dockerConfiguration(folder, () => {
      asked += 1;
      return Promise.resolve({ username: "bot", password: `secret ${asked}` });
    })("ghcr.io");
    await credentials();
    expect(await credentials()).toMatchObject({ password: "secret 2" });
  });
});

describe("a credential helper", () => {
  /** Puts a program docker-credential-test on the PATH, and asks it. */
  async function ask(script: string, name = "test"): Promise<Credential | undefined> {
    const program = join(folder, "docker-credential-test");
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
    return loginOf("ghcr.io", { credHelpers: { "ghcr.io": name } });
  }

  test("gets `get` as argument and the server on its standard input", async () => {
    const answer = '{"ServerURL":"ghcr.io","Username":"bot","Secret":"secret"}';
    const script = `echo "$*" > '${folder}/arguments'; cat > '${folder}/input'; echo '${answer}'`;
    expect(await ask(script)).toMatchObject({ username: "bot", password: "secret" });
    expect(await readFile(join(folder, "arguments"), "utf8")).toBe("get\n");
    expect(await readFile(join(folder, "input"), "utf8")).toBe("ghcr.io");
  });

  test("gets the variables that it needs, and no secret of others", async () => {
    vi.stubEnv("DOCKER_CONFIG", "/docker");
    for (const name of [
      "TENCENTCLOUD_SECRET_KEY",
      "GITHUB_TOKEN",
      "INPUT_TCR-PASSWORD",
      "AWS_SECRET_ACCESS_KEY",
    ])
      vi.stubEnv(name, "secret-of-others");
    await ask(`/usr/bin/env > '${folder}/environment'; echo '{"Username":"bot","Secret":"secret"}'`);
    const environment = await readFile(join(folder, "environment"), "utf8");
    expect(environment).toMatch(/^PATH=/m);
    expect(environment).toMatch(/^DOCKER_CONFIG=\/docker$/m);
    expect(environment).not.toContain("secret-of-others");
  });

  test("that is not installed leaves no timer behind", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    await failureOf(loginOf("ghcr.io", { credsStore: "nowhere-to-be-found" }));
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test("that names the user <token> gives an identity token", async () => {
    const credential = await ask(`echo '{"Username":"<token>","Secret":"refresh"}'`);
    expect(credential).toEqual({
      username: "",
      password: "",
      identityToken: "refresh",
      from: "the credential helper docker-credential-test",
    });
  });

  test.each([
    "credentials not found in native keychain",
    "Credentials Not Found",
    "no credentials server URL",
  ])("that says %j has no login: that is no failure", async (words) => {
    expect(await ask(`echo '${words}'; exit 1`)).toBeUndefined();
  });

  test.each([
    ["fails", "echo 'secret words'; echo 'secret words' >&2; exit 3", "exit status 3"],
    ["fails without reading its input", "exit 4", "exit status 4"],
    ["prints no JSON", "echo 'secret words'", "no usable answer"],
    ["prints nothing", "exit 0", "no usable answer"],
    ["prints another form", `echo '{"Username":"secret words"}'`, "no usable answer"],
  ])("that %s is named, and its words are not quoted", async (_name, script, problem) => {
    const message = await failureOf(ask(script));
    expect(message).toContain("docker-credential-test");
    expect(message).toContain("ghcr.io");
    expect(message).toContain(problem);
    expect(message).not.toContain("secret");
  });

  test("that is not installed is a failure that says so", async () => {
    const message = await failureOf(loginOf("ghcr.io", { credsStore: "nowhere-to-be-found" }));
    expect(message).toContain("docker-credential-nowhere-to-be-found cannot be run");
    expect(message).toContain("Install it");
  });

  test.each(["../test", "/bin/sh", "a b", "x\n::set-output name=a::b", "$(id)"])(
    "of the name %j is never run",
    async (name) => {
      const message = await failureOf(ask("exit 0", name));
      expect(message).toContain("cannot be one");
      expect(message).not.toMatch(/\n|::/);
    },
  );
});
