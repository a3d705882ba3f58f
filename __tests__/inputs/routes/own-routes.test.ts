import { describe, expect, test } from "vitest";
import { inputDefaults } from "../../../src/inputs/inputs.ts";
import { whyOfStep } from "../../../src/inputs/routes/own-routes.ts";
import { routeInputNames } from "../../../src/inputs/routes/route-text.ts";
import { problemsIn, read } from "./reading.ts";

describe("our own form", () => {
  test("each route has the inputs that it says, lists as lines", async () => {
    const text = `# what the shop runs on
- name: databases
  source: docker.io/library
  images:
    - postgres
    - redis   # for sessions
  version: [newest:2, "!/.*-rc.*/"]
  versions-from: tags
  keep: 3
  destinations: |
    registry.example.com/db,keep=2
    docker.io/shop
- images: shop-*
  prereleases: true
  platforms: linux/amd64,linux/arm64
  wait:
  overwrite: ""
`;
    expect(await read(text)).toEqual({
      shape: "routes",
      routes: [
        {
          name: "databases",
          line: 2,
          inputs: {
            source: "docker.io/library",
            images: "postgres\nredis",
            version: "newest:2\n!/.*-rc.*/",
            "versions-from": "tags",
            keep: "3",
            destinations: "registry.example.com/db,keep=2\ndocker.io/shop\n",
          },
        },
        {
          name: "shop-*",
          line: 13,
          inputs: { images: "shop-*", prereleases: "true", platforms: "linux/amd64,linux/arm64" },
        },
      ],
      notices: [],
      logins: [],
    });
  });

  test("a route without a name gets one of what it is about, each another", async () => {
    const text = `- {images: app, source: "ghcr.io/team,token-server=x.example"}
- {images: [app, web, db, cache]}
- {source: ghcr.io/team}
- {source: ghcr.io/team}
- {repository: goharbor/harbor}
- {keep: 3}
- {images: ${"a".repeat(150)}}
`;
    const { routes } = await read(text);
    expect(routes.map(({ name }) => name)).toEqual([
      "ghcr.io/team: app",
      "app, web and 2 more",
      "ghcr.io/team",
      "ghcr.io/team (line 4)",
      "goharbor/harbor",
      "line 6",
      `${"a".repeat(100)}…`,
    ]);
  });

  test("every input of the step is one of a route, or refused with its reason", () => {
    const names = Object.keys(inputDefaults);
    const known: readonly string[] = routeInputNames;
    expect(known.filter((name) => !names.includes(name))).toEqual([]);
    for (const name of names)
      expect([name, known.includes(name)]).toEqual([name, whyOfStep(name) === undefined]);
  });
});

const secret = "hunter2-the-password";

describe("a mistake has its line and key, and no value", () => {
  test.each([
    ["", "routes.yaml is empty"],
    ["# nothing\n", "routes.yaml is empty"],
    ["[]", "routes.yaml is empty"],
    ["- images: a\n- [b]\n", "line 2: a route is a map of inputs"],
    ["- images: a\n- images: {b: c}\n", "line 2: images: it takes a text, or a list of texts"],
    ["- keep: [3]\n", "line 1: keep: it takes a text"],
    ["- images:\n    - a\n    - [b]\n", "line 3: images: what is in its list is no text"],
    ["- images: []\n", "line 1: images: its list is empty"],
    ["- {}\n- images: a\n", "line 1: the route says nothing"],
    [`- image: ${secret}\n`, 'line 1: "image" is no input that a route has; did you mean images?'],
    [`- colour: ${secret}\n`, 'line 1: "colour" is no input that a route has'],
    [
      `- images: a\n  tcr-secret-key: ${secret}\n`,
      "line 2: tcr-secret-key means nothing in a route: no login",
    ],
    [
      `- images: a\n  dry-run: ${secret}\n`,
      "line 2: dry-run means nothing in a route: it is about the run as a whole",
    ],
    [`- name: x\n- name: x\n`, 'line 2: the name "x" is that of line 1'],
    ["- name: [x]\n", "line 1: name: it takes a text"],
    [`- name: ${"x".repeat(101)}\n`, "line 1: name: it has more than 100 characters"],
    ['- name: "a\\e[31mb"\n', "line 1: name: it holds a line end or another sign that cannot be seen"],
    ['- name: "a\\u202Eb"\n', "line 1: name: it holds"],
  ])("%j", async (text, problem) => {
    const message = await problemsIn(text);
    expect(message).toContain(problem);
    expect(message).not.toContain(secret);
  });

  test("all mistakes are told, in the order of the lines, up to fifty", async () => {
    const message = await problemsIn("- a: b\n- c: d\n");
    expect(message).toBe(
      'routes.yaml needs mending:\n- line 1: "a" is no input that a route has\n- line 2: "c" is no input that a route has',
    );
    expect(await problemsIn("- a: b\n".repeat(60))).toMatch(/line 50: .*\n- and 10 more$/);
  });
});
