import { describe, expect, test } from "vitest";
import { startRegistry } from "../../sandbox/registry.ts";
import { type HttpRequest, readBytes } from "../../src/http/http.ts";
import { isPullLimit, pullBudgetIn } from "../../src/http/pull-limit.ts";
import { retrying } from "../../src/http/retry.ts";
import { silentLog } from "../../src/log/log.ts";
import { repositoryAt, repositoryName } from "../oci/clients.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type Scripted, scriptedTransport } from "../support/scripted-transport.ts";

const documented =
  "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: " +
  "https://www.docker.com/increase-rate-limits";

describe("the pull limit, by its words", () => {
  test.each([
    [documented, true],
    [
      "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
      true,
    ],
    ["429 Too Many Requests", false],
    ["toomanyrequests: retry-after: 1ms, allowed: 44000/minute", false],
    ["", false],
  ])("%j: %s", (text, expected) => {
    expect(isPullLimit(text)).toBe(expected);
  });
});

describe("the pull budget in an answer", () => {
  const window = 21_600_000;
  test.each<[limit: string | undefined, remaining: string | undefined, expected: unknown]>([
    ["100;w=21600", "20;w=21600", { limit: 100, remaining: 20, windowMs: window }],
    ["200;w=21600", "0;w=21600", { limit: 200, remaining: 0, windowMs: window }],
    [" 100 ; w=21600 ", "20", { limit: 100, remaining: 20, windowMs: window }],
    ["100", "20", { limit: 100, remaining: 20, windowMs: undefined }],
    [undefined, undefined, undefined],
    ["100;w=21600", undefined, undefined],
    [undefined, "20;w=21600", undefined],
    ["-1", "5", undefined],
    ["1e3", "5", undefined],
    ["9".repeat(30), "5", undefined],
    ["100;w=x", "5", undefined],
  ])("limit %j, remaining %j", (limit, remaining, expected) => {
    const headers = new Map([
      ["ratelimit-limit", limit],
      ["ratelimit-remaining", remaining],
    ]);
    expect(pullBudgetIn({ header: (name) => headers.get(name) })).toEqual(expected);
  });

  test("is told by HEAD, which costs nothing, and counts down by GET", async () => {
    await using server = await startRegistry({ rateLimitHeaders: { limit: 100, remaining: 2 } });
    const bytes = Buffer.from(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    );
    server.putManifest(repositoryName, bytes, "application/vnd.oci.image.index.v1+json", "v1");
    const repository = repositoryAt(server, { side: "source" });
    expect(repository.registry.pullBudget).toBeUndefined();
    await repository.resolve("v1");
    expect(repository.registry.pullBudget).toEqual({ limit: 100, remaining: 2, windowMs: window });
    await repository.manifest("v1");
    await repository.resolve("v1");
    expect(repository.registry.pullBudget?.remaining).toBe(1);
    await repository.resolve("v2");
    expect(repository.registry.pullBudget?.remaining).toBe(1);
  });
});

describe("a 429", () => {
  const request: HttpRequest = { method: "GET", url: new URL("https://registry.example/v2/a/manifests/v1") };
  const line = `GET ${request.url.href}`;

  async function send(...answers: readonly Scripted[]) {
    const clock = fakeClock();
    const transport = scriptedTransport(...answers.map((answer) => [line, answer] as const));
    const response = await retrying(transport, { clock, log: silentLog }).send(request);
    transport.finish();
    return { status: response.status, text: String(await readBytes(response, 100_000)), slept: clock.slept };
  }

  test.each<[string, Scripted]>([
    ["as JSON", { status: 429, json: { errors: [{ code: "TOOMANYREQUESTS", message: documented }] } }],
    ["as text", { status: 429, body: documented }],
    ["with a pause of seconds", { status: 429, body: documented, headers: { "retry-after": "5" } }],
  ])("for the pull limit, %s, is final at once, and can be read", async (_name, answer) => {
    const { status, text, slept } = await send(answer);
    expect([status, slept]).toEqual([429, []]);
    expect(text).toContain(documented);
  });

  test.each<[string, Scripted]>([
    ["bare", { status: 429, body: "429 Too Many Requests" }],
    ["without a word", { status: 429 }],
    ["that does not end", { status: 429, body: `${"x".repeat(70_000)}${documented}` }],
  ])("of the abuse limit, %s, is waited for", async (_name, answer) => {
    const { status, slept } = await send(answer, { status: 200 });
    expect(status).toBe(200);
    expect(slept).toHaveLength(1);
  });

  test("of the abuse limit that goes on is given back with its words", async () => {
    const { status, text, slept } = await send(...Array<Scripted>(6).fill({ status: 429, body: "Too Many" }));
    expect([status, text]).toEqual([429, "Too Many"]);
    expect(slept).toHaveLength(5);
  });
});

describe("a registry that counts", () => {
  const manifest = Buffer.from(
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
  );

  test("is asked once when its pull limit is reached, and the failure says what to do", async () => {
    await using server = await startRegistry({ rateLimitHeaders: { limit: 100, remaining: 0 } });
    server.putManifest(repositoryName, manifest, "application/vnd.oci.image.index.v1+json", "v1");
    const reading = repositoryAt(server, { side: "source" }).manifest("v1");
    await expect(reading).rejects.toThrow(/status 429 TOOMANYREQUESTS: .*put another source first/);
    expect(server.requests.filter(({ path }) => path.includes("manifests"))).toHaveLength(1);
  });

  test("is waited for when it limits requests", async () => {
    const clock = fakeClock();
    const requestLimit = { requests: 2, windowMs: 2_000 };
    await using server = await startRegistry({ requestLimit, now: () => clock.now() });
    server.putManifest(repositoryName, manifest, "application/vnd.oci.image.index.v1+json", "v1");
    const repository = repositoryAt(server, { side: "source", clock });
    await repository.manifest("v1");
    await repository.manifest("v1");
    expect(
      server.requests.map(({ status }) => status).filter((status) => status === 429).length,
    ).toBeGreaterThan(0);
    expect(clock.slept.length).toBeGreaterThan(0);
  });
});
