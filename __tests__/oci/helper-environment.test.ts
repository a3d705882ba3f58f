import { describe, expect, test } from "vitest";
import { environmentForHelpers, helperEnvironment } from "../../src/oci/helper-environment.ts";

const common = { PATH: "/bin", HOME: "/home/me", DOCKER_CONFIG: "/docker", HTTPS_PROXY: "http://proxy:1" };
const amazon = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "s", AWS_WEB_IDENTITY_TOKEN_FILE: "/t" };
const google = { GOOGLE_APPLICATION_CREDENTIALS: "/g", CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: "/c" };
const azure = { AZURE_CLIENT_ID: "id", AZURE_CLIENT_SECRET: "s", IDENTITY_ENDPOINT: "http://127.0.0.1" };
const alibaba = { ALIBABA_CLOUD_ACCESS_KEY_SECRET: "s" };
const strange = {
  TENCENTCLOUD_SECRET_KEY: "s",
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: "s",
  ACTIONS_ID_TOKEN_REQUEST_URL: "https://token",
  ACTIONS_RUNTIME_TOKEN: "s",
  GITHUB_TOKEN: "s",
  GH_TOKEN: "s",
  "INPUT_TCR-PASSWORD": "s",
  DOCKER_PASSWORD: "s",
  NPM_TOKEN: "s",
  NODE_OPTIONS: "--require=./x",
  MY_PATH: "s",
};
const all = { ...common, ...amazon, ...google, ...azure, ...alibaba, ...strange };

describe("the environment of a credential helper", () => {
  test.each([
    ["desktop", {}],
    ["pass", {}],
    ["ecr-login", amazon],
    ["gcloud", google],
    ["gcr", google],
    ["acr-env", azure],
    ["acr-helper", alibaba],
    ["not-ecr-login", {}],
  ])("of %s has what all need, and its own vendor's variables", (helper, own) => {
    expect(helperEnvironment(helper, all)).toEqual({ ...common, ...own });
  });

  test("is found whatever the case of its names, as on Windows", () => {
    expect(helperEnvironment("wincred", { Path: "C:", SystemRoot: "D:" })).toEqual({
      Path: "C:",
      SystemRoot: "D:",
    });
  });

  test("is taken from what is kept for all helpers", () => {
    expect(environmentForHelpers(all)).toEqual({ ...common, ...amazon, ...google, ...azure, ...alibaba });
  });
});
