/**
 * The API of Amazon ECR (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/), as far as a mirror needs it: JSON 1.1 by
 * POST to `/`, the action in `X-Amz-Target`, errors as 400 with `__type`. Kept: Signature Version 4 over the headers that it
 * names, computed here anew; `BatchDeleteImage` takes at most 100, takes a tag from its image, and deletes the image with its
 * last tag, or by its digest; what is not there is a failure of that entry, not of the call.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { RegistryServer } from "../registry.ts";
import {
  type Answer,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "../server.ts";

export interface EcrKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface EcrApiOptions {
  readonly registry: Pick<RegistryServer, "repositories" | "tags" | "untag" | "deleteManifest">;
  readonly key: EcrKey;
  /** Repositories that exist; grows. */
  readonly repositories: Set<string>;
  /** Actions that the key may not use. */
  readonly denied?: ReadonlySet<string>;
}

export const ecrKey: EcrKey = {
  accessKeyId: "AKIDSANDBOX",
  secretAccessKey: "sandbox-aws-secret",
  sessionToken: "sandbox-aws-session",
};

interface ImageId {
  readonly imageTag?: string;
  readonly imageDigest?: string;
}

export function startEcrApi(options: EcrApiOptions): Promise<SandboxServer> {
  return startServer(async (request) => {
    const body = String(await readBody(request, 1024 * 1024));
    const problem = signatureProblem(options.key, request, body);
    if (problem !== undefined) return failure("InvalidSignatureException", problem);
    const action = String(request.headers["x-amz-target"] ?? "").split(".");
    if (action[0] !== "AmazonEC2ContainerRegistry_V20150921") return failure("UnknownOperationException", "");
    const name = action[1] ?? "";
    if (options.denied?.has(name) === true)
      return failure("AccessDeniedException", `User is not authorized to perform: ecr:${name}`);
    return answerTo(options, name, JSON.parse(body));
  });
}

function answerTo(
  { registry, repositories }: EcrApiOptions,
  action: string,
  input: {
    repositoryName: string;
    repositoryNames?: readonly string[];
    imageIds?: readonly ImageId[];
    maxResults?: number;
    nextToken?: string;
  },
): Answer {
  const { repositoryName: name, imageIds = [] } = input;
  if (action === "CreateRepository") {
    if (repositories.has(name)) return failure("RepositoryAlreadyExistsException", `${name} already exists`);
    repositories.add(name);
    return json(200, { repository: { repositoryName: name } });
  }
  if (action === "DescribeRepositories" && input.repositoryNames === undefined) {
    const { maxResults = 100, nextToken = "0" } = input;
    if (maxResults < 1 || maxResults > 1000)
      return failure("InvalidParameterException", "maxResults: between 1 and 1000");
    const all = [...new Set([...repositories, ...registry.repositories()])].sort();
    const end = Number(nextToken) + maxResults;
    const page = all.slice(Number(nextToken), end).map((repositoryName) => ({ repositoryName }));
    return json(200, { repositories: page, nextToken: end < all.length ? String(end) : null });
  }
  if (action === "DescribeRepositories") {
    const missing = input.repositoryNames?.find((one) => !repositories.has(one) && !isSeeded(registry, one));
    return missing === undefined
      ? json(200, { repositories: input.repositoryNames?.map((repositoryName) => ({ repositoryName })) })
      : failure("RepositoryNotFoundException", `${missing} does not exist`);
  }
  if (action !== "BatchDeleteImage") return failure("UnknownOperationException", action);
  if (!repositories.has(name)) return failure("RepositoryNotFoundException", `${name} does not exist`);
  if (imageIds.length === 0 || imageIds.length > 100)
    return failure("InvalidParameterException", "Member must have length between 1 and 100");
  const failures = imageIds.flatMap((imageId) => {
    const { imageTag = "", imageDigest } = imageId;
    const isGone =
      imageDigest === undefined
        ? deleteTag(registry, name, imageTag)
        : registry.deleteManifest(name, imageDigest);
    if (isGone) return [];
    return [{ imageId, failureCode: "ImageNotFound", failureReason: "Requested image not found" }];
  });
  return json(200, { imageIds, failures });
}

/** Those that a test put there past the API. */
function isSeeded(registry: EcrApiOptions["registry"], name: string): boolean {
  return registry.tags(name).size > 0;
}

function deleteTag(registry: EcrApiOptions["registry"], name: string, tag: string): boolean {
  const digest = registry.tags(name).get(tag);
  if (digest === undefined || !registry.untag(name, tag)) return false;
  if (![...registry.tags(name).values()].includes(digest)) registry.deleteManifest(name, digest);
  return true;
}

function failure(type: string, message: string): Answer {
  return json(400, { __type: type, message });
}

/** What is wrong with a signature. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function signatureProblem(key: EcrKey, request: SandboxRequest, body: string): string | undefined {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/ecr\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
  const [, id, day = "", region = "", names = "", given = ""] =
    pattern.exec(request.headers.authorization ?? "") ?? [];
  if (id !== key.accessKeyId) return "The security token included in the request is invalid.";
  if (request.headers["x-amz-security-token"] !== key.sessionToken) return "The session token is another.";
  for (const name of ["host", "x-amz-date", "x-amz-target", "content-type"])
    if (!names.split(";").includes(name)) return `${name} is not signed`;
  const time = String(request.headers["x-amz-date"]);
  if (time.slice(0, 8) !== day) return "The date of the scope is another.";
  const headers = names.split(";").map((name) => `${name}:${String(request.headers[name])}\n`);
  const canonical = `POST\n/\n\n${headers.join("")}\n${names}\n${hash(body)}`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${day}/${region}/ecr/aws4_request\n${hash(canonical)}`;
  let derived: string | Buffer = `AWS4${key.secretAccessKey}`;
  for (const part of [day, region, "ecr", "aws4_request"])
    derived = createHmac("sha256", derived).update(part).digest();
  const right = createHmac("sha256", derived).update(toSign).digest();
  return timingSafeEqual(right, Buffer.from(given, "hex"))
    ? undefined
    : "The request signature we calculated does not match the signature you provided.";
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
