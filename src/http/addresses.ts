import { BlockList, isIP } from "node:net";

/**
 * Addresses that are not on the public internet: unspecified, private, shared by a provider, loopback, link-local (where
 * clouds keep their metadata), for tests, multicast, reserved.
 * https://www.iana.org/assignments/iana-ipv4-special-registry
 * And Azure's platform, which answers its own machines alone, such as GitHub's runners:
 * https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
 */
const localSubnets4: readonly (readonly [network: string, prefix: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["168.63.129.16", 32],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** The same for IPv6: https://www.iana.org/assignments/iana-ipv6-special-registry */
const localSubnets6: readonly (readonly [network: string, prefix: number])[] = [
  // Unspecified, loopback, and IPv4 addresses in the form of RFC 4291, section 2.5.5.1, which nobody uses any more.
  ["::", 96],
  ["64:ff9b:1::", 48],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];

/**
 * Before the 32 bits of an IPv4 address that a gateway translates to (RFC 6052, and RFC 2765 before). `::ffff:` needs no entry:
 * Node maps it itself.
 */
const translationPrefixes = ["64:ff9b::", "::ffff:0:"] as const;

const localAddresses = new BlockList();
for (const [network, prefix] of localSubnets4) {
  localAddresses.addSubnet(network, prefix, "ipv4");
  for (const before of translationPrefixes)
    localAddresses.addSubnet(`${before}${network}`, 96 + prefix, "ipv6");
}
for (const [network, prefix] of localSubnets6) localAddresses.addSubnet(network, prefix, "ipv6");

/** Whether an IP address is not on the public internet. What is no IP address counts as such. */
export function isLocalAddress(address: string): boolean {
  const family = isIP(address);
  return family === 0 || localAddresses.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** Names of the machine itself, whoever is asked for their address: RFC 6761, section 6.3. */
const loopbackName = /(^|\.)localhost\.?$/;

/**
 * The IP address that a URL names, in its host's place or by a name that means the machine itself; undefined for another name,
 * which has to be looked up.
 */
export function addressIn({ hostname }: URL): string | undefined {
  if (loopbackName.test(hostname)) return "127.0.0.1";
  const address = hostname.replace(/^\[|\]$/g, "");
  return isIP(address) === 0 ? undefined : address;
}

/**
 * Storage of clouds that resolves to addresses inside the cloud for whoever asks from there, while the registry in front
 * of it is public. Only the cloud gives out these names, and over HTTPS their certificates.
 * COS: https://www.tencentcloud.com/document/product/436/6224
 * S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
 */
const cloudStorage: readonly RegExp[] = [
  /\.cos(-internal)?\.[a-z0-9-]+\.(myqcloud\.com|tencentcos\.(cn|com))$/,
  /(^|\.)s3\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/,
];

/**
 * Whether a URL that a server named may only lead to the public internet. Otherwise a registry could make the runner ask
 * hosts that only the runner can reach. A server that is not on the public internet itself may name its neighbours.
 * @param namedByLocal whether the server that named it has a local address itself.
 */
export function needsPublicAddress(url: URL, namedByLocal: boolean): boolean {
  if (namedByLocal) return false;
  return url.protocol !== "https:" || !cloudStorage.some((host) => host.test(url.hostname));
}
