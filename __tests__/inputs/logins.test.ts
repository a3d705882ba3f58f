import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import { givenSecrets, loadInputs, readGivenFiles } from "../../src/inputs/inputs.ts";
import { loginsOfRoutes } from "../../src/inputs/logins.ts";
import { withoutSecrets } from "../../src/log/secrets.ts";
import { printNamespace } from "../../src/oci/reference.ts";
import type { Given } from "../support/given-inputs.ts";

/** What a run makes of its inputs: its logins, or what is wrong; and what it hides. */
async function read(logins: string, variables: Given = {}, inputs: Given = {}) {
  const environment: Record<string, string> = {
    INPUT_DESTINATIONS: "registry.example/harbor",
    INPUT_LOGINS: logins,
    ...variables,
  };
  for (const [name, value] of Object.entries(inputs)) environment[`INPUT_${name.toUpperCase()}`] = value;
  const files = await readGivenFiles(environment);
  const secrets = givenSecrets(environment, files);
  try {
    return { logins: loadInputs(environment, files).logins, mistakes: "", secrets };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { logins: [], mistakes: error.message, secrets };
  }
}

/** Place, user and password, id and key, of each. */
async function summary(text: string, variables: Given = {}): Promise<readonly string[]> {
  const { logins, mistakes } = await read(text, variables);
  expect(mistakes).toBe("");
  return logins.map(({ login, key, ...place }) =>
    [
      printNamespace(place),
      ...(login === undefined ? [] : [`${login.username}:${login.password}`]),
      ...(key === undefined ? [] : [[key.secretId, key.secretKey, key.sessionToken ?? ""].join("/")]),
    ].join(" "),
  );
}

describe("the input logins", () => {
  it("has a login or a key for each place, in any form of YAML", async () => {
    expect(
      await summary(
        [
          "# Two accounts of one vendor",
          "a.tencentcloudcr.com: { tcr-secret-id: AKIDa, tcr-secret-key: key a }",
          "b.tencentcloudcr.com:",
          "  tcr-secret-id: AKIDb",
          '  tcr-secret-key: "key: b # whole"',
          "  tcr-session-token: token b",
          "ccr.ccs.tencentyun.com: {username: '100012345678', password: 0123, tcr-secret-id: AKIDc, tcr-secret-key: key c}",
          "R.example.com:443/team:",
          "  password: |-",
          "    {",
          '      "private_key": "x"',
          "    }",
          "  username: _json_key",
          "index.docker.io: {username: hub, password: pass, insecure: false}",
          "localhost:5000: {username: me, password: pass, insecure: true}",
        ].join("\n"),
      ),
    ).toEqual([
      "a.tencentcloudcr.com AKIDa/key a/",
      "b.tencentcloudcr.com AKIDb/key: b # whole/token b",
      "ccr.ccs.tencentyun.com 100012345678:0123 AKIDc/key c/",
      'r.example.com/team _json_key:{\n  "private_key": "x"\n}',
      "docker.io hub:pass",
      "localhost:5000 me:pass",
    ]);
  });

  it("is JSON as well", async () => {
    expect(await summary('{"quay.io/team": {"username": "me", "password": "pass"}}')).toEqual([
      "quay.io/team me:pass",
    ]);
  });

  it("tells where each login stands", async () => {
    const { logins } = await read(
      "quay.io: {username: me, password: pass}\n\nghcr.io: {username: x, password: y}",
    );
    expect(logins.map(({ from, login }) => [from, login?.from])).toEqual([
      ["logins, line 1", "logins, line 1"],
      ["logins, line 3", "logins, line 3"],
    ]);
  });

  it("is absent where it is empty", async () => {
    expect(await read("")).toMatchObject({ logins: [], mistakes: "" });
  });

  it("lets an instance be opened with the key of its own", async () => {
    const inputs = { "tcr-open-access": "true" };
    const text = "a.tencentcloudcr.com: {tcr-secret-id: AKIDa, tcr-secret-key: key}";
    expect((await read(text, { GITHUB_STATE: "state" }, inputs)).mistakes).toBe("");
    const other = await read("quay.io: {username: x, password: y}", { GITHUB_STATE: "state" }, inputs);
    expect(other.mistakes).toContain("tcr-open-access: needs an API key or a role");
  });
});

describe("files of other tools", () => {
  it("image-transfer's logins are taken as they are", async () => {
    // https://github.com/tkestack/image-transfer/blob/main/examples/security.yaml
    const text = `quay.io/coreos:
    username: xxx
    password: xxxxxx
    insecure: false
registry.hub.docker.com:
    username: xxx
    password: yyyyyy
localhost:5000:
    username: test
    password: testtest
    insecure: true
`;
    expect(await summary(text)).toEqual([
      "quay.io/coreos xxx:xxxxxx",
      "docker.io xxx:yyyyyy",
      "localhost:5000 test:testtest",
    ]);
  });

  it("image-transfer's keys are those of the two editions", async () => {
    const key = (name: string) => `${name}:\n  secretId: AKID${name}\n  secretKey: key ${name}\n`;
    expect(await summary(key("ccr") + key("tcr"))).toEqual([
      "*.ccs.tencentyun.com AKIDccr/key ccr/",
      "*.tencentcloudcr.com AKIDtcr/key tcr/",
    ]);
    expect(await summary(key("tcr"))).toEqual([
      "*.tencentcloudcr.com AKIDtcr/key tcr/",
      "*.ccs.tencentyun.com AKIDtcr/key tcr/",
    ]);
    expect(await summary(`${key("ccr")}ccr.ccs.tencentyun.com: {username: me, password: pass}`)).toEqual([
      "*.ccs.tencentyun.com AKIDccr/key ccr/",
      "ccr.ccs.tencentyun.com me:pass",
      "*.tencentcloudcr.com AKIDccr/key ccr/",
    ]);
  });

  it("image-syncer's logins have variables of the environment", async () => {
    const text = `quay.io/coreos: {username: $QUAY_USER, password: "$QUAY_PASSWORD"}
r.example.com: {username: "robot$ci", password: "pa$$word \${PART}-\${PART}"}
`;
    const variables = { QUAY_USER: "me", QUAY_PASSWORD: "from the environment", PART: "p" };
    expect(await summary(text, variables)).toEqual([
      "quay.io/coreos me:from the environment",
      "r.example.com robot$ci:pa$$word p-p",
    ]);
    expect((await read(text, variables)).secrets).toEqual(
      expect.arrayContaining(["from the environment", "pa$$word p-p"]),
    );
  });

  it("image-syncer's file of everything has them below auth", async () => {
    const text =
      '{"auth": {"quay.io": {"username": "me", "password": "pass"}}, "images": {"quay.io/a/b": "quay.io/c/d"}}';
    expect(await summary(text)).toEqual(["quay.io me:pass"]);
  });
});

it("logins that a file of routes carries are for their places, and one without a place is a mistake", () => {
  const mistakes: string[] = [];
  const texts = ["registry.hub.docker.com", "quay.io/team", "https://quay.io"].map((place) => ({
    place,
    username: "me",
    password: "pass",
  }));
  const logins = loginsOfRoutes(texts, "routes: sync.yaml", (problem) => mistakes.push(problem));
  expect(logins.map(printNamespace)).toEqual(["docker.io", "quay.io/team"]);
  expect(logins[0]?.login).toEqual({ username: "me", password: "pass", from: "routes: sync.yaml" });
  expect(mistakes).toEqual([expect.stringContaining("it begins with a scheme; did you mean quay.io?")]);
});

/** No message may have a piece of it. */
const secret = "Zq7-secret";

describe("a mistake", () => {
  it.each<[what: string, text: string, message: string]>([
    ["no map", `- ${secret}`, "logins, line 1: is no map from places to logins"],
    ["a text alone", `"${secret} and more"`, "logins, line 1: is no map from places to logins"],
    ["nothing", "# only a comment", "logins, line 1: is empty"],
    ["no YAML", `quay.io: {username: me, password: ${secret}`, "logins, line "],
    ["an unknown anchor", `quay.io:\n  username: me\n  password: *${secret}`, "logins, line 3: "],
    ["a tag", `quay.io:\n  username: me\n  password: !${secret} x`, ""],
    [
      "a place twice",
      `quay.io: {username: a, password: ${secret}}\nquay.io: {}`,
      '"quay.io" is in line 1 already',
    ],
    [
      "a place twice under two names",
      `docker.io: {username: a, password: ${secret}}\nregistry.hub.docker.com: {username: a, password: b}`,
      "logins, line 2: docker.io is in line 1 already",
    ],
    [
      "a scheme",
      `https://quay.io: {username: a, password: ${secret}}`,
      "it begins with a scheme; did you mean quay.io?",
    ],
    [
      "a user in the name",
      `me:${secret}@quay.io/team: {username: a, password: b}`,
      '"…@quay.io/team" is not of the form',
    ],
    ["no place", `password: ${secret}`, "logins, line 1: "],
    ["a text for a login", `quay.io: ${secret}`, "quay.io has no map of username and password"],
    [
      "a list for a password",
      `quay.io: {username: me, password: [${secret}]}`,
      "password of quay.io is empty",
    ],
    ["no password", "quay.io:\n  username: me", "quay.io: there is no password beside the username"],
    [
      "an empty password",
      "quay.io:\n  username: me\n  password:",
      "logins, line 3: password of quay.io is empty",
    ],
    ["no user", `quay.io: {password: ${secret}}`, "quay.io: there is no username beside the password"],
    [
      "nothing of a login",
      "quay.io: {insecure: false}",
      "quay.io: there is neither username and password, nor",
    ],
    [
      "an id without its key",
      `a.tencentcloudcr.com: {tcr-secret-id: ${secret}}`,
      "there is no tcr-secret-key of the API key",
    ],
    [
      "a token alone",
      `a.tencentcloudcr.com: {tcr-session-token: ${secret}}`,
      "there is no tcr-secret-id of the API key",
    ],
    [
      "half of image-transfer's keys",
      `tcr: {secretKey: ${secret}}`,
      "tcr: there is no secretId of the API key",
    ],
    [
      "a slip in a key",
      `quay.io: {username: me, pasword: ${secret}}`,
      "quay.io has a key that is none of username, password, insecure, tcr-secret-id, tcr-secret-key, tcr-session-token; did you mean password?",
    ],
    [
      "a comma in a password",
      `quay.io: {username: me, password: a, ${secret}}`,
      "quay.io has a key that is none of",
    ],
    [
      "HTTP on the way",
      `quay.io: {username: me, password: ${secret}, insecure: true}`,
      "insecure: true would give the login to anybody",
    ],
    [
      "insecure as a word",
      `quay.io: {username: me, password: ${secret}, insecure: ${secret}}`,
      "quay.io: insecure is neither true nor false",
    ],
    [
      "no such variable",
      `quay.io: {username: me, password: $${"NOT_THERE"}}`,
      "password of quay.io names a variable that the environment does not have",
    ],
    [
      "a variable of the runner",
      "quay.io: {username: me, password: $ACTIONS_ID_TOKEN_REQUEST_TOKEN}",
      "names a variable that the environment does not have",
    ],
    [
      "an input",
      "quay.io: {username: me, password: $INPUT_LOGINS}",
      "names a variable that the environment does not have",
    ],
    [
      "a key as a login",
      `a.tencentcloudcr.com: {username: AKIDz8krbsJ5yKBZQpn74WFkmLPx3, password: ${secret}}`,
      "a.tencentcloudcr.com: username is a SecretId",
    ],
    [
      "a login as a key",
      `a.tencentcloudcr.com: {tcr-secret-id: "100012345678", tcr-secret-key: ${secret}}`,
      "a.tencentcloudcr.com: tcr-secret-id is the user name of a registry login",
    ],
    [
      "a Docker configuration",
      `{"auths": {"quay.io": {"auth": "${secret}"}}}`,
      "is a Docker configuration: set the variable DOCKER_CONFIG",
    ],
    ["an anchor bomb", bomb(), "logins, line "],
  ])("with %s is one sentence that names the line, and no value", async (_what, text, message) => {
    const { mistakes, secrets } = await read(text, { ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of the runner" });
    expect(mistakes).toContain(message);
    if (message !== "") expect(mistakes).toMatch(/^- logins(, line [0-9]+)?: /m);
    expect(mistakes).not.toContain(secret);
    if (text.includes(secret)) expect(secrets.some((each) => each.includes(secret))).toBe(true);
  });

  it("of a too large text names the size", async () => {
    const { mistakes } = await read(`quay.io: {username: me, password: "${"x".repeat(300_000)}"}`);
    expect(mistakes).toContain("it may have 250.0 kB at the most");
  });

  it("does not keep the values of the right lines from being hidden", async () => {
    const { secrets } = await read(`quay.io:\n  username: me\n  password: "${secret} one"\n ghcr.io: [\n`);
    for (const each of [`${secret} one`, secret]) expect(secrets).toContain(each);
  });
});

it.each([
  [`    pass: ${secret}`, secret],
  [`  - { registry: quay.io, user: me, pass: "${secret} x", tls: disabled }`, `${secret} x`],
  [`{"creds":[{"registry":"quay.io","pass":"${secret}"},{"password":"b"}], [`, secret],
  [`password: !${secret} x`, `!${secret} x`],
  [`credentials: {username: me, password: ${secret}}`, secret],
  [`- destinations: me:${secret}@quay.io/team`, secret],
  [`- source: quay.io/team,password=${secret}`, secret],
])("a file of routes hides what stands in %s, whatever is wrong with it", async (routes, hidden) => {
  const { secrets } = await read("", {}, { routes });
  expect(secrets).toContain(hidden);
});

it.each(["x", "'", " ", ":", "@", "pass: ", "a:b@"])(
  "a long line of %j is looked through in one go",
  async (piece) => {
    const line = piece.repeat(200_000 / piece.length);
    const { mistakes } = await read(`${line}z`, {}, { routes: `${line}z` });
    expect(mistakes).toContain("- logins");
  },
);

describe("a file", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "logins-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is read below the workspace, and messages name it", async () => {
    writeFileSync(join(folder, "logins.yaml"), `quay.io: {username: me, password: ${secret}}\nghcr.io: x\n`);
    const { mistakes, secrets } = await read("logins.yaml", { GITHUB_WORKSPACE: folder });
    expect(mistakes).toContain("- logins: logins.yaml, line 2: ghcr.io has no map of username and password");
    expect(secrets).toContain(secret);
    expect(secrets).not.toContain("logins.yaml");
  });

  it("that is not there is a mistake that names it", async () => {
    const { mistakes, secrets } = await read("ci/logins.yaml", { GITHUB_WORKSPACE: folder });
    expect(mistakes).toContain('logins: there is no file "ci/logins.yaml" in');
    expect(secrets).toEqual([]);
  });

  it("of one word may be a secret in the wrong place, and is hidden", async () => {
    expect((await read("ghp_0123456789", { GITHUB_WORKSPACE: folder })).secrets).toEqual(["ghp_0123456789"]);
  });
});

describe("a login on a line of places", () => {
  it.each<[input: string, line: string, message: string]>([
    [
      "destinations",
      `me:${secret}@quay.io/team`,
      "it names a user (a login stands in the input logins, never on a line)",
    ],
    [
      "destinations",
      `https://me:${secret}@quay.io/team`,
      "it names a user (a login stands in the input logins",
    ],
    [
      "destinations",
      `quay.io/team,password=${secret}`,
      '"password" is no attribute: a login stands in the input logins',
    ],
    [
      "destinations",
      `quay.io/team,keep=3,tcr-secret-key=${secret}`,
      '"tcr-secret-key" is no attribute: a login stands in the input logins',
    ],
    ["destinations", `Quay.io/Team,token=${secret}`, "is not of the form"],
    ["source", `me:${secret}@quay.io/team`, "it names a user (a login stands in the input logins"],
    [
      "source",
      `quay.io/team,password=${secret}`,
      '"password" is no attribute: a login stands in the input logins',
    ],
    ["images", `me:${secret}@quay.io/team/app:1.0`, "images: "],
  ])("of %s, %s, is refused and hidden", async (input, line, message) => {
    const { mistakes, secrets } = await read("", {}, { [input]: line });
    expect(mistakes).toContain(message);
    expect(secrets).toContain(secret);
    expect(withoutSecrets(mistakes)).toBe(mistakes);
  });

  it("is not seen where there is none", async () => {
    const images = "app:1.0@sha256:abc\nquay.io/team/app:{{tag}} => app:{{tag}}";
    const destinations = "quay.io/team,keep=3,token-server=auth.quay.io";
    expect((await read("", {}, { images, destinations })).secrets).toEqual([]);
  });
});

/** Nine levels of nine aliases. */
function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const below = level === 0 ? "x" : `*l${level - 1}`;
    return `l${level}: &l${level} [${Array(9).fill(below).join(", ")}]`;
  });
  return levels.join("\n");
}
