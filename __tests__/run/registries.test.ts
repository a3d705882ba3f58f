import { describe, expect, it } from "vitest";
import type { DestinationInput } from "../../src/destinations/destination-input.ts";
import { type PlaceLogin, withPlaceLogins } from "../../src/destinations/place-logins.ts";
import { silentLog } from "../../src/log/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { DockerLogins } from "../../src/oci/docker-config.ts";
import { parseNamespace } from "../../src/oci/reference.ts";
import { inputLogins, openDestinations, openSources, tellUnusedLogins } from "../../src/run/registries.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { load } from "../support/given-inputs.ts";
import { recordingLog } from "../support/recording-log.ts";
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

describe("logins for single places", () => {
  const login = (name: string): PlaceLogin => ({
    ...(parseNamespace(name) ?? { registry: name, path: "" }),
    login: { username: name, password: `password of ${name}` },
    key: undefined,
    from: "here",
  });

  /** Who asked for a token of each repository, and who then came with whose token: a registry that issues one to anybody. */
  function tokensByUser() {
    const asked: string[] = [];
    const used: string[] = [];
    const server = routedTransport(({ url, headers }) => {
      const { pathname, searchParams } = new URL(url);
      if (pathname === "/token") {
        const [, basic = ""] = (headers.authorization ?? "").split(" ");
        const [username = ""] = Buffer.from(basic, "base64").toString().split(":");
        asked.push(...searchParams.getAll("scope").map((scope) => `${scope.split(":")[1]} by ${username}`));
        return { json: { token: Buffer.from(username).toString("base64url") } };
      }
      if (headers.authorization === undefined)
        return {
          status: 401,
          headers: { "www-authenticate": `Bearer realm="${new URL("/token", url)}",service="s"` },
        };
      const [, token = ""] = headers.authorization.split(" ");
      used.push(
        `${pathname.replace(/^\/v2\/(.*)\/manifests\/.*$/, "$1")} by ${Buffer.from(token, "base64url")}`,
      );
      return { status: 404 };
    });
    return { server, asked, used };
  }

  async function open(inputs: Readonly<Record<string, string>>, logins: readonly PlaceLogin[]) {
    const { server, asked, used } = tokensByUser();
    const read = { ...load(inputs), logins };
    const around = { ...context, transport: server };
    const both = withPlaceLogins(logins, docker);
    const loginsOf = await inputLogins(read, read.destinations, both, around);
    const destinations = await openDestinations(read, both, loginsOf, around);
    const sources = openSources(read, destinations, both, loginsOf, around);
    return { destinations, sources, asked, used };
  }
  const { signal } = new AbortController();

  it("go with their paths, on one host, and no token is shared", async () => {
    const { destinations, sources, asked, used } = await open(
      { destinations: "r.example.com/a\nr.example.com/b", source: "r.example.com/c\nr.example.com/d" },
      [login("r.example.com/a"), login("r.example.com/b"), login("r.example.com/c")],
    );
    const places = [...destinations, ...sources];
    for (const place of places) await place.repository(`${place.path}/app`).resolve("v1", signal);
    const expected = [
      "a/app by r.example.com/a",
      "b/app by r.example.com/b",
      "c/app by r.example.com/c",
      "d/app by docker for r.example.com/d",
    ];
    expect(asked).toEqual(expected);
    expect(used).toEqual(expected);
  });

  it("are those of each repository where the place is a whole registry", async () => {
    const { sources, asked, used } = await open({ source: "r.example.com", images: "a/app\nb/app\nc/app" }, [
      login("r.example.com/a"),
      login("r.example.com/b"),
    ]);
    const [source] = sources;
    source?.client.foresee(["a/app", "b/app", "c/app", "a/web", "b/web"]);
    for (const name of ["a/app", "b/app", "c/app", "a/web"])
      await source?.repository(name).resolve("v1", signal);
    expect([...new Set(asked)].toSorted()).toEqual(
      [
        "a/app by r.example.com/a",
        "a/web by r.example.com/a",
        "b/app by r.example.com/b",
        "b/web by r.example.com/b",
        "c/app by docker for r.example.com/",
      ].toSorted(),
    );
    expect(used).toEqual([
      "a/app by r.example.com/a",
      "b/app by r.example.com/b",
      "c/app by docker for r.example.com/",
      "a/web by r.example.com/a",
    ]);
  });

  it("keep a blob from being mounted out of another account's repository", async () => {
    const { destinations } = await open({ destinations: "r.example.com/a", source: "r.example.com/b" }, [
      login("r.example.com/a"),
      login("r.example.com/b"),
      login("r.example.com/a/deep"),
    ]);
    const [destination] = destinations;
    expect(destination?.client.sharesLogin("a/app", "a/web")).toBe(true);
    expect(destination?.client.sharesLogin("a/app", "b/app")).toBe(false);
    expect(destination?.client.sharesLogin("a/app", "a/deep/app")).toBe(false);
    const blob = digestOf("a blob");
    expect(await destination?.repository("a/app").mountBlob(blob, "b/app", signal)).toBeUndefined();
    expect(destination?.client.refusedMounts).toBe(0);
  });

  it.each([
    ["docker.io/ours", "docker.io/theirs"],
    ["a.tencentcloudcr.com/ours", "a.tencentcloudcr.com/theirs"],
    ["ccr.ccs.tencentyun.com/ours", "ccr.ccs.tencentyun.com/theirs"],
    ["quay.io/ours", "quay.io/theirs"],
  ])("win over the inputs and the Docker configuration, each at its place: %s, %s", async (ours, theirs) => {
    const inputs = {
      destinations: ours,
      source: theirs,
      "dockerhub-username": "hub",
      "dockerhub-token": "hub-secret",
      "tcr-username": "tcr",
      "tcr-password": "tcr-secret",
    };
    const both = await open(inputs, [login(ours), login(theirs)]);
    const ofOurs = await open(inputs, [login(ours)]);
    const ofTheirs = await open(inputs, [login(theirs)]);
    const usernames = ({ destinations, sources }: Awaited<ReturnType<typeof open>>) =>
      Promise.all(
        [...destinations, ...sources].map(async ({ client }) => (await client.credentials())?.username),
      );
    const [destination, source] = await usernames(await open(inputs, []));
    expect(await usernames(both)).toEqual([ours, theirs]);
    // The login of a path is not for its neighbour.
    expect(await usernames(ofOurs)).toEqual([ours, source]);
    expect(await usernames(ofTheirs)).toEqual([destination, theirs]);
    expect(source).not.toBe(ours);
  });

  it("that no place takes are told by name, and those of chart repositories are taken", () => {
    const log = recordingLog();
    const read = load({
      destinations: "r.example.com/a",
      source: "https://charts.example.com/team",
      images: "chart:1.0.0",
      "versions-from": "tags",
    });
    const names = ["r.example.com", "charts.example.com", "charts.example.com/other", "quay.io"];
    tellUnusedLogins({ ...read, logins: names.map(login) }, log);
    expect(log.warnings).toEqual([
      "No source and no destination of this run takes the login for charts.example.com/other (here), quay.io (here): check the name, or leave it out.",
    ]);
    tellUnusedLogins({ ...read, logins: [login("r.example.com/a")] }, log);
    expect(log.warnings).toHaveLength(1);
  });
});
