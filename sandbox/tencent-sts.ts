/**
 * Tencent's Security Token Service, as far as GitHub's id tokens are concerned. Kept
 * (https://www.tencentcloud.com/document/product/1150/49454): version 2018-08-13; not signed, `Authorization: SKIP`; the
 * token has to be signed by the provider's keys, made for its client id and not have run out; the role's trust policy
 * compares its subject; sessions of 7,200 s unless asked otherwise, at most 43,200 and what the role allows; keys that run out.
 */
import { randomUUID } from "node:crypto";
import { type ApiAction, ApiError, type TencentCloudKey } from "./tcr-api.ts";

export interface RoleOptions {
  /** `qcs::cam::uin/<account>:roleName/<role>` */
  readonly arn: string;
  /** Name of the identity provider in CAM. */
  readonly providerId: string;
  /** Client id of the provider. Default: `sts.tencentcloudapi.com`. */
  readonly audience?: string;
  /** The trust policy's `oidc:sub`. */
  readonly subjects: readonly string[];
  /** Longest session, in seconds. Default: 7200. */
  readonly longestSession?: number;
  /** Looks at the token's signature, audience and time, as the provider's keys and client id allow. */
  readonly check: (idToken: string, audience: string) => { readonly sub: string } | undefined;
}

/** A session of the role. */
export interface RoleSession {
  readonly name: string;
  readonly key: TencentCloudKey;
}

export const stsVersion = "2018-08-13";

/** The actions of the service. @param open told of each session; its key is good from then on. */
export function stsActions(
  role: RoleOptions,
  now: () => number,
  open: (session: RoleSession) => void,
): ReadonlyMap<string, ApiAction> {
  const assume: ApiAction = {
    unsigned: true,
    parameters: {
      ProviderId: "string",
      WebIdentityToken: "string",
      RoleArn: "string",
      RoleSessionName: "string",
      "DurationSeconds?": "number",
    },
    run: (given) => {
      const seconds = given.number("DurationSeconds", 7200);
      if (!/^[\w.@-]{2,64}$/.test(given.text("RoleSessionName"))) {
        throw new ApiError("InvalidParameter.ParamError", "RoleSessionName is not valid");
      }
      if (given.text("ProviderId") !== role.providerId) {
        throw new ApiError("InvalidParameter.ParamError", "ProviderId is not known");
      }
      if (given.text("RoleArn") !== role.arn)
        throw new ApiError("InternalError.GetRoleError", "there is no such role");
      const claims = role.check(given.text("WebIdentityToken"), role.audience ?? "sts.tencentcloudapi.com");
      if (claims === undefined)
        throw new ApiError("InvalidParameter.WebIdentityTokenError", "the token is not valid");
      if (!role.subjects.includes(claims.sub))
        throw new ApiError("UnauthorizedOperation", "oidc:sub does not match");
      if (seconds > (role.longestSession ?? 7200))
        throw new ApiError("InvalidParameter.OverLimit", "DurationSeconds");
      const expiresAt = now() + seconds * 1000;
      const key: TencentCloudKey = {
        secretId: `AKID${randomUUID().replaceAll("-", "")}`,
        secretKey: `sandbox-role-key-${randomUUID()}`,
        sessionToken: `sandbox-role-token-${randomUUID()}`,
        expiresAt,
      };
      open({ name: given.text("RoleSessionName"), key });
      return {
        Credentials: { Token: key.sessionToken, TmpSecretId: key.secretId, TmpSecretKey: key.secretKey },
        ExpiredTime: Math.floor(expiresAt / 1000),
        Expiration: new Date(expiresAt).toISOString(),
      };
    },
  };
  return new Map([["AssumeRoleWithWebIdentity", assume]]);
}
