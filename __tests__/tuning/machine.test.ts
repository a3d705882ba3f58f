import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { thisMachine } from "../../src/tuning/machine.ts";

describe.skipIf(process.platform === "win32")("this machine", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "machine-"));
    const program = (name: string, script: string) =>
      writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await program(
      "variables",
      "env | sed 's/=.*//' | grep -vx -e PWD -e SHLVL -e _ -e OLDPWD | sort | tr '\\n' ' '",
    );
    await program("refuses", "echo '::error::no' >&2; exit 3");
    await program("quiet", "exit 4");
    await program("endless", "exec sleep 60");
    await program("talks", "i=0; while [ $i -lt 5000 ]; do echo 'many words'; i=$((i+1)); done");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const machine = () => thisMachine(`${folder}:/usr/bin:/bin`, systemClock);

  test("gives a program the search path and no other variable of this process", async () => {
    process.env.SECRET_OF_A_STEP = "hunter2";
    try {
      expect(await machine().run("variables", [])).toEqual({ succeeded: true, words: "LC_ALL PATH" });
    } finally {
      delete process.env.SECRET_OF_A_STEP;
    }
  });

  test.each([
    ["says why it refuses, in no words that the runner obeys", "refuses", /^: : ?error: : ?no$/],
    ["says nothing", "quiet", /^it ended with status 4$/],
    ["is not there", "no-such-program", /ENOENT/],
  ])("a program that %s is an answer", async (_case, program, words) => {
    expect(await machine().run(program, [])).toEqual({
      succeeded: false,
      words: expect.stringMatching(words),
    });
  });

  test("keeps little of what a program says", async () => {
    const { succeeded, words } = await machine().run("talks", []);
    expect(succeeded).toBe(true);
    expect(words.length).toBeLessThan(400);
  });

  test("ends a program that does not end", async () => {
    const over = new AbortController();
    const ended = thisMachine(`${folder}:/usr/bin:/bin`, { timeout: () => over.signal }).run("endless", []);
    over.abort();
    expect(await ended).toEqual({ succeeded: false, words: "it did not end within 10 s" });
  });

  test("has no text of a file that is not there", async () => {
    expect(await machine().read(join(folder, "nothing"))).toBeUndefined();
    expect(await machine().read(join(folder, "quiet"))).toBe("#!/bin/sh\nexit 4");
  });
});
