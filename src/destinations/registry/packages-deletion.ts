import * as v from "valibot";
import type { Failure } from "../../errors.ts";
import { discard, type HttpRequest, type HttpResponse, type Transport } from "../../http/http.ts";
import { printable } from "../../log/log.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { noDeletion, type TagDeletion, type TagToDelete } from "../destination.ts";
import {
  apiUrl,
  checkAnswer,
  readAnswer,
  sendToVendor,
  type VendorOperation,
  vendorFailure,
  vendorRefusal,
} from "../vendor-api.ts";
import { apiCredential, oneByOne, type TagDeletionRoute } from "./deletion-route.ts";

export interface PackagesOptions {
  /** Base URL of GitHub's REST API. */
  readonly url: URL;
  /** Of the registry: the password is a token of GitHub's. */
  readonly credentials: Credentials;
  readonly transport: Transport;
}

/** A version of a package is a manifest: its name is the digest, its tags are all that point to it. */
const versionSchema = v.object({
  id: v.pipe(v.number(), v.integer()),
  name: v.string(),
  metadata: v.optional(
    v.object({ container: v.optional(v.object({ tags: v.array(v.string()) }), { tags: [] }) }),
    { container: { tags: [] } },
  ),
});

type PackageVersion = v.InferOutput<typeof versionSchema>;

/** Versions on a page: the most that the API gives. */
const pageSize = 100;
/** Most pages that are read: ten thousand manifests of one image. */
const pageLimit = 100;

const advice =
  "The token that is logged in to this registry needs `packages: write` and the role Admin on the package (a classic token: " +
  "`delete:packages` and `read:packages`).";

/**
 * Tag deletion for GitHub's registry, which does not delete itself. The packages API deletes a version with all its tags.
 * https://docs.github.com/packages/learn-github-packages/deleting-and-restoring-a-package
 */
export async function packagesRoute(options: PackagesOptions): Promise<TagDeletionRoute> {
  const usable = await apiCredential(options.credentials, "Deleting tags by GitHub's packages API");
  if (typeof usable === "string") return noDeletion(usable);
  return {
    deletion: "shared-digest-unsafe",
    deleteTags: (repository, tags, signal) => deleteTags(options, repository, tags, signal),
    deleteUntagged: (repository, digests, signal) => deleteUntagged(options, repository, digests, signal),
  };
}

/** Deletes versions of the package by their digests, unless one has a tag after all. */
async function deleteUntagged(
  options: PackagesOptions,
  repository: string,
  digests: readonly TagToDelete[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  const api = packageApi(options, repository, signal);
  const versions = await api.versions();
  const remove = async ({ tag: digest }: TagToDelete): Promise<Failure | undefined> => {
    const version = versions.find(({ name }) => name === digest);
    if (version === undefined) return undefined;
    const [tag] = version.metadata.container.tags;
    if (tag !== undefined) return { kind: "obstacle", problem: `the tag ${printable(tag)} has it` };
    await api.remove(version, { operation: "deleting the manifest", subject: digest });
    return undefined;
  };
  return oneByOne((_repository, digest) => remove(digest))(repository, digests, signal);
}

async function deleteTags(
  options: PackagesOptions,
  repository: string,
  tags: readonly TagToDelete[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  const api = packageApi(options, repository, signal);
  const versions = await api.versions();
  const going = new Set(tags.map(({ tag }) => tag));
  const deleted = new Set<number>();
  const deleteTag = async ({ tag, digest }: TagToDelete): Promise<Failure | undefined> => {
    const version = versions.find(({ metadata }) => metadata.container.tags.includes(tag));
    if (version === undefined || deleted.has(version.id)) return undefined;
    const subject = `${repository}:${tag}`;
    if (digest !== undefined && version.name !== digest)
      return {
        kind: "obstacle",
        problem: "the tag has moved since the plan was made",
        subject,
        advice: "Run again.",
      };
    const other = version.metadata.container.tags.find((name) => !going.has(name));
    if (other !== undefined) {
      const problem = `the packages API deletes it only together with the tag ${other}, which stays`;
      return { kind: "obstacle", problem, subject };
    }
    await api.remove(version, { operation: "deleting the tag", subject: tag });
    deleted.add(version.id);
    return undefined;
  };
  return oneByOne((_repository, tag) => deleteTag(tag))(repository, tags, signal);
}

interface PackageApi {
  /** None where there is no such package. */
  versions(): Promise<readonly PackageVersion[]>;
  remove(version: PackageVersion, what: Pick<VendorOperation, "operation" | "subject">): Promise<void>;
}

function packageApi(options: PackagesOptions, repository: string, signal: AbortSignal): PackageApi {
  const { url, credentials, transport } = options;
  const slash = repository.indexOf("/");
  const owner = repository.slice(0, slash);
  const name = encodeURIComponent(repository.slice(slash + 1));
  // The name of an owner does not say whether it is an organisation or a user.
  const places = [`/orgs/${owner}`, `/users/${owner}`];
  let place = places[0] ?? "";
  const naming = (operation: string): VendorOperation => ({ host: url.host, repository, operation });

  async function send(
    method: HttpRequest["method"],
    path: string,
    operation: VendorOperation,
  ): Promise<HttpResponse> {
    const credential = await credentials(signal);
    const headers = {
      accept: "application/vnd.github+json",
      "x-github-api-version": "2022-11-28",
      ...(credential === undefined ? {} : { authorization: `Bearer ${credential.password}` }),
    };
    const target = apiUrl(url, `${place}/packages/container/${name}/versions${path}`);
    return sendToVendor(transport, { method, url: target, headers, signal }, operation);
  }

  async function page(number: number): Promise<readonly PackageVersion[] | undefined> {
    const operation = naming("listing the versions of the package");
    const response = await send("GET", `?per_page=${pageSize}&page=${number}`, operation);
    if (response.status === 404) return discard(response).then(() => undefined);
    if (response.status !== 200) throw await vendorRefusal(response, operation, signal, advice);
    const text = await readAnswer(response, operation, signal);
    return checkAnswer(text, v.array(versionSchema), operation, response.status);
  }

  return {
    versions: async () => {
      let first: readonly PackageVersion[] | undefined;
      for (const candidate of places) {
        place = candidate;
        first = await page(1);
        if (first !== undefined) break;
      }
      const versions = [...(first ?? [])];
      for (let number = 2; versions.length === (number - 1) * pageSize; number += 1) {
        if (number > pageLimit) {
          const problem = `the package has more than ${pageLimit * pageSize} versions`;
          throw vendorFailure(naming("listing the versions of the package"), { problem });
        }
        versions.push(...((await page(number)) ?? []));
      }
      return versions;
    },
    remove: async ({ id }, what) => {
      const operation = { ...naming(what.operation), ...what };
      const response = await send("DELETE", `/${id}`, operation);
      if (response.status !== 204 && response.status !== 404)
        throw await vendorRefusal(response, operation, signal, advice);
      await discard(response);
    },
  };
}
