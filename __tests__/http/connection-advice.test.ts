import { createServer as createPlainServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { connectionAdvice } from "../../src/http/connection-advice.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** What helps after a request to this address has failed. */
async function adviceFor(url: string): Promise<string | undefined> {
  const network = createTransport(silentLog, systemClock);
  onTestFinished(() => network.close());
  const error = await network.send({ method: "GET", url: new URL(url) }).then(
    () => new Error("it answered"),
    (thrown: unknown) => thrown,
  );
  return connectionAdvice(error);
}

describe("what helps where no connection comes up", () => {
  test("nothing listens", async () => {
    const server = createPlainServer();
    const port = await portOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await adviceFor(`http://127.0.0.1:${port}/`)).toContain("Nothing listens there");
  });

  test("plain HTTP where HTTPS is asked for", async () => {
    const port = await portOf(createPlainServer((_request, response) => response.end()));
    expect(await adviceFor(`https://127.0.0.1:${port}/`)).toContain("does not speak HTTPS");
  });

  test.each([
    ["ENOTFOUND", "cannot find the name"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "NODE_EXTRA_CA_CERTS"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "NODE_EXTRA_CA_CERTS"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate is for another name"],
    ["CERT_HAS_EXPIRED", "not valid now"],
    ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "HTTP/2 alone"],
    ["HPE_INVALID_CONSTANT", "HTTP/2 alone"],
  ])("%s, at any depth of the causes", (code, words) => {
    const error = new Error("fetch failed", {
      cause: new AggregateError([Object.assign(new Error(""), { code })]),
    });
    expect(connectionAdvice(error)).toContain(words);
  });

  test("nothing is known of others", () => {
    expect(connectionAdvice(Object.assign(new Error(""), { code: "ECONNRESET" }))).toBeUndefined();
    expect(connectionAdvice("text")).toBeUndefined();
  });
});
