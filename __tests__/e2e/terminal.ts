import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { hubAccount } from "../../sandbox/docker-hub.ts";
import { githubToken } from "../../sandbox/github.ts";
import { root } from "../support/documents.ts";
import { type ExampleWorld, loginAction, registryLogin } from "./examples.ts";

export interface Ended {
  readonly status: number | null;
  /** What it wrote to standard output and standard error, in the order in which it came. */
  readonly output: string;
  /** What it wrote to standard output alone. */
  readonly stdout: string;
}

export interface MirrorOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it runs on a terminal. */
  readonly terminal?: boolean;
  /** What is started in place of the source, as after an installation from a package. */
  readonly program?: string;
  readonly onOutput?: (text: string, child: ChildProcess) => void;
}

/** Runs the Action from a terminal as a person does who has logged in before, with `docker login` alone. */
export async function mirror(
  world: ExampleWorld,
  args: readonly string[],
  options: MirrorOptions = {},
): Promise<Ended> {
  const home = join(world.folder, "home");
  mkdirSync(home, { recursive: true });
  loginAction({ inputs: { registry: "registry.example.com", ...registryLogin }, home });
  loginAction({ inputs: { username: hubAccount.identifier, password: hubAccount.secret }, home });
  const env = {
    ...world.internet.env,
    GITHUB_TOKEN: githubToken,
    HOME: home,
    PATH: [dirname(process.execPath), "/usr/bin", "/bin"].join(":"),
    TERM: "xterm-256color",
    TMPDIR: world.folder,
    ...options.env,
  };
  const command = [process.execPath, options.program ?? join(root, "src/terminal/index.ts"), ...args];
  const quoted = command.map((word) => `'${word}'`).join(" ");
  const child = options.terminal
    ? spawn("script", ["--quiet", "--return", "--flush", "--command", quoted, "/dev/null"], { env })
    : spawn(command[0] ?? "", command.slice(1), { env });
  let output = "";
  let stdout = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (stream === child.stdout) stdout += text;
      options.onOutput?.(text, child);
    });
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  return { status, output, stdout };
}
