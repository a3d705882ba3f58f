import { isIPv4 } from "node:net";
import type { OpenAccess } from "../access/access.ts";
import type { EgressInput } from "../access/egress.ts";
import type { TencentCloudKey, TencentRole } from "../destinations/tencent/tencent-keys.ts";
import type { Login } from "../oci/credentials.ts";
import { noneOf, quoted } from "./suggestions.ts";
import type { Inputs } from "./types.ts";
import { linesOf, type Mistake, parseApiUrl, parseDuration } from "./values.ts";

/** The inputs that are about Tencent Cloud. As in `values.ts`, a parser notes what is wrong and returns a placeholder. */

/** Names and defaults, as in `action.yml`. */
export const tcrInputDefaults = {
  "tcr-secret-id": "",
  "tcr-secret-key": "",
  "tcr-session-token": "",
  "tcr-role-arn": "",
  "tcr-provider-id": "",
  "tcr-role-session": "",
  "tcr-role-duration": "2h",
  "tcr-role-audience": "sts.tencentcloudapi.com",
  "tcr-username": "",
  "tcr-password": "",
  "tcr-open-access": "false",
  "tcr-egress": "auto",
} as const;

export type TcrInputName = keyof typeof tcrInputDefaults;

/** What a right value looks like, for the message about a wrong one. */
export const tcrInputExamples: Readonly<Record<TcrInputName, string>> = {
  "tcr-secret-id": "the secret TENCENTCLOUD_SECRET_ID",
  "tcr-secret-key": "the secret TENCENTCLOUD_SECRET_KEY",
  "tcr-session-token": "the token that came with the temporary key",
  "tcr-role-arn": "qcs::cam::uin/100012345678:roleName/harbor-mirror",
  "tcr-provider-id": "github",
  "tcr-role-session": "harbor-mirror",
  "tcr-role-duration": "2h",
  "tcr-role-audience": "sts.tencentcloudapi.com",
  "tcr-username": "100012345678",
  "tcr-password": "the secret TCR_PASSWORD",
  "tcr-open-access": "true",
  "tcr-egress": "203.0.113.7, 198.51.100.0/24",
};

/** How the inputs are read. */
export interface TcrGiven {
  readonly text: (name: TcrInputName) => string;
  readonly mistakeIn: (name: TcrInputName) => Mistake;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads everything that is about Tencent Cloud. */
export function readTcrInputs(
  given: TcrGiven,
  tcrLogin: Login | undefined,
  logins: Inputs["logins"],
  runId: string,
): Pick<Inputs, "tencentCloudKey" | "tencentRole" | "tcrLogin" | "tcrOpenAccess" | "tcrEgress"> {
  const { text, mistakeIn, environment } = given;
  const tencentRole = readRole(given, runId);
  const tcrOpenAccess = parseOpenAccess(text("tcr-open-access"), mistakeIn("tcr-open-access"));
  if (tcrOpenAccess !== undefined && !environment.GITHUB_STATE) {
    mistakeIn("tcr-open-access")(
      "needs a runner of GitHub Actions, whose post step closes again what was opened",
    );
  }
  checkUsername(tcrLogin?.username ?? "", mistakeIn("tcr-username"));
  const tencentCloudKey = readKey(given, tencentRole);
  if (
    tcrOpenAccess !== undefined &&
    tencentCloudKey === undefined &&
    tencentRole === undefined &&
    !logins.some(({ key }) => key !== undefined)
  ) {
    mistakeIn("tcr-open-access")("needs an API key or a role, which no registry login replaces");
  }
  const tcrEgress = parseEgress(text("tcr-egress"), mistakeIn("tcr-egress"));
  return { tencentCloudKey, tencentRole, tcrLogin, tcrOpenAccess, tcrEgress };
}

/** The role that GitHub's id token is to be exchanged for; undefined when neither role nor provider is given. */
function readRole({ text, mistakeIn }: TcrGiven, runId: string): TencentRole | undefined {
  const durationSeconds = parseSessionDuration(text("tcr-role-duration"), mistakeIn("tcr-role-duration"));
  const [arn, providerId] = [text("tcr-role-arn"), text("tcr-provider-id")];
  if (arn === "" && providerId === "") return undefined;
  if (arn === "") mistakeIn("tcr-role-arn")("is empty, but tcr-provider-id is set");
  else checkRoleArn(arn, mistakeIn("tcr-role-arn"));
  if (providerId === "") mistakeIn("tcr-provider-id")("is empty, but tcr-role-arn is set");
  else checkProviderId(providerId, mistakeIn("tcr-provider-id"));
  const session = sessionName(text("tcr-role-session") || `harbor-release-mirror-${runId}`);
  return { arn, providerId, sessionName: session, durationSeconds, audience: text("tcr-role-audience") };
}

/**
 * The API key from the inputs, else, as a whole, from the variables of Tencent Cloud's own tools: never a mixture. A role
 * is an input as well, so it wins over the variables.
 */
function readKey(
  { text, mistakeIn, environment }: TcrGiven,
  role: TencentRole | undefined,
): TencentCloudKey | undefined {
  const variable = (...names: readonly string[]) =>
    names.map((name) => environment[name]?.trim() ?? "").find((value) => value !== "") ?? "";
  const inputs = (["tcr-secret-id", "tcr-secret-key", "tcr-session-token"] as const).map(text);
  const variables = [
    variable("TENCENTCLOUD_SECRET_ID"),
    variable("TENCENTCLOUD_SECRET_KEY"),
    // The first is read by tccli, the second by Terraform and Pulumi; login actions set both.
    variable("TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"),
  ];
  const fromInputs = inputs.some((value) => value !== "");
  if (fromInputs && role !== undefined) {
    mistakeIn("tcr-role-arn")("is a way to do without tcr-secret-id and tcr-secret-key: give one of both");
  }
  if (!fromInputs && role !== undefined) return undefined;
  const [secretId = "", secretKey = "", sessionToken = ""] = fromInputs ? inputs : variables;
  if (secretId === "" && secretKey === "" && sessionToken === "") return undefined;
  const among = fromInputs ? "the tcr- inputs" : "the TENCENTCLOUD_ variables";
  if (secretId === "") mistakeIn("tcr-secret-id")(`the SecretId is missing among ${among}`);
  if (secretKey === "") mistakeIn("tcr-secret-key")(`the SecretKey is missing among ${among}`);
  checkSecretId(secretId, mistakeIn("tcr-secret-id"));
  return { secretId, secretKey, sessionToken: sessionToken || undefined };
}

/** A registry login that was given as API key, by the forms of user names: an account id, or a service account. */
export function checkSecretId(secretId: string, mistake: Mistake): void {
  if (!/^(?:[0-9]+$|tcr\$)/.test(secretId)) return;
  mistake("is the user name of a registry login, not a SecretId (AKID…): give it as tcr-username");
}

/** An API key that was given as registry login. SecretIds begin with one of these, says Harbor's TCR adapter. */
export function checkUsername(username: string, mistake: Mistake): void {
  if (!/^[AI]KID\w{20,}$/.test(username)) return;
  mistake(
    "is a SecretId, not a user name of the registry: give it as tcr-secret-id, its key as tcr-secret-key",
  );
}

/** Longest life of a temporary key, in hours: https://www.tencentcloud.com/document/product/1150/49454 */
const longestSessionHours = 12;

/** Shortest, in minutes: keys are renewed 5 minutes before their end, and a pause has to be worth it. */
const shortestSessionMinutes = 15;

/** `qcs::cam::uin/<account>:roleName/<name>`, also with the middle part `role/tencentcloudServiceRoleName` and the like. */
function checkRoleArn(text: string, mistake: Mistake): void {
  if (!/^qcs::cam::uin\/[0-9]{5,20}:(?:roleName|role)\/[\w.+=,@/-]{1,128}$/.test(text)) {
    mistake(`${quoted(text)} is not of the form qcs::cam::uin/<account>:roleName/<role>`);
  }
}

/** The name of an identity provider in CAM. */
function checkProviderId(text: string, mistake: Mistake): void {
  if (!/^[\w.-]{1,128}$/.test(text))
    mistake(`${quoted(text)} is not the name of an identity provider of CAM`);
}

/**
 * The name of a session, which CAM's logs show. Other characters than the allowed ones are replaced.
 * https://www.tencentcloud.com/document/product/1150/49454
 */
function sessionName(text: string): string {
  return text.replace(/[^\w.@-]/g, "-").slice(0, 63);
}

/** The life of a temporary key, in seconds. */
function parseSessionDuration(text: string, mistake: Mistake): number {
  const duration = parseDuration(text, mistake) / 1000;
  if (duration < shortestSessionMinutes * 60 || duration > longestSessionHours * 3600) {
    mistake(`${quoted(text)} is not between ${shortestSessionMinutes}m and ${longestSessionHours}h`);
  }
  return duration;
}

/** How a closed instance is opened for the run. `true` is the allowlist alone. */
function parseOpenAccess(text: string, mistake: Mistake): OpenAccess | undefined {
  if (["false", "False", "FALSE"].includes(text)) return undefined;
  if (["true", "True", "TRUE", "allowlist"].includes(text)) return "allowlist";
  if (text === "endpoint") return "endpoint";
  mistake(noneOf(text, ["false", "true", "allowlist", "endpoint"]));
  return undefined;
}

/** Shortest prefix that may be let in: a network of more than 65,536 addresses is a slip of the keyboard. */
const shortestPrefix = 16;

/** Addresses, networks and address services, by comma or line; `auto` for the usual services. */
function parseEgress(text: string, mistake: Mistake): EgressInput {
  const items = linesOf(text.replaceAll(",", "\n"));
  if (items.length === 1 && items[0] === "auto") return { blocks: [], services: undefined };
  if (items.length === 0) mistake("holds no address");
  const blocks: string[] = [];
  const services: URL[] = [];
  for (const item of items) {
    if (item.includes("://")) {
      const url = parseApiUrl(item, mistake);
      if (url !== undefined) services.push(url);
    } else if (isBlock(item)) blocks.push(item.includes("/") ? item : `${item}/32`);
    else {
      mistake(
        `${quoted(item)} is neither an IPv4 address, nor a network with a prefix of ${shortestPrefix} to 32 bits, nor a URL`,
      );
    }
  }
  return { blocks, services };
}

function isBlock(text: string): boolean {
  const [address = "", prefix = "32", ...rest] = text.split("/");
  const bits = Number(prefix);
  return (
    isIPv4(address) &&
    /^[0-9]{1,2}$/.test(prefix) &&
    bits >= shortestPrefix &&
    bits <= 32 &&
    rest.length === 0
  );
}
