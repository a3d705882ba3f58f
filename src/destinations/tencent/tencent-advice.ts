/**
 * What a user can do about an error code of the TCR API. The `AuthFailure` ones are common to all products of Tencent
 * Cloud; codes of single actions are in the comments of the vendor's SDKs (package tcr, 2019-09-24).
 * @param skew how far our clock is ahead of the server's, in milliseconds.
 */
export function tencentAdvice(code: string, action: string, skew: number): string | undefined {
  const known = exact.get(code);
  if (known !== undefined) return known;
  if (code === "AuthFailure.SignatureExpire") return clockAdvice(skew);
  if (code.startsWith("RequestLimitExceeded")) {
    return "Other programs use up the API's rate limit with this account: run again when there are fewer of them.";
  }
  if (/^(?:AuthFailure|UnauthorizedOperation)|Unauthori[sz]ed/.test(code)) {
    return `The key is not allowed to do this: grant its user or role the CAM action \`tcr:${action}\` on this instance.`;
  }
  if (/^LimitExceeded|OverLimit|QuotaExceeded/.test(code)) {
    return "A quota of this account or instance is used up: free some of it, or have it raised by Tencent Cloud.";
  }
  if (code.startsWith("OperationDenied")) {
    return "TCR does not allow this on the instance now: look in the TCR console whether it is running and not in arrears.";
  }
  return undefined;
}

const unknownKey =
  "Tencent Cloud does not know the key: check `tcr-secret-id`, and that the key is enabled. A key of the " +
  "international site needs the attribute `api=https://tcr.intl.tencentcloudapi.com`.";

const exact: ReadonlyMap<string, string> = new Map([
  ["AuthFailure.SecretIdNotFound", unknownKey],
  ["AuthFailure.InvalidSecretId", unknownKey],
  [
    "AuthFailure.SignatureFailure",
    "`tcr-secret-key` does not belong to `tcr-secret-id`: set both from the same key.",
  ],
  [
    "AuthFailure.TokenFailure",
    "`tcr-session-token` has expired or belongs to another key: get temporary keys anew, or leave it empty for a permanent key.",
  ],
  [
    "ResourceInsufficient.ErrorInstanceNotRunning",
    "The TCR instance is not running: look in the TCR console whether it is being made or in arrears.",
  ],
  [
    "InvalidParameter.ErrNamespaceExist",
    "Namespaces of the Personal edition are shared by all its users, and another account has this name: choose another.",
  ],
  [
    "InvalidParameter.ErrNamespaceReserved",
    "This name is reserved by Tencent Cloud: choose another namespace.",
  ],
  [
    "LimitExceeded.ErrNamespaceMaxLimit",
    "The Personal edition allows this account no further namespace: delete one that is not needed, or use one that exists.",
  ],
  [
    "LimitExceeded.ErrRepoMaxLimit",
    "The Personal edition allows this account no further repository: delete some that are not needed.",
  ],
  [
    "UnsupportedOperation.ErrNoUserInitialized",
    "The Personal edition is not in use yet in this region: set its password once in the TCR console.",
  ],
]);

function clockAdvice(skew: number): string {
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const difference =
    minutes === 0 ? "differs from" : `is ${minutes} minutes ${skew > 0 ? "ahead of" : "behind"}`;
  return `The clock of this machine ${difference} that of Tencent Cloud, which accepts a difference of 5 minutes: set the runner's clock.`;
}
