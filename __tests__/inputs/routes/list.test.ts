import { describe, expect, test } from "vitest";
import { copiesOf, loaded, problemsIn, read } from "./reading.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;

describe("a plain list of images", () => {
  test("is read as docker pull takes it", async () => {
    const list = `\ufeff# databases
postgres:16
docker.io/library/redis          # no tag
bitnami/kafka:3.7 => kafka-bitnami:stable\r
quay.io/prometheus/prometheus:v2.53.0 => mon/prometheus

ghcr.io/team/app@${digest}
ghcr.io/team/app:v1@${digest}
localhost:5000/x:1
registry.k8s.io/pause:3.9`;
    expect(await copiesOf(list)).toEqual([
      "docker.io/library/postgres:16 -> registry.example.com/mirror/postgres:16",
      "docker.io/library/redis:latest -> registry.example.com/mirror/redis:latest",
      "docker.io/bitnami/kafka:3.7 -> registry.example.com/mirror/kafka-bitnami:stable",
      "quay.io/prometheus/prometheus:v2.53.0 -> registry.example.com/mirror/mon/prometheus:v2.53.0",
      `ghcr.io/team/app:${digest} -> registry.example.com/mirror/app:${hex}`,
      `ghcr.io/team/app:${digest} -> registry.example.com/mirror/app:v1`,
      "localhost:5000/x:1 -> registry.example.com/mirror/x:1",
      "registry.k8s.io/pause:3.9 -> registry.example.com/mirror/pause:3.9",
    ]);
    const { shape, notices, routes } = await read(list);
    expect(shape).toBe("list");
    expect(notices).toEqual([
      `${digest} gets the tag ${hex}: every image has a tag here, and its digest stays`,
    ]);
    expect(routes.map(({ name, line }) => [name, line]).slice(0, 3)).toEqual([
      ["docker.io/library/postgres", 2],
      ["docker.io/library/redis", 3],
      ["docker.io/bitnami/kafka", 4],
    ]);
  });

  test("as a list of YAML, too", async () => {
    const lines = ["nginx:1.27", "redis"];
    const listed = await read(lines.map((line) => `- ${line}`).join("\n"));
    expect(listed).toEqual(await read(lines.join("\n")));
  });

  test("tags of one repository are one route, each a version of its own", async () => {
    const { routes } = await read("nginx:1.27\nredis:7\nnginx:1.28\nnginx:latest\nnginx:1.27");
    expect(routes.map(({ inputs }) => inputs.images)).toEqual([
      "nginx:1.27\nnginx:1.28\nnginx:latest",
      "redis:7",
    ]);
    const inputs = loaded(routes[0]?.inputs ?? {});
    expect(inputs.version).toMatchObject({ kind: "pattern", pattern: { text: "glob:*" } });
    expect(inputs.versionsFrom).toBe("tags");
    expect(inputs.destinations).toMatchObject([{ retention: { keep: "all" } }]);
  });

  test("platforms stand in front", async () => {
    const { routes } = await read(
      "--platform=linux/arm64 nginx:1\n--platform linux/amd64,linux/arm64 redis\nalpine",
    );
    expect(routes.map(({ inputs }) => inputs.platforms)).toEqual([
      "linux/arm64",
      "linux/amd64,linux/arm64",
      undefined,
    ]);
    expect(loaded(routes[0]?.inputs ?? {}).platforms).toEqual([
      { os: "linux", architecture: "arm64", variant: undefined },
    ]);
  });

  test("a thousand lines are read, and a thousand tags of one repository are one route", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => `registry.example/a/b${index % 500}:v${index}`);
    expect((await read(many.join("\n"))).routes).toHaveLength(500);
  });

  test.each([
    [
      "nginx:1\nbitnami/nginx:1",
      "line 2: it is nginx:1 at the destination, as line 1 is: write docker.io/bitnami/nginx:1 => bitnami-nginx:1",
    ],
    [
      `a/x\nb/x@${digest} => x:latest`,
      `line 2: it is x:latest at the destination, as line 1 is: write docker.io/b/x@${digest} => b-x:latest`,
    ],
    [
      "--platform=linux/amd64 nginx\n--platform=linux/arm64 nginx",
      "line 2: line 1 has the same image for another platform: name all of them on one line, as --platform=linux/amd64,linux/arm64",
    ],
    ["Nginx", 'line 1: "Nginx" is not the name of an image'],
    ["nginx\nhttps://quay.io/a/b", 'line 2: "https://quay.io/a/b" begins with a scheme'],
    ["nginx\nnginx 1.27", 'line 2: "nginx 1.27" is not one image'],
    ["a => b => c\nd", 'line 1: "a => b => c" holds "=>" more than once'],
    [
      "a => quay.io/b/c",
      'line 1: "quay.io/b/c" is not a name below the destinations, with a tag or without; did you mean c?',
    ],
    ["a => b@sha256:1", 'line 1: "b@sha256:1" is not a name below'],
    ["a => b:-", 'line 1: "-" is not a tag'],
    ["a:-b", 'line 1: "-b" is not a tag'],
    ["a@sha256:1", 'line 1: "sha256:1" is not a digest'],
    ["a/b/c:1", 'line 1: "a/b/c" has no host in front, and Docker Hub has no namespaces inside namespaces'],
    ["a.-:1/b", 'line 1: "a.-:1" is not the host of a registry'],
  ])("%j is a mistake", async (text, problem) => {
    expect(await problemsIn(text)).toContain(problem);
  });

  test("where the destinations have no namespace, images keep theirs, and what has one name is apart", async () => {
    const bare = "registry.example.com\nlocalhost:5000,keep=3";
    expect(await copiesOf("nginx:1\nbitnami/nginx:1", {}, bare)).toEqual([
      "docker.io/library/nginx:1 -> registry.example.com/library/nginx:1",
      "docker.io/library/nginx:1 -> localhost:5000/library/nginx:1",
      "docker.io/bitnami/nginx:1 -> registry.example.com/bitnami/nginx:1",
      "docker.io/bitnami/nginx:1 -> localhost:5000/bitnami/nginx:1",
    ]);
    expect(await problemsIn("quay.io/a/nginx\nghcr.io/a/nginx", {}, bare)).toContain(
      "line 2: it is nginx:latest",
    );
  });

  test("one tag under two names goes to both", async () => {
    expect(await copiesOf("nginx:1\nnginx:1 => nginx:stable\nnginx:1 => web")).toEqual([
      "docker.io/library/nginx:1 -> registry.example.com/mirror/nginx:1",
      "docker.io/library/nginx:1 -> registry.example.com/mirror/nginx:stable",
      "docker.io/library/nginx:1 -> registry.example.com/mirror/web:1",
    ]);
  });
});
