import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, it, test } from "vitest";

/** The kernel's own settings, in a network namespace that goes away with its last process. */

const root = dirname(dirname(import.meta.dirname));
const setting = "/proc/sys/net/ipv4/tcp_congestion_control";

/** Why this machine has no namespace in which BBR can be set; undefined where it has one. */
function whyNot(): string | undefined {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "only root makes network namespaces";
  const story = `ip link set lo up && echo reno > ${setting} && echo bbr > ${setting} && command -v sysctl ss`;
  const { status, error, stderr } = spawnSync("unshare", ["-n", "sh", "-c", story]);
  if (status === 0) return undefined;
  return `a namespace does not take BBR: ${error?.message ?? stderr?.toString().trim()}`;
}

const reason = whyNot();

if (reason === undefined) describe("the kernel's congestion control", describeNamespace);
else {
  console.warn(`Skipped: these tests set the congestion control of a network namespace, but ${reason}.`);
  it.skip(`skipped: ${reason}`);
}

function describeNamespace(): void {
  /** Runs the steps of jobs one after the other, and tells what they print and what the kernel has after each. */
  function story(steps: readonly ("main" | "killed" | "next" | "post")[]): {
    readonly lines: readonly string[];
    readonly marks: readonly string[];
  } {
    const folder = mkdtempSync(join(tmpdir(), "namespace-"));
    try {
      // As `sudo` is on a runner of GitHub's: it asks for no password.
      writeFileSync(join(folder, "sudo"), '#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\nexec "$@"\n', {
        mode: 0o755,
      });
      const [marks, state] = [join(folder, "harbor-release-mirror"), join(folder, "mark.json")];
      const stepFile = join(import.meta.dirname, "namespace-step.ts");
      const node = `'${process.execPath}' --disable-warning=ExperimentalWarning`;
      const commands = steps.map((step) =>
        step === "post"
          ? `HARBOR_RELEASE_MIRROR_STEP=post STATE_tuning="$(cat ${state})" ${node} '${join(root, "src/index.ts")}'`
          : `${node} '${stepFile}' ${step} ${marks} ${state}`,
      );
      const script = [
        "ip link set lo up",
        `echo reno > ${setting}`,
        ...commands.map((command) => `${command} || true; echo "kernel: $(cat ${setting})"`),
      ].join("\n");
      const env = {
        PATH: [folder, process.env.PATH].join(delimiter),
        HOME: folder,
        XDG_STATE_HOME: folder,
        GITHUB_ACTIONS: "true",
      };
      const output = execFileSync("unshare", ["-n", "sh", "-c", script], {
        env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return { lines: output.trim().split("\n"), marks: readdirSync(marks) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  const set = expect.stringMatching(
    /^Uploads use BBR from here to the end of this job: net\.ipv4\.tcp_congestion_control was reno/,
  );
  const back = expect.stringMatching(/^Put back: net\.ipv4\.tcp_congestion_control is reno/);
  const connections = "connections: reno, then bbr";

  test("is BBR for new connections, and what it was after the post step of the Action", () => {
    expect(story(["main", "post"])).toEqual({
      lines: [set, connections, "kernel: bbr", back, "kernel: reno"],
      marks: [],
    });
  });

  test("is what it was after a kill of the job, at the start of the next run", () => {
    expect(story(["killed", "next", "main", "post"])).toEqual({
      lines: [
        set,
        connections,
        "kernel: bbr",
        back,
        "kernel: reno",
        set,
        connections,
        "kernel: bbr",
        back,
        "kernel: reno",
      ],
      marks: [],
    });
  });
}
