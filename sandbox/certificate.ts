import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate for TLS on this machine, with its key, both as PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

const tags = { integer: 0x02, bits: 0x03, octets: 0x04, identifier: 0x06, text: 0x0c, time: 0x17 };
const sequence = 0x30;
const set = 0x31;

/** Object identifiers, encoded: ecdsa-with-SHA256, commonName, subjectAltName. */
const ecdsaWithSha256 = der(sequence, der(tags.identifier, Buffer.from("2a8648ce3d040302", "hex")));
const commonName = der(tags.identifier, Buffer.from("550403", "hex"));
const subjectAltName = der(tags.identifier, Buffer.from("551d11", "hex"));

/**
 * A self-signed certificate for host names, made without any program beside Node: no key has to lie in the repository, and
 * none runs out. https://datatracker.ietf.org/doc/html/rfc5280#section-4.1
 */
export function selfSigned(...hosts: readonly string[]): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = der(
    sequence,
    // Version 3: the first one with extensions.
    der(0xa0, der(tags.integer, Buffer.of(2))),
    der(tags.integer, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaWithSha256,
    name("sandbox"),
    der(sequence, time(2020), time(2049)),
    name("sandbox"),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(sequence, der(sequence, subjectAltName, der(tags.octets, alternatives(hosts))))),
  );
  return {
    certificate: signed(body, privateKey),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

function signed(body: Buffer, key: KeyObject): string {
  const signature = der(tags.bits, Buffer.of(0), sign("sha256", body, key));
  const lines =
    der(sequence, body, ecdsaWithSha256, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function name(text: string): Buffer {
  return der(sequence, der(set, der(sequence, commonName, der(tags.text, Buffer.from(text)))));
}

function time(year: number): Buffer {
  return der(tags.time, Buffer.from(`${String(year % 100).padStart(2, "0")}0101000000Z`));
}

/** DNS names have the context tag 2. */
function alternatives(hosts: readonly string[]): Buffer {
  return der(sequence, ...hosts.map((host) => der(0x82, Buffer.from(host))));
}

/** Tag, length and content (X.690, section 8.1). */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}
