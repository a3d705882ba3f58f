import { describe, expect, it } from "vitest";
import { createEgress } from "../../src/access/egress.ts";
import { silentLog } from "../../src/log/log.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { routedTransport, type Scripted } from "../support/scripted-transport.ts";

const signal = new AbortController().signal;

function ask(answers: Readonly<Record<string, Scripted>>, blocks: readonly string[] = []) {
  const services = Object.keys(answers).map((host) => new URL(`https://${host}/`));
  const transport = routedTransport(({ url }) => answers[new URL(url).host] ?? { status: 404 });
  return createEgress({ blocks, services }, transport, fakeClock(), silentLog)(signal);
}

describe("the addresses of the runner", () => {
  it("are all that the services say, each once", async () => {
    const answers = {
      "a.example": { body: "203.0.113.7\n" },
      "b.example": { body: " 203.0.113.7" },
      "c.example": { body: "198.51.100.9" },
    };
    expect(await ask(answers)).toEqual(["203.0.113.7/32", "198.51.100.9/32"]);
  });

  it.each([
    ["a network", { body: "0.0.0.0/0" }],
    ["everything", { body: "0.0.0.0" }],
    ["a private address", { body: "10.0.0.1" }],
    ["the metadata's address", { body: "169.254.169.254" }],
    ["an address of IPv6", { body: "2001:db8::1" }],
    ["two addresses", { body: "203.0.113.7 203.0.113.8" }],
    ["a page", { body: "<html>203.0.113.7</html>" }],
    ["a page without end", { body: "203.0.113.7".padEnd(100_000) }],
    ["an error", { status: 503, body: "203.0.113.7" }],
    ["a redirect", { status: 302, headers: { location: "https://elsewhere.example/" }, body: "203.0.113.7" }],
    ["nothing", new Error("connection refused")],
  ] satisfies readonly (readonly [string, Scripted])[])("never come from %s", async (_kind, answer) => {
    await expect(ask({ "bad.example": answer })).rejects.toThrow(/Give the addresses in `tcr-egress`/);
    const good = { "bad.example": answer, "good.example": { body: "198.51.100.9" } };
    expect(await ask(good)).toEqual(["198.51.100.9/32"]);
  });

  it("are those that the user gave, without asking anybody", async () => {
    const transport = routedTransport(() => new Error("nothing is to be sent"));
    const egress = createEgress(
      { blocks: ["203.0.113.0/24"], services: [] },
      transport,
      fakeClock(),
      silentLog,
    );
    expect(await egress(signal)).toEqual(["203.0.113.0/24"]);
    expect(transport.sent).toEqual([]);
  });

  it("are asked of three services, where the user said nothing", async () => {
    const transport = routedTransport(() => ({ body: "203.0.113.7" }));
    const egress = createEgress({ blocks: [], services: undefined }, transport, fakeClock(), silentLog);
    expect(await egress(signal)).toEqual(["203.0.113.7/32"]);
    expect(transport.sent).toHaveLength(3);
    for (const { url, headers } of transport.sent) {
      expect(url).toMatch(/^https:/);
      expect(headers).toEqual({});
    }
  });
});
