/** What helps against a connection that does not come up, by the codes of Node.js and OpenSSL. */
const adviceByCode: readonly (readonly [codes: RegExp, advice: string])[] = [
  [/^ECONNREFUSED$/, "Nothing listens there: check the host and the port, and that the service is up."],
  [
    /^(ENOTFOUND|EAI_AGAIN)$/,
    "This runner cannot find the name: check how the host is written, and the runner's DNS.",
  ],
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/,
    "Node.js does not know the authority of its certificate: put that authority's certificate into a file, and its path into " +
      "`NODE_EXTRA_CA_CERTS` in the `env` of this step.",
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "Its certificate is for another name: use a name that the certificate is for, or have it issued for this one.",
  ],
  [
    /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    "Its certificate is not valid now: have it renewed, or set the runner's clock right.",
  ],
  [
    /^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|EPROTO)$/,
    "It does not speak HTTPS on this port: only registries on a loopback address are spoken to over plain HTTP, all others need " +
      "HTTPS.",
  ],
  [
    /^(ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL|HPE_INVALID_CONSTANT|HPE_INVALID_VERSION)$/,
    "It does not speak HTTP/1.1 on this port: a server that takes HTTP/2 alone has to allow HTTP/1.1, too; or the port is that of " +
      "another service.",
  ],
];

/**
 * What the user can do about a connection that failed; undefined where its error has no known code.
 * @param error as it was thrown; its causes count, too.
 */
export function connectionAdvice(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  const known = adviceByCode.find(([codes]) => typeof code === "string" && codes.test(code));
  if (known !== undefined) return known[1];
  const inner = error instanceof AggregateError ? error.errors : [error.cause];
  return inner.map(connectionAdvice).find((advice) => advice !== undefined);
}
