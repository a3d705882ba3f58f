import tls from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { type Certificate, selfSigned } from "../../sandbox/certificate.ts";
import { failureOf } from "../oci/failure-of.ts";
import { loginForms, networkWithNames, openNetwork, repositoryOver } from "./clients.ts";
import {
  challenge,
  type HostileServer,
  harvester,
  hostileServer,
  loginsSeen,
  type Respond,
} from "./servers.ts";

describe("over HTTPS", () => {
  const host = "registry.example";
  let certificate: Certificate;
  beforeAll(() => {
    certificate = selfSigned(host);
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate.certificate]);
  });

  function secure(respond: Respond): Promise<HostileServer> {
    return hostileServer(respond, { tls: { ...certificate, host } });
  }
  const network = () => openNetwork(networkWithNames({ [host]: "127.0.0.1" }));

  test("the server of these tests is reached: a login goes to it by TLS", async () => {
    const registry = await secure((incoming, response) => {
      if (incoming.headers.authorization === undefined) challenge(response, "Basic");
      else response.end(JSON.stringify({ tags: ["v1.0.0"] }));
    });
    expect(await repositoryOver(network(), registry.host).tags()).toEqual(["v1.0.0"]);
    expect(loginsSeen(registry)).toEqual([`Basic ${loginForms[1]}`]);
  });

  test("case 3: a realm in the clear, of the registry's own name, gets no login", async () => {
    const evil = await harvester();
    const registry = await secure((_incoming, response) =>
      challenge(response, `Bearer realm="http://${host}:${evil.port}/token"`),
    );
    const failure = await failureOf(repositoryOver(network(), registry.host).tags());
    expect(failure.message).toContain("its token server is not on https");
    expect(evil.connections()).toBe(0);
  });

  test("case 5: an upload that would go on in the clear is refused", async () => {
    const evil = await harvester();
    const registry = await secure((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else response.writeHead(202, { location: `http://${host}:${evil.port}/upload` }).end();
    });
    const failure = await failureOf(repositoryOver(network(), registry.host).startUpload());
    expect(failure.message).toContain(`http://${host}:${evil.port}, which is not itself`);
    expect(evil.connections()).toBe(0);
  });

  test("case 12: a redirect from https to http is refused", async () => {
    const evil = await harvester();
    const registry = await secure((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else response.writeHead(307, { location: `http://${host}:${evil.port}/blob` }).end();
    });
    const failure = await failureOf(repositoryOver(network(), registry.host).manifest("v1.0.0"));
    expect(failure.message).toContain("a redirect from https to http");
    expect(evil.connections()).toBe(0);
  });
});
