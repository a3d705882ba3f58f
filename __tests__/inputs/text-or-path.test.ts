import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readTextOrPath } from "../../src/inputs/text-or-path.ts";

let workspace = "";

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "text-or-path-"));
  await mkdir(join(workspace, "sync files"));
  await writeFile(join(workspace, "sync files", "a b: c.yaml"), "a: b\n");
  await writeFile(join(workspace, "large"), "x".repeat(101));
});

const read = (given: string) => readTextOrPath(given, { input: "routes", workspace, limit: 100 });

test.each(["sync files/a b: c.yaml", " ./sync files/a b: c.yaml\n"])("the file %j is read", async (path) => {
  expect(await read(path)).toEqual({ text: "a: b\n", file: path.trim() });
  expect((await read(join(workspace, path.trim()))).text).toBe("a: b\n");
});

test.each([
  "",
  "nginx:1.25\nalpine",
  "nginx:1.25",
  "quay.io/a/b@sha256:1",
  "a: b",
  "{a: b}",
  "- a",
  '["a"]',
  "a".repeat(5000),
  "a\0b",
])("%j is a text itself", async (text) => {
  expect(await read(text)).toEqual({ text, file: undefined });
});

test.each([
  ["sync/routes.yaml", 'routes: there is no file "sync/routes.yaml" in '],
  ["large/routes.yaml", 'routes: there is no file "large/routes.yaml" in '],
  ["a".repeat(500), 'routes: there is no file "aaa'],
  ["large", 'routes: the file "large" has 101 B: it may have 100 B at the most'],
  ["sync files", 'routes: "sync files" is not a file'],
  ["/dev/zero", 'routes: "/dev/zero" is not a file'],
])("%s: a clear mistake", async (path, message) => {
  await expect(read(path)).rejects.toMatchObject({
    name: "InputError",
    message: expect.stringContaining(message),
  });
});
