import { afterAll, expect, it } from "vitest";
import { type DockerHub, startDockerHub } from "../../../sandbox/docker-hub.ts";
import { type GitHubOidc, startGitHubOidc } from "../../../sandbox/github-oidc.ts";
import { systemClock } from "../../../src/clock.ts";
import { keylessHubCredentials } from "../../../src/destinations/docker-hub/docker-hub-identity.ts";
import { createIdTokens } from "../../../src/github/id-token.ts";
import { retrying } from "../../../src/http/retry.ts";
import { createTransport } from "../../../src/http/transport.ts";
import { silentLog } from "../../../src/log/log.ts";
import { Registry } from "../../../src/oci/registry.ts";
import { Repository } from "../../../src/oci/repository.ts";
import { type FakeClock, fakeClock } from "../../support/fake-clock.ts";
import { load } from "../../support/given-inputs.ts";

const network = createTransport(silentLog, systemClock);
afterAll(() => network.close());

const connectionId = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const connection = { id: connectionId, organisation: "goharbor", subjects: ["repo:goharbor/harbor:*"] };

/** The Action's own chain from the runner to the registry, at stand-ins that go by the same clock. */
function repositoryOf(hub: DockerHub, issuer: GitHubOidc, clock: FakeClock): Repository {
  const common = { transport: retrying(network, { clock, log: silentLog }), clock, log: silentLog };
  const { idTokenRequest } = load({}, issuer.variables);
  const identityUrl = new URL(hub.identity.origin);
  const credentials = keylessHubCredentials({
    connection: { organisation: connection.organisation, connectionId, identityUrl },
    idTokens: createIdTokens({ request: idTokenRequest, ...common }),
    ...common,
  });
  const client = new Registry({ registry: hub.registry.host, side: "destination", credentials, ...common });
  return new Repository(client, "goharbor/harbor-core");
}

it("lasts for a copy of an hour: exchanged again in time, and no request is ever refused for it", async () => {
  const clock = fakeClock();
  const now = () => clock.now();
  await using issuer = await startGitHubOidc({ now });
  await using hub = await startDockerHub({ accounts: [], oidc: { issuer, connections: [connection] }, now });
  const repository = repositoryOf(hub, issuer, clock);
  const minutes = 60;
  for (let minute = 0; minute < minutes; minute += 1) {
    const upload = await repository.startUpload();
    expect(upload).toBeDefined();
    clock.advance(60_000);
  }
  const uploads = hub.registry.requests.filter(({ method }) => method === "POST");
  expect(uploads.map(({ status }) => status)).toEqual(Array(minutes).fill(202));
  expect(hub.registry.tokenServer?.requests.map(({ status }) => status)).not.toContain(401);
  expect(hub.identity.requests.map(({ status }) => status)).not.toContain(400);
  // Registry tokens of five minutes, each renewed with a password of at most four.
  expect(hub.keylessTokens.length).toBeGreaterThanOrEqual(minutes / 5);
  expect(hub.keylessTokens.length).toBeLessThanOrEqual(minutes / 4);
  expect(issuer.issued).toHaveLength(hub.keylessTokens.length);
});

it("is exchanged once for all repositories that start at the same time", async () => {
  const clock = fakeClock();
  const now = () => clock.now();
  await using issuer = await startGitHubOidc({ now });
  await using hub = await startDockerHub({ accounts: [], oidc: { issuer, connections: [connection] }, now });
  const { registry } = repositoryOf(hub, issuer, clock);
  const names = ["core", "jobservice", "portal", "registry"];
  await Promise.all(names.map((name) => new Repository(registry, `goharbor/${name}`).startUpload()));
  expect(hub.identity.requests).toHaveLength(1);
  expect(hub.registry.tokenServer?.requests).toHaveLength(names.length);
});
