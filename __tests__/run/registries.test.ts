import { expect, it } from "vitest";
import type { DestinationInput } from "../../src/destinations/destination-input.ts";
import { silentLog } from "../../src/log/log.ts";
import type { DockerLogins } from "../../src/oci/docker-config.ts";
import { inputLogins, openDestinations, openSources } from "../../src/run/registries.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { load } from "../support/given-inputs.ts";
import { routedTransport } from "../support/scripted-transport.ts";

/** A registry that asks for a login by Basic and has nothing. */
const transport = routedTransport(({ headers }) =>
  headers.authorization === undefined
    ? { status: 401, headers: { "www-authenticate": 'Basic realm="registry"' } }
    : { status: 404 },
);
const context = { transport, clock: fakeClock(), log: silentLog, tencentCloud: () => undefined };

/** The Docker configuration has a login for each namespace. */
const docker: DockerLogins = (registry, path) => () =>
  Promise.resolve({ username: `docker for ${registry}/${path}`, password: "configured" });

/** Whose login a source of the namespace `theirs` gets beside a destination of the namespace `ours`, and its client's vendor. */
async function sourceBeside(registry: string, attributes: string) {
  const read = load({
    destinations: `${registry}/ours${attributes}`,
    source: `${registry}/theirs`,
    "dockerhub-username": "hub",
    "dockerhub-token": "hub-secret",
    "tcr-username": "tcr",
    "tcr-password": "tcr-secret",
  });
  const named: readonly DestinationInput[] = read.destinations;
  const loginsOf = await inputLogins(read, named, docker, context);
  const destinations = await openDestinations(read, docker, loginsOf, context);
  const [source] = openSources(read, destinations, docker, loginsOf, context);
  await source?.repository("theirs/core").resolve("v1", new AbortController().signal);
  const { authorization = "" } = transport.sent.at(-1)?.headers ?? {};
  const [username] = Buffer.from(authorization.replace("Basic ", ""), "base64").toString().split(":");
  return [username, source?.client.vendor.id];
}

it.each([
  ["docker.io", "", "hub", "docker-hub"],
  ["a.tencentcloudcr.com", "", "tcr", "tcr"],
  ["ccr.ccs.tencentyun.com", "", "tcr", "tcr-personal"],
  ["a.tencentcloudcr.com", ",type=harbor", "docker for a.tencentcloudcr.com/theirs", "harbor"],
  ["a.tencentcloudcr.com", ",type=registry", "docker for a.tencentcloudcr.com/theirs", "tcr"],
  ["docker.io", ",type=registry", "docker for docker.io/theirs", "docker-hub"],
  ["quay.io", "", "docker for quay.io/theirs", "quay"],
  ["registry.example.com", "", "docker for registry.example.com/theirs", "distribution"],
  ["registry.example.com", ",type=ecr", "docker for registry.example.com/theirs", "ecr"],
])("a source at %s beside a destination%s logs in as %s", async (registry, attributes, username, vendor) => {
  expect(await sourceBeside(registry, attributes)).toEqual([username, vendor]);
});

/** A registry whose token server is at `auth.elsewhere.example`. */
const elsewhere = routedTransport(({ url, headers }) => {
  if (url.startsWith("https://auth.elsewhere.example/")) return { json: { token: "token" } };
  const challenge = { "www-authenticate": 'Bearer realm="https://auth.elsewhere.example/token"' };
  return headers.authorization === undefined ? { status: 401, headers: challenge } : { status: 404 };
});

it.each([
  [",token-server=auth.elsewhere.example", "", ["destination"]],
  ["", ",token-server=auth.elsewhere.example", ["source"]],
  [",token-server=other.example", "", []],
])(
  "a token server gets the login of the line that names it: %j, %j",
  async (ofDestination, ofSource, asked) => {
    const read = load({
      destinations: `registry.example.com/ours${ofDestination}`,
      source: `registry.example.com/theirs${ofSource}`,
    });
    const around = { ...context, transport: elsewhere };
    const loginsOf = await inputLogins(read, read.destinations, docker, around);
    const destinations = await openDestinations(read, docker, loginsOf, around);
    const sources = openSources(read, destinations, docker, loginsOf, around);
    const { signal } = new AbortController();
    const reached: string[] = [];
    for (const [side, [place]] of [
      ["destination", destinations],
      ["source", sources],
    ] as const)
      await place
        ?.repository("theirs/core")
        .resolve("v1", signal)
        .then(
          () => reached.push(side),
          () => undefined,
        );
    expect(reached).toEqual(asked);
  },
);
