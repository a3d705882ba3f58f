import type { HubConnection } from "../destinations/docker-hub/docker-hub-identity.ts";
import type { TencentApi } from "../destinations/tencent/tencent-api.ts";
import { securityTokenUrl } from "../destinations/tencent/tencent-cloud.ts";
import type { TencentRole } from "../destinations/tencent/tencent-keys.ts";
import type { Credentials } from "../oci/credentials.ts";
import { attempt, type CheckContext, type CheckResult } from "./check.ts";

/** The logins without a stored secret, as a run has them. */
export interface KeylessLogins {
  readonly dockerHubConnection: HubConnection | undefined;
  readonly tencentRole: TencentRole | undefined;
  /** Undefined: no OIDC connection was given. */
  readonly keylessHub: Credentials | undefined;
  /** The API of every TCR destination, each once. */
  readonly tencentApis: readonly TencentApi[];
}

/**
 * Exchanges GitHub's id token wherever the inputs ask for that.
 * @throws the signal's reason when it aborted, and nothing else.
 */
export async function checkKeyless(
  { dockerHubConnection, tencentRole, keylessHub, tencentApis }: KeylessLogins,
  context: CheckContext,
): Promise<readonly CheckResult[]> {
  const subject = "keyless login";
  const checks: Promise<CheckResult>[] = [];
  if (dockerHubConnection !== undefined && keylessHub !== undefined) {
    const row = { place: dockerHubConnection.identityUrl.host, subject };
    const exchange = async (until: AbortSignal) => {
      await keylessHub(until);
      const finding = `GitHub's id token was exchanged for a login of ${dockerHubConnection.organisation}.`;
      return { outcome: "ok" as const, finding };
    };
    checks.push(attempt(row, exchange, context));
  }
  for (const api of tencentRole === undefined ? [] : tencentApis) {
    const exchange = async (until: AbortSignal) => {
      await api.signIn(until);
      return {
        outcome: "ok" as const,
        finding: `GitHub's id token was exchanged for a key of ${tencentRole?.arn}.`,
      };
    };
    checks.push(attempt({ place: securityTokenUrl(api.url).host, subject }, exchange, context));
  }
  return Promise.all(checks);
}
