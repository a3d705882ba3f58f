import { describe, expect, test } from "vitest";
import { type Given, load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

const connectionId = "1B4E28BA-2fa1-11d2-883f-0016d3cca427";
const keyless: Given = { "dockerhub-username": "goharbor", "dockerhub-oidc-connection-id": connectionId };
const permitted: Given = {
  ACTIONS_ID_TOKEN_REQUEST_URL: "https://runner.example/idtoken?api-version=2.0",
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request",
};
const token: Given = { "dockerhub-username": "robot", "dockerhub-token": "secret" };
const login = { username: "robot", password: "secret" };
const identityUrl = new URL("https://identity.docker.com");
const connection = { organisation: "goharbor", connectionId, identityUrl };

describe("the login for Docker Hub", () => {
  test.each<[string, Given, Given, unknown, unknown]>([
    ["nothing", {}, {}, undefined, undefined],
    ["a token", token, {}, login, undefined],
    ["a connection", keyless, permitted, undefined, connection],
    [
      "a connection in docker/login-action's variable",
      { "dockerhub-username": "goharbor" },
      { ...permitted, DOCKERHUB_OIDC_CONNECTIONID: connectionId },
      undefined,
      connection,
    ],
    [
      "a token, which wins over the variable",
      token,
      { DOCKERHUB_OIDC_CONNECTIONID: connectionId },
      login,
      undefined,
    ],
    [
      "the variable alone, for the Docker configuration",
      {},
      { DOCKERHUB_OIDC_CONNECTIONID: "x" },
      undefined,
      undefined,
    ],
    [
      "another site of the identity service",
      { ...keyless, "dockerhub-identity-url": "http://127.0.0.1:5000" },
      permitted,
      undefined,
      { ...connection, identityUrl: new URL("http://127.0.0.1:5000") },
    ],
  ])("%s", (_what, inputs, variables, expectedLogin, expectedConnection) => {
    const loaded = load(inputs, variables);
    expect(loaded.dockerHubLogin).toEqual(expectedLogin);
    expect(loaded.dockerHubConnection).toEqual(expectedConnection);
  });

  test.each<[string, Given, Given, readonly string[]]>([
    ["a user without a token", { "dockerhub-username": "robot" }, {}, ["dockerhub-token: is empty"]],
    ["a token without a user", { "dockerhub-token": "secret" }, {}, ["dockerhub-username: is empty"]],
    [
      "a job without id tokens",
      keyless,
      {},
      ["dockerhub-oidc-connection-id: needs `permissions: id-token: write`"],
    ],
    [
      "both at once",
      { ...keyless, "dockerhub-token": "secret" },
      permitted,
      ["dockerhub-oidc-connection-id: is set, and so is dockerhub-token"],
    ],
    [
      "no UUID, and no organisation",
      { "dockerhub-oidc-connection-id": "connection" },
      permitted,
      [
        'dockerhub-oidc-connection-id: "connection" is not a UUID',
        "dockerhub-username: is empty; with an OIDC",
      ],
    ],
    [
      "an identity service in the clear",
      { ...keyless, "dockerhub-identity-url": "http://identity.docker.com" },
      permitted,
      ["dockerhub-identity-url: the API at identity.docker.com needs https://"],
    ],
  ])("%s is a mistake, told with all others", (_what, inputs, variables, expected) => {
    const lines = mistakeLines(mistakesOf(inputs, variables));
    expect(lines).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(lines[index]).toContain(`- ${text}`);
    expect(lines.join()).not.toContain("secret`");
  });
});
