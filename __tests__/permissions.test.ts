/** What a message says when a right is missing: what to change, and where. */
import * as v from "valibot";
import { expect, test } from "vitest";
import { createHubApi } from "../src/destinations/docker-hub/docker-hub-api.ts";
import { hubLoginKind } from "../src/destinations/docker-hub/docker-hub-login.ts";
import { tcrWithoutApi } from "../src/destinations/tencent/tcr.ts";
import { createTencentApi } from "../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../src/destinations/tencent/tencent-keys.ts";
import type { Side } from "../src/errors.ts";
import { createGitHubClient } from "../src/github/client.ts";
import { listReleases } from "../src/github/releases.ts";
import { silentLog as log } from "../src/log/log.ts";
import { anonymous } from "../src/oci/credentials.ts";
import { Registry } from "../src/oci/registry.ts";
import { refusal } from "../src/oci/registry-error.ts";
import { Repository } from "../src/oci/repository.ts";
import type { VendorId } from "../src/vendors/vendor.ts";
import { vendorOf } from "../src/vendors/vendors.ts";
import { scriptedFetch } from "./github/scripted-fetch.ts";
import { failureOf } from "./oci/failure-of.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { routedTransport, type ScriptedAnswer } from "./support/scripted-transport.ts";

const clock = fakeClock();
const signal = new AbortController().signal;

/** The message about the deletion of a tag that Docker Hub answers so. */
async function hubDeletion(status: number, password = "dckr_pat_secret"): Promise<string> {
  const transport = routedTransport(({ method }) =>
    method === "POST" ? { json: { access_token: "jwt" } } : { status },
  );
  const url = new URL("https://hub.docker.com");
  const api = createHubApi({
    transport,
    clock,
    log,
    url,
    kind: hubLoginKind(password),
    credentials: async () => ({ username: "robot", password }),
  });
  const repository = { namespace: "goharbor", name: "harbor-core" };
  return (await failureOf(api.deleteTag(repository, "v2.15.1", signal))).message;
}

/** The message about an action that the TCR API refuses with this code. */
async function tcrAction(action: string, code: string): Promise<string> {
  const Response = { Error: { Code: code, Message: "no permission" }, RequestId: "r" };
  const api = createTencentApi({
    transport: routedTransport(() => ({ json: { Response } })),
    clock,
    url: new URL("https://tcr.tencentcloudapi.com"),
    keys: fixedKey({ secretId: "AKIDexample", secretKey: "key", sessionToken: undefined }),
  });
  const call = { action, operation: "trying", region: "ap-guangzhou", parameters: {}, signal };
  return (await failureOf(api.call(call, v.object({})))).message;
}

/** The message about a registry that cuts every connection. */
async function unreachable(name: string, as?: VendorId): Promise<string> {
  const reset = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
  const transport = routedTransport(() => reset);
  const options = {
    registry: name,
    vendor: vendorOf(name, as),
    side: "destination",
    credentials: anonymous,
    transport,
    clock,
    log,
  } as const;
  const client = new Repository(new Registry(options), "goharbor/harbor-core");
  return (await failureOf(client.resolve("v2.15.2", signal))).message;
}

/** Why a service account of TCR prunes nothing. */
async function tcrServiceAccount(): Promise<string> {
  const login = { username: "tcr$robot", password: "password" };
  const place = { registry: "goharbor.tencentcloudcr.com", path: "goharbor" };
  const destination = await tcrWithoutApi(place, () => Promise.resolve(login), clock, log);
  return destination.deletionUnavailable ?? "it can delete";
}

async function github(answer: { status: number; message: string }, token?: string): Promise<string> {
  const { fetch } = scriptedFetch({ status: answer.status, body: { message: answer.message } });
  const apiUrl = new URL("https://api.github.com");
  const client = await createGitHubClient({ fetch, apiUrl, token, userAgent: "test", log });
  return (await failureOf(listReleases(client, { owner: "goharbor", name: "harbor" }))).message;
}

/** The message about a request that a registry refuses with this code. */
async function registry(
  name: string,
  side: Side,
  status: number,
  code: string,
  as?: VendorId,
): Promise<string> {
  const answer: ScriptedAnswer = { status, json: { errors: [{ code, message: "refused" }] } };
  const url = new URL(`https://${name}/v2/`);
  const response = await routedTransport(() => answer).send({ method: "GET", url });
  const vendor = vendorOf(name, as);
  const of = { side, registry: name, vendor, repository: "goharbor/harbor-core", operation: "trying" };
  return (await refusal(response, of, clock)).message;
}

const tcr = "goharbor.tencentcloudcr.com";
const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

test.each<[missing: string, message: () => Promise<string>, advice: readonly string[]]>([
  [
    "a Docker Hub token may not delete",
    () => hubDeletion(403),
    ['a personal access token with the permission "Read, Write, Delete"', "the tag is not immutable"],
  ],
  [
    "an organisation's Docker Hub token may not delete",
    () => hubDeletion(403, "dckr_oat_secret"),
    ["`scope-tag-admin`"],
  ],
  ["Docker Hub hides the missing right behind a 500", () => hubDeletion(500), ['"Read, Write, Delete"']],
  [
    "a Docker Hub token may not push",
    () => registry("docker.io", "destination", 401, "UNAUTHORIZED"),
    ["`dockerhub-token`", '"Repo Read & Write"', "`scope-image-push`"],
  ],
  [
    "a Docker Hub token may not pull",
    () => registry("docker.io", "source", 401, "UNAUTHORIZED"),
    ['"Repo Read-only"', "`scope-image-pull`"],
  ],
  [
    "a TCR key lacks an action",
    () => tcrAction("DeleteRepositoryTags", "UnauthorizedOperation"),
    ["grant its user or role the CAM action `tcr:DeleteRepositoryTags` on this instance"],
  ],
  [
    "a TCR key lacks an action, as Harbor says it",
    () => tcrAction("CreateNamespace", "FailedOperation.ErrorTcrUnauthorized"),
    ["the CAM action `tcr:CreateNamespace`"],
  ],
  [
    "a closed TCR instance drops the connection",
    () => unreachable("goharbor.tencentcloudcr.com"),
    ["its allowlist keep this runner's address out", "`tcr-open-access`"],
  ],
  [
    "a TCR service account cannot prune",
    tcrServiceAccount,
    ["is a service account, for which TCR has no right to delete", "`tcr-secret-id` and `tcr-secret-key`"],
  ],
  [
    "a TCR login may not push",
    () => registry(tcr, "destination", 403, "DENIED"),
    ["`tcr:PushRepository`", "`tcr:CreateRepository`"],
  ],
  [
    "a TCR namespace is missing",
    () => registry(tcr, "destination", 404, "NAME_UNKNOWN"),
    ["make it in the TCR console", "set `tcr-secret-id` and `tcr-secret-key`"],
  ],
  [
    "a namespace is missing elsewhere",
    () => registry("harbor.example", "destination", 404, "NAME_UNKNOWN"),
    ["Check that the namespace exists there", "no projects"],
  ],
  [
    "a repository of ECR is missing",
    () => registry(`${ecr}:443`, "destination", 404, "NAME_UNKNOWN"),
    ["ECR makes no repository on a push"],
  ],
  [
    "a repository of Artifact Registry is missing",
    () => registry("europe-west1-docker.pkg.dev", "destination", 404, "NAME_UNKNOWN"),
    ["The Artifact Registry repository (`<project>/<repository>`) must be there"],
  ],
  [
    "an organisation of SWR is missing",
    () => registry("swr.cn-north-4.myhuaweicloud.com", "destination", 404, "NAME_UNKNOWN"),
    ["Huawei SWR: The organisation must be there"],
  ],
  [
    "a role may not push to ECR's FIPS host",
    () => registry(ecr.replace(".ecr.", ".ecr-fips."), "destination", 403, "DENIED"),
    ["`ecr:PutImage`"],
  ],
  [
    "a TCR login may not push to a domain of one's own",
    () => registry("images.example.com", "destination", 403, "DENIED", "tcr"),
    ["`tcr:PushRepository`", "`tcr:CreateRepository`"],
  ],
  [
    "a TCR namespace is missing at a domain of one's own",
    () => registry("images.example.com", "destination", 404, "NAME_UNKNOWN", "tcr"),
    ["make it in the TCR console"],
  ],
  [
    "a closed TCR instance drops the connection to a domain of one's own",
    () => unreachable("images.example.com", "tcr"),
    ["`tcr-open-access`"],
  ],
  ["the role may not push to ECR", () => registry(ecr, "destination", 403, "DENIED"), ["`ecr:PutImage`"]],
  [
    "GHCR denies a push",
    () => registry("ghcr.io", "destination", 403, "DENIED"),
    ["`packages: write`", "`write:packages`", '"Manage Actions access"'],
  ],
  [
    "GHCR denies a pull",
    () => registry("ghcr.io", "source", 403, "DENIED"),
    ["`packages: read`", "make the package public"],
  ],
  [
    "a login is missing elsewhere",
    () => registry("registry.example", "source", 401, "UNAUTHORIZED"),
    ["log in to its registry in an earlier step"],
  ],
  [
    "a login may not push elsewhere",
    () => registry("registry.example", "destination", 403, "DENIED"),
    ["may push to this repository"],
  ],
  [
    "the github-token lacks a right",
    () => github({ status: 403, message: "Resource not accessible by integration" }, "ghs_token"),
    ['The github-token needs the permission "contents: read" on this repository'],
  ],
  [
    "the github-token may not see the repository",
    () => github({ status: 404, message: "Not Found" }, "ghs_token"),
    ["that the github-token may read it"],
  ],
  [
    "there is no github-token",
    () => github({ status: 404, message: "Not Found" }),
    ["set github-token if it is private"],
  ],
  [
    "the github-token has run out",
    () => github({ status: 401, message: "Bad credentials" }, "ghs_token"),
    ["is not valid here or has run out; renew it"],
  ],
])("%s", async (_missing, message, advice) => {
  const text = await message();
  for (const words of advice) expect(text).toContain(words);
});

test("a name that only looks like a vendor's gets no vendor's advice", async () => {
  for (const name of ["ghcr.io.example", "notdocker.io", "tencentcloudcr.com.example"]) {
    expect(await registry(name, "destination", 403, "DENIED")).toContain("may push to this repository");
  }
});
