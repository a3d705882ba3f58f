import { afterAll, beforeAll, expect, it } from "vitest";
import { type GitHub, githubToken, startGitHub } from "../../sandbox/github.ts";

let github: GitHub;
beforeAll(async () => {
  const release = (tag: string, day: number) => ({
    tag,
    prerelease: tag.includes("-"),
    publishedAt: day * 86_400_000,
  });
  github = await startGitHub({
    repository: "goharbor/harbor",
    releases: [
      release("v1.0.0", 1),
      // Published last, made before v1.1.0: GitHub lists by the second.
      { ...release("v1.0.1", 9), createdAt: 2 * 86_400_000 },
      release("v1.1.0-rc1", 3),
      { ...release("v1.2.0", 5), draft: true },
    ],
    files: (path, ref) =>
      path === "make/a file" && ref === "v1.0.0" ? "text of the file\n".repeat(10) : undefined,
  });
});
afterAll(() => github.close());

const token = { authorization: `Bearer ${githubToken}` };

async function get(path: string, headers: Record<string, string> = {}) {
  const url = path.startsWith("http") ? path : `${github.origin}/repos/goharbor/harbor/${path}`;
  const response = await fetch(url, { headers });
  return { status: response.status, link: response.headers.get("link") ?? "", text: await response.text() };
}

const tagsIn = (text: string) => (JSON.parse(text) as { tag_name: string }[]).map(({ tag_name }) => tag_name);

it("lists releases by the date of their commits, in pages, drafts only for a token", async () => {
  expect(tagsIn((await get("releases")).text)).toEqual(["v1.1.0-rc1", "v1.0.1", "v1.0.0"]);
  expect(tagsIn((await get("releases", token)).text)).toEqual(["v1.2.0", "v1.1.0-rc1", "v1.0.1", "v1.0.0"]);
  const first = await get("releases?per_page=2");
  expect(tagsIn(first.text)).toEqual(["v1.1.0-rc1", "v1.0.1"]);
  const next = /<([^>]+)>; rel="next"/.exec(first.link)?.[1] ?? "";
  const second = await get(next);
  expect(tagsIn(second.text)).toEqual(["v1.0.0"]);
  expect(second.link).not.toContain('rel="next"');
  expect(second.link).toContain('rel="prev"');
});

it("finds a published release by its tag, and those that come later", async () => {
  expect(JSON.parse((await get("releases/tags/v1.1.0-rc1")).text)).toMatchObject({
    prerelease: true,
    draft: false,
  });
  expect((await get("releases/tags/v1.2.0", token)).status).toBe(404);
  expect((await get("releases/tags/v9.0.0")).status).toBe(404);
  github.addRelease({ tag: "v9.0.0", prerelease: false, publishedAt: 0 });
  expect((await get("releases/tags/v9.0.0")).status).toBe(200);
  expect(github.release("v9.0.0")).toMatchObject({
    tag_name: "v9.0.0",
    published_at: "1970-01-01T00:00:00.000Z",
  });
});

it("gives files at a ref, as JSON and raw", async () => {
  const text = "text of the file\n".repeat(10);
  const file = JSON.parse((await get("contents/make%2Fa%20file?ref=v1.0.0")).text) as { content: string };
  expect(file.content.split("\n")[0]).toHaveLength(60);
  expect(Buffer.from(file.content, "base64").toString()).toBe(text);
  const raw = await get("contents/make/a%20file?ref=v1.0.0", { accept: "application/vnd.github.raw+json" });
  expect(raw.text).toBe(text);
  expect((await get("contents/make/a%20file?ref=main")).status).toBe(404);
});

it("refuses an unknown token, and knows no other repository", async () => {
  const refused = await get("releases", { authorization: "Bearer ghp_other" });
  expect([refused.status, JSON.parse(refused.text)]).toEqual([
    401,
    expect.objectContaining({ message: "Bad credentials" }),
  ]);
  expect((await get(`${github.origin}/repos/goharbor/other/releases`)).status).toBe(404);
});
