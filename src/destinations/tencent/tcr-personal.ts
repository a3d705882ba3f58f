import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { InputError } from "../../errors.ts";
import type { Log } from "../../log/log.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { printNamespace } from "../../oci/reference.ts";
import { hostParts } from "../../vendors/vendors.ts";
import { type DestinationAbilities, noDeletion, type Preview } from "../destination.ts";
import type { DestinationInput } from "../destination-input.ts";
import { vendorFailure } from "../vendor-api.ts";
import { noDeletionReason } from "./tcr-login.ts";
import { personalTags, type TcrPersonal } from "./tcr-personal-tags.ts";
import { tagsOnly } from "./tcr-tags.ts";
import { hasCode, type TencentApi } from "./tencent-api.ts";

export interface TcrPersonalOptions {
  readonly input: DestinationInput;
  /** Undefined: the registry can be pushed to, but nothing can be created or deleted. */
  readonly api: TencentApi | undefined;
  /** Login of the registry: account number, and the password that was set when the edition was first used. */
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Regions of the Personal edition by the first label of their hosts. The eight regions of the mainland share one host, and
 * an account's content there is one.
 * https://github.com/tkestack/image-transfer/blob/main/pkg/apis/ccrapis/ccrapi.go
 */
const regions: ReadonlyMap<string, string> = new Map([
  ["ccr", "ap-guangzhou"],
  ["hkccr", "ap-hongkong"],
  ["sgccr", "ap-singapore"],
  ["jpccr", "ap-tokyo"],
  ["krccr", "ap-seoul"],
  ["inccr", "ap-mumbai"],
  ["thccr", "ap-bangkok"],
  ["caccr", "na-toronto"],
  ["uswccr", "na-siliconvalley"],
  ["useccr", "na-ashburn"],
  ["deccr", "eu-frankfurt"],
  ["ruccr", "eu-moscow"],
  ["szjrccr", "ap-shenzhen-fsi"],
  ["shjrccr", "ap-shanghai-fsi"],
  ["bjjrccr", "ap-beijing-fsi"],
]);

/**
 * The region of a Personal edition, by its attribute or its host.
 * @throws InputError when neither tells it.
 */
export function personalRegion(input: Pick<DestinationInput, "registry" | "path" | "region">): string {
  const { prefix = "" } = hostParts(input.registry);
  const region = input.region ?? regions.get(prefix);
  if (region !== undefined) return region;
  const place = printNamespace(input);
  throw new InputError(
    `${place}: the host does not tell the region: add it, for example \`${place},region=ap-guangzhou\``,
  );
}

/**
 * A namespace of Tencent Container Registry, Personal edition. Its API makes no registry logins, so it needs a login beside the
 * key. Reads the login once, to warn early of what it cannot do. Sends nothing.
 * @throws InputError when the region is not known.
 */
export async function createTcrPersonalDestination(
  options: TcrPersonalOptions,
): Promise<DestinationAbilities> {
  const { input, api, credentials, clock, log } = options;
  const place = { registry: input.registry, path: input.path, name: printNamespace(input), credentials };
  const region = personalRegion(input);
  if (input.path.includes("/")) {
    throw new InputError(
      `${place.name}: a namespace of TCR Personal has one part, as in ccr.ccs.tencentyun.com/goharbor`,
    );
  }
  if (api === undefined) {
    // A credential helper that fails is reported where the login is needed.
    const reason = noDeletionReason((await credentials().catch(() => undefined))?.username);
    return {
      ...place,
      ...noDeletion(reason),
      prepare: () => Promise.resolve(),
    };
  }
  const personal: TcrPersonal = { api, region };
  return {
    ...place,
    // As with the Enterprise edition, Tencent does not document whether other tags of the digest stay.
    deletion: "shared-digest-unsafe",
    prepare: async (signal) => {
      await needLogin(credentials, input.registry, signal);
      await ensureNamespace(personal, input, log, signal);
    },
    preview: (signal) => previewNamespace(personal, input.path, signal),
    deleteTags: (repository, tags, signal) => {
      const names = tags.map(({ tag }) => tag);
      return personalTags(personal, clock, repository).delete(names, signal);
    },
    deleteUntagged: tagsOnly,
  };
}

/** Fails before the first push if there is no login: with a key alone, the Personal edition makes none. */
async function needLogin(credentials: Credentials, registry: string, signal: AbortSignal): Promise<void> {
  if ((await credentials(signal)) !== undefined) return;
  throw vendorFailure(
    { host: registry, operation: "signing in" },
    {
      problem: "TCR Personal makes no registry login from an API key",
      advice: "Set `tcr-username` and `tcr-password`, or log in to this registry in an earlier step.",
    },
  );
}

/** Most namespaces on a page. An account has about ten. Offsets count entries here, not pages. */
const pageLimit = 100;

const namespacesSchema = v.object({
  Data: v.object({ NamespaceInfo: v.nullish(v.array(v.object({ Namespace: v.string() })), []) }),
});

/** Whether this account has a namespace. */
async function hasNamespace(
  { api, region }: TcrPersonal,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await api.call(
    {
      action: "DescribeNamespacePersonal",
      operation: `looking for the namespace ${path}`,
      region,
      parameters: { Namespace: path, Limit: pageLimit, Offset: 0 },
      signal,
    },
    namespacesSchema,
  );
  return found.Data.NamespaceInfo.some(({ Namespace }) => Namespace === path);
}

async function previewNamespace(personal: TcrPersonal, path: string, signal: AbortSignal): Promise<Preview> {
  const subject = "namespace";
  if (await hasNamespace(personal, path, signal))
    return { subject, there: true, outcome: "ok", finding: `The namespace ${path} is there.` };
  return {
    subject,
    there: false,
    outcome: "unknown",
    finding: `There is no namespace ${path} of this account yet; a run makes it, unless another account has that name.`,
    remedy: "The key needs `tcr:CreateNamespacePersonal` for that; or make the namespace in the TCR console.",
  };
}

/** Creates the namespace unless this account has it. A push makes repositories by itself, and makes them private. */
async function ensureNamespace(
  personal: TcrPersonal,
  { registry, path }: DestinationInput,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (await hasNamespace(personal, path, signal)) return;
  const { api, region } = personal;
  try {
    await api.call(
      {
        action: "CreateNamespacePersonal",
        operation: `creating the namespace ${path}`,
        region,
        parameters: { Namespace: path },
        signal,
      },
      v.object({}),
    );
  } catch (error) {
    // Made by another run of ours, or by another account. In the second case the first push fails, and this says why.
    if (hasCode(error, "InvalidParameter.ErrNamespaceExist")) {
      log.warning(error.message);
      return;
    }
    throw error;
  }
  log.info(`Created the TCR Personal namespace ${registry}/${path}.`);
}
