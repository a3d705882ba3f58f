import { describe, expect, test } from "vitest";
import componentTable from "../../sandbox/data/harbor-components.json" with { type: "json" };
import { InputError, OperationError } from "../../src/errors.ts";
import {
  composeTemplatePath,
  harborComponents,
  parseComposeTemplate,
  type ReleaseSource,
} from "../../src/harbor/components.ts";
import {
  everyHarborImage,
  harborTableComponents,
  harborTableImages,
} from "../../src/harbor/harbor-components.ts";
import { silentLog } from "../../src/log/log.ts";
import { composeTemplates, makefileOf1101 } from "../github/harbor-sources.ts";
import { version } from "../plan/versions.ts";

type Tag = keyof typeof composeTemplates;
const templateTags = Object.keys(composeTemplates) as Tag[];

type Files = Readonly<Record<string, string | Error>>;

function source(
  files: Files,
  owner = "goharbor",
  name = "harbor",
): ReleaseSource & { readonly asked: string[] } {
  const asked: string[] = [];
  const readFile = (path: string): Promise<string | undefined> => {
    asked.push(path);
    const file = files[path];
    return file instanceof Error ? Promise.reject(file) : Promise.resolve(file);
  };
  return { repository: { owner, name }, readFile, asked };
}

function warningLog() {
  const warnings: string[] = [];
  return { ...silentLog, warnings, warning: (message: string) => warnings.push(message) };
}

const unavailable = new OperationError({
  side: "GitHub",
  host: "api.github.com",
  operation: "reading",
  status: 503,
  problem: "gone for lunch",
});

describe("parseComposeTemplate", () => {
  test.each(templateTags)("of Harbor %s names the images that the built-in list has", (tag) => {
    const images = parseComposeTemplate(composeTemplates[tag]) ?? [];
    expect([...images].sort()).toEqual([...harborTableImages(version(tag))].sort());
  });

  test.each([
    ["a registry in front", "  image: ghcr.io/goharbor/harbor-core:{{version}}", ["prepare", "harbor-core"]],
    ["a registry with a port", "image: localhost:5000/goharbor/a:{{ version }}", ["prepare", "a"]],
    [
      "quotes and Windows line ends",
      'image: "goharbor/a:{{v}}"\r\nimage: goharbor/b:{{v}}\r\n',
      ["prepare", "a", "b"],
    ],
    ["one image in two services", "image: goharbor/a:{{v}}\nimage: goharbor/a:{{v}}", ["prepare", "a"]],
    ["prepare itself", "image: goharbor/prepare:{{v}}", ["prepare"]],
    ["a line that is a comment", "# image: redis:7\nimage: goharbor/a:{{v}}", ["prepare", "a"]],
    ["Jinja around it", "{% if x %}\n  a:\n    image: goharbor/a:{{v}}\n{% endif %}", ["prepare", "a"]],
  ])("takes %s", (_what, text, expected) => {
    expect(parseComposeTemplate(text)).toEqual(expected);
  });

  test.each([
    ["nothing", ""],
    ["no image", "services:\n  log:\n    build: .\n"],
    ["a web page", "<html>image: here</html>"],
    [
      "an image of another namespace beside a right one",
      "image: goharbor/a:{{v}}\nimage: library/redis:{{v}}",
    ],
    ["a fixed tag beside a right one", "image: goharbor/a:{{v}}\nimage: goharbor/b:v1"],
    ["a name outside the grammar", "image: goharbor/A_:{{v}}"],
    ["a name that climbs", "image: goharbor/..:{{v}}"],
    [
      "a hundred and one images",
      Array.from({ length: 101 }, (_, n) => `image: goharbor/a${n}:{{v}}`).join("\n"),
    ],
  ])("gives up on %s rather than give a part", (_what, text) => {
    expect(parseComposeTemplate(text)).toBeUndefined();
  });
});

describe("the built-in list", () => {
  test("is that of the data that the sandbox has from Harbor's history", () => {
    const documented = componentTable.filter(({ image }) => image !== "harbor-migrator");
    expect(everyHarborImage).toEqual(documented.map(({ image }) => image));
  });

  test.each([
    ["v1.5.4", 0],
    ["v1.6.3", 12],
    ["v1.7.8", 14],
    ["v1.8.0", 14],
    ["v1.10.19", 15],
    ["v2.1.6", 16],
    ["v2.7.4", 15],
    ["v2.8.6", 14],
    ["v2.14.4", 12],
    ["v2.15.2", 12],
  ])("%s has %i images", (tag, count) => {
    expect(harborTableComponents(version(tag))).toHaveLength(count);
  });

  test("valkey takes the place of redis between two patches, from the first release candidate on", () => {
    const stores = (tag: string) =>
      harborTableImages(version(tag)).filter((name) => /redis|valkey/.test(name));
    expect(stores("v2.15.1")).toEqual(["redis-photon"]);
    expect(stores("v2.14.5")).toEqual(["redis-photon"]);
    expect(stores("v2.15.2-rc1")).toEqual(["valkey-photon"]);
    expect(stores("v2.15.2")).toEqual(["valkey-photon"]);
  });

  test.each([
    ["v1.8.0", "registry-photon", "v2.7.1-patch-2819-v1.8.0"],
    ["v1.8.0", "chartmuseum-photon", "v0.8.1-v1.8.0"],
    ["v1.8.0", "nginx-photon", "v1.8.0"],
    ["v1.8.0", "redis-photon", "v1.8.0"],
    ["v1.8.6", "clair-photon", "v2.1.0-v1.8.6"],
    ["v1.9.0", "clair-photon", "v2.0.9-v1.9.0"],
    ["v1.9.4", "notary-signer-photon", "v0.6.1-v1.9.4"],
    ["v1.10.1", "registry-photon", "v2.7.1-patch-2819-2553-v1.10.1"],
    ["v1.10.1", "clair-adapter-photon", "v1.0.1-v1.10.1"],
    ["v1.10.1", "harbor-core", "v1.10.1"],
    ["v1.10.2", "registry-photon", "v1.10.2"],
    ["v1.10.2-rc1", "clair-photon", "v1.10.2-rc1"],
    ["v2.15.2", "registry-photon", "v2.15.2"],
  ])("%s of %s has the tag %s", (tag, image, expected) => {
    const component = harborTableComponents(version(tag)).find((one) => one.from === image);
    expect(component).toEqual({ from: image, fromTag: expected, to: image, toTag: expected });
  });
});

describe("harborComponents", () => {
  test.each(templateTags)("%s: the release's own source says it, without a warning", async (tag) => {
    const log = warningLog();
    const components = await harborComponents(
      version(tag),
      source({ [composeTemplatePath]: composeTemplates[tag] }),
      log,
    );
    const byName = (one: { readonly from: string }, other: { readonly from: string }) =>
      one.from < other.from ? -1 : 1;
    expect([...components].sort(byName)).toEqual([...harborTableComponents(version(tag))].sort(byName));
    expect(log.warnings).toEqual([]);
  });

  test("an image that no list knows is found, because the source names it", async () => {
    const template = `${composeTemplates["v2.15.2"]}\n    image: goharbor/brand-new:{{version}}\n`;
    const components = await harborComponents(
      version("v2.17.0"),
      source({ [composeTemplatePath]: template }),
      silentLog,
    );
    expect(components).toContainEqual({
      from: "brand-new",
      fromTag: "v2.17.0",
      to: "brand-new",
      toTag: "v2.17.0",
    });
    expect(components).toHaveLength(13);
  });

  test("the Makefile is asked only where upstream versions are part of tags, and wins over the list", async () => {
    const makefile = makefileOf1101.replace("CLAIRVERSION=v2.1.1", "CLAIRVERSION=v2.1.0");
    const files = { [composeTemplatePath]: composeTemplates["v1.10.1"], Makefile: makefile };
    const old = source(files);
    const components = await harborComponents(version("v1.10.0-rc1"), old, silentLog);
    expect(old.asked).toEqual([composeTemplatePath, "Makefile"]);
    const tagOf = (image: string) => components.find((one) => one.from === image)?.fromTag;
    expect(tagOf("clair-photon")).toBe("v2.1.0-v1.10.0-rc1");
    expect(tagOf("clair-adapter-photon")).toBe("v1.0.1-v1.10.0-rc1");
    expect(tagOf("redis-photon")).toBe("v1.10.0-rc1");
    const recent = source({ [composeTemplatePath]: composeTemplates["v2.15.2"] });
    await harborComponents(version("v1.10.2"), recent, silentLog);
    expect(recent.asked).toEqual([composeTemplatePath]);
  });

  test("a release candidate of that time without a Makefile is refused: the list has no values for it", async () => {
    const files = { [composeTemplatePath]: composeTemplates["v1.10.1"] };
    const refused = harborComponents(version("v1.10.0-rc1"), source(files), silentLog);
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(/"images"/);
  });

  test.each<[string, Files]>([
    ["there is none", {}],
    ["it is unreadable", { [composeTemplatePath]: "<html>" }],
    ["GitHub fails", { [composeTemplatePath]: unavailable }],
  ])("the built-in list serves for Harbor when %s, and the log says so", async (_why, files) => {
    const log = warningLog();
    const components = await harborComponents(version("v2.15.2"), source(files, "GoHarbor", "Harbor"), log);
    expect(components).toEqual(harborTableComponents(version("v2.15.2")));
    expect(log.warnings.at(-1)).toContain("the built-in list of Harbor's images is used instead");
  });

  test("before 1.6.0 no list knows them: the message asks for images", async () => {
    const unknown = harborComponents(version("v1.5.4"), source({}), silentLog);
    await expect(unknown).rejects.toThrow(InputError);
    await expect(unknown).rejects.toThrow(/v1\.5\.4 are not known.*"images"/);
  });

  test("another repository with Harbor's template is read the same way", async () => {
    const files = { [composeTemplatePath]: composeTemplates["v2.15.2"] };
    expect(await harborComponents(version("v9.0.0"), source(files, "acme", "fork"), silentLog)).toHaveLength(
      12,
    );
  });

  test.each<[string, Files]>([
    ["without the template", {}],
    ["with an unreadable one", { [composeTemplatePath]: "image: acme/app:1" }],
  ])("another repository %s gets no list of Harbor's, but is asked for images", async (_what, files) => {
    const unknown = harborComponents(version("v2.15.2"), source(files, "acme", "app"), silentLog);
    await expect(unknown).rejects.toThrow(InputError);
    await expect(unknown).rejects.toThrow(/acme\/app has no readable.*"images"/);
  });

  test("another repository's failure at GitHub is told as such", async () => {
    const failing = source({ [composeTemplatePath]: unavailable }, "acme", "app");
    await expect(harborComponents(version("v1.0.0"), failing, silentLog)).rejects.toBe(unavailable);
  });
});
