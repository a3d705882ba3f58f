import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import type { IdTokens } from "../../github/id-token.ts";
import type { Transport } from "../../http/http.ts";
import { leased } from "../../http/lease.ts";
import type { Log } from "../../log/log.ts";
import { sendTencentCall } from "./tencent-call.ts";

export interface TencentCloudKey {
  readonly secretId: string;
  readonly secretKey: string;
  /** Present with temporary keys only. */
  readonly sessionToken: string | undefined;
}

/** A role of Tencent Cloud's access management (CAM), and how it is assumed. */
export interface TencentRole {
  readonly arn: string;
  /** Name of the identity provider in CAM that stands for GitHub. */
  readonly providerId: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** Client id of the identity provider: what GitHub's id token has to be made for. */
  readonly audience: string;
}

/** Gives the API key, and a new one when the old one has run out. */
export interface TencentKeys {
  /** @throws whatever getting a temporary key throws. */
  get(signal: AbortSignal | undefined): Promise<TencentCloudKey>;
  /** Forgets a key that was refused. False: there is no other. */
  drop(key: TencentCloudKey): boolean;
}

/** The one key that the user gave. */
export function fixedKey(key: TencentCloudKey): TencentKeys {
  return { get: () => Promise.resolve(key), drop: () => false };
}

export interface RoleKeysOptions {
  readonly role: TencentRole;
  readonly idTokens: IdTokens;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Base URL of Tencent's Security Token Service. */
  readonly url: URL;
}

/** Version of the Security Token Service's API: https://www.tencentcloud.com/document/product/1150/49454 */
const stsVersion = "2018-08-13";

/** Needs no right of its own: the role's trust policy says who may assume it. */
const action = "AssumeRoleWithWebIdentity";

/** The service wants a region, which does not matter. It is the one that instances are looked up in. */
const stsRegion = "ap-guangzhou";

/**
 * How long before its end a temporary key is replaced, in milliseconds. Its end is a time of Tencent Cloud's clock, which may
 * differ from ours by 5 minutes.
 */
const keyMargin = 5 * 60_000;

/** The last second that a `Date` can hold. */
const latestTime = 8.64e12;

const answerSchema = v.object({
  Credentials: v.object({
    Token: v.pipe(v.string(), v.minLength(1)),
    TmpSecretId: v.pipe(v.string(), v.minLength(1)),
    TmpSecretKey: v.pipe(v.string(), v.minLength(1)),
  }),
  /** Seconds since the epoch. */
  ExpiredTime: v.pipe(v.number(), v.minValue(0), v.maxValue(latestTime)),
});

/**
 * Temporary keys of a CAM role. GitHub's id token is exchanged for them by `AssumeRoleWithWebIdentity`, which is not signed, so
 * no secret of Tencent Cloud is stored at GitHub.
 */
export function roleKeys(options: RoleKeysOptions): TencentKeys {
  const { role, idTokens, transport, clock, log, url } = options;
  const product = {
    transport,
    clock,
    url,
    version: stsVersion,
    // The documentation of the action wants this in place of a signature.
    authorize: () => ({ authorization: "SKIP" }),
    advise: (code: string) => roleAdvice(code, role),
  };
  const keys = leased<TencentCloudKey>(clock, async (signal) => {
    const token = await idTokens(role.audience, signal);
    const answer = await sendTencentCall(
      product,
      {
        action,
        operation: `assuming the role ${role.arn} with GitHub's id token`,
        region: stsRegion,
        parameters: {
          ProviderId: role.providerId,
          WebIdentityToken: token,
          RoleArn: role.arn,
          RoleSessionName: role.sessionName,
          DurationSeconds: role.durationSeconds,
        },
        signal,
      },
      answerSchema,
    );
    const { TmpSecretId: secretId, TmpSecretKey: secretKey, Token: sessionToken } = answer.Credentials;
    for (const secret of [secretId, secretKey, sessionToken]) log.mask(secret);
    const until = answer.ExpiredTime * 1000 - keyMargin;
    log.info(`Assumed the CAM role ${role.arn} until ${new Date(answer.ExpiredTime * 1000).toISOString()}.`);
    return { value: { secretId, secretKey, sessionToken }, until };
  });
  return {
    get: (signal) => keys.get(signal),
    drop: (key) => {
      keys.drop(key);
      return true;
    },
  };
}

/** What a user can do about an error code of the exchange: https://www.tencentcloud.com/document/product/1150/49454 */
function roleAdvice(code: string, { arn, providerId, audience }: TencentRole): string | undefined {
  if (code === "InvalidParameter.WebIdentityTokenError") {
    return (
      `Tencent Cloud does not take GitHub's id token: the identity provider \`${providerId}\` in CAM needs the issuer ` +
      `https://token.actions.githubusercontent.com, GitHub's present signing keys and the client id \`${audience}\`.`
    );
  }
  if (code === "InvalidParameter.OverLimit") {
    return "The role allows no session of this length: lower `tcr-role-duration`, or raise the role's longest session in CAM.";
  }
  if (code === "InternalError.GetRoleError") {
    return `Check \`tcr-role-arn\`: there is perhaps no role ${arn}.`;
  }
  if (code.startsWith("UnauthorizedOperation") || code.startsWith("AuthFailure")) {
    return (
      `The trust policy of ${arn} does not let this workflow in: compare its conditions \`oidc:aud\` (${audience}) and ` +
      "`oidc:sub` with repository, branch, tag or environment of this job."
    );
  }
  if (code.startsWith("InvalidParameter")) return "Check `tcr-role-arn` and `tcr-provider-id`.";
  return undefined;
}
