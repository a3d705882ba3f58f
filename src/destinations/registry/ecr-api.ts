import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { type Failure, failureOf, type OperationError } from "../../errors.ts";
import { discard, type HttpResponse, type Transport } from "../../http/http.ts";
import { printable } from "../../log/log.ts";
import { hostParts } from "../../vendors/vendors.ts";
import {
  checkAnswer,
  readAnswer,
  readRepositories,
  sendToVendor,
  type VendorOperation,
  vendorFailure,
  vendorRefusal,
} from "../vendor-api.ts";
import type { AwsKey } from "./aws-signature.ts";
import { signedHeaders } from "./aws-signature.ts";

/** What names an image in a call: a tag, or the digest of its manifest. */
export type ImageName = "imageTag" | "imageDigest";

/** Calls of Amazon ECR's own API that the registry API has no counterpart for. */
export interface EcrApi {
  /**
   * Removes tags from their images, or deletes images by their digests. An image without any tag left is deleted with the
   * last one.
   * @param names at most `deletionLimit` of them.
   * @returns those that are still there, each with the reason.
   * @throws OperationError
   */
  deleteImages(
    repository: string,
    names: readonly string[],
    by: ImageName,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Failure>>;
  /**
   * @returns whether the repository is there now; false if this key may not make one.
   * @throws OperationError
   */
  createRepository(repository: string, signal: AbortSignal): Promise<boolean>;
  /**
   * @returns whether the repository is there.
   * @throws OperationError, also when this key may not ask.
   */
  hasRepository(repository: string, signal: AbortSignal): Promise<boolean>;
  /**
   * All repositories of the registry, page by page.
   * @throws OperationError (from the iteration)
   */
  repositories(signal: AbortSignal): AsyncGenerator<readonly string[], void, undefined>;
}

export interface EcrOptions {
  readonly key: AwsKey;
  /** Number of the account that the registry belongs to; undefined: the key's own. */
  readonly account: string | undefined;
  readonly region: string;
  /** Base URL of the API. */
  readonly url: URL;
  readonly transport: Transport;
  readonly clock: Clock;
}

/** Most images of one call. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html */
export const deletionLimit = 100;

/** Most repositories of one call. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html */
const pageSize = 1000;

const repositoriesSchema = v.object({
  repositories: v.nullish(v.array(v.object({ repositoryName: v.string() })), []),
  nextToken: v.nullish(v.string()),
});

const deletionSchema = v.object({
  failures: v.optional(
    v.array(
      v.object({
        imageId: v.optional(
          v.object({ imageTag: v.optional(v.string()), imageDigest: v.optional(v.string()) }),
        ),
        failureCode: v.optional(v.string(), ""),
        failureReason: v.optional(v.string(), ""),
      }),
    ),
    [],
  ),
});

/** Account, region and API of a private registry, by its host; undefined for another host. */
export function ecrRegistry(host: string): { account: string; region: string; url: URL } | undefined {
  const { account, region, domain } = hostParts(host);
  if (account === undefined || region === undefined) return undefined;
  return { account, region, url: new URL(`https://api.ecr.${region}.${domain}`) };
}

export function createEcrApi(options: EcrOptions): EcrApi {
  const { account: registryId } = options;
  return {
    deleteImages: async (repository, names, by, signal) => {
      const operation = naming(
        options,
        repository,
        by === "imageTag" ? "deleting tags" : "deleting manifests",
      );
      const imageIds = names.map((name) => ({ [by]: name }));
      const body = { registryId, repositoryName: repository, imageIds };
      const response = await call(options, "BatchDeleteImage", body, operation, signal);
      if (response.status !== 200) {
        const failure = await refusal(response, operation, "ecr:BatchDeleteImage", signal);
        if (failure.details.code === "RepositoryNotFoundException") return new Map();
        throw failure;
      }
      const text = await readAnswer(response, operation, signal);
      const { failures } = checkAnswer(text, deletionSchema, operation, response.status);
      const left = failures.filter(({ failureCode }) => failureCode !== "ImageNotFound");
      return new Map(
        left.map(({ imageId, failureCode, failureReason }) => {
          const subject = imageId?.[by] ?? "";
          const problem = `Amazon ECR did not delete it: ${printable(failureReason)}`;
          const code = printable(failureCode);
          return [subject, failureOf(vendorFailure({ ...operation, subject }, { code, problem }))];
        }),
      );
    },
    createRepository: async (repository, signal) => {
      const operation = naming(options, repository, "making the repository");
      const body = { registryId, repositoryName: repository };
      const response = await call(options, "CreateRepository", body, operation, signal);
      if (response.status === 200) return discard(response).then(() => true);
      const failure = await refusal(response, operation, "ecr:CreateRepository", signal);
      if (failure.details.code === "RepositoryAlreadyExistsException") return true;
      if (failure.details.code === "AccessDeniedException") return false;
      throw failure;
    },
    hasRepository: async (repository, signal) => {
      const operation = naming(options, repository, "looking for the repository");
      const body = { registryId, repositoryNames: [repository] };
      const response = await call(options, "DescribeRepositories", body, operation, signal);
      if (response.status === 200) return discard(response).then(() => true);
      const failure = await refusal(response, operation, "ecr:DescribeRepositories", signal);
      if (failure.details.code === "RepositoryNotFoundException") return false;
      throw failure;
    },
    async *repositories(signal) {
      const operation = { host: options.url.host, operation: "listing the repositories" };
      for (let nextToken: string | undefined; ; ) {
        const body = { registryId, maxResults: pageSize, nextToken };
        const response = await call(options, "DescribeRepositories", body, operation, signal);
        const page = await readRepositories(response, repositoriesSchema, operation, signal);
        yield page.repositories.map(({ repositoryName }) => repositoryName);
        if (page.nextToken == null || page.nextToken === "") return;
        nextToken = page.nextToken;
      }
    },
  };
}

function naming({ url }: EcrOptions, repository: string, operation: string): VendorOperation {
  return { host: url.host, repository, operation };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html (JSON protocol, version 2015-09-21) */
function call(
  { key, region, url, transport, clock }: EcrOptions,
  action: string,
  input: unknown,
  operation: VendorOperation,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const body = JSON.stringify(input);
  const signed = signedHeaders(
    {
      method: "POST",
      region,
      service: "ecr",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        host: url.host,
        "x-amz-target": `AmazonEC2ContainerRegistry_V20150921.${action}`,
      },
      body,
      now: clock.now(),
    },
    key,
  );
  // The transport writes the host header itself, from the URL.
  const { host: _host, ...headers } = signed;
  return sendToVendor(
    transport,
    { method: "POST", url: new URL("/", url), headers, body, signal },
    operation,
  );
}

function refusal(
  response: HttpResponse,
  operation: VendorOperation,
  action: string,
  signal: AbortSignal,
): Promise<OperationError> {
  const advice = `The AWS key of the environment needs \`${action}\` on this repository.`;
  return vendorRefusal(response, operation, signal, advice);
}
