import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { githubToken } from "../../sandbox/github.ts";
import type { WorkflowOptions } from "../../sandbox/workflow.ts";
import { root, textOf } from "../support/documents.ts";
import { secrets as allSecrets, type ExampleWorld } from "./examples.ts";

/** How a workflow went that `act` has run. */
export interface ActEnded {
  readonly status: number | null;
  readonly log: string;
}

/** Names in `uses:` that are read from a folder of this machine in place of GitHub. */
const ourselves = "goharbor/harbor-release-mirror@v1";
const checkout = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1";
const login = "docker/login-action@4907a6ddec9925e35a0a9e82d7399ccc52663121";

/** Does what `docker/login-action` leaves behind, with the JavaScript that its users have on a runner as well. */
const loginScript = `
const { mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const folder = process.env.HOME + "/.docker";
const path = folder + "/config.json";
mkdirSync(folder, { recursive: true });
let config = { auths: {} };
try { config = JSON.parse(readFileSync(path, "utf8")); } catch {}
const { INPUT_REGISTRY: registry, INPUT_USERNAME: username, INPUT_PASSWORD: password } = process.env;
const auth = Buffer.from(username + ":" + password).toString("base64");
config.auths[registry || "https://index.docker.io/v1/"] = { auth };
writeFileSync(path, JSON.stringify(config));
`;

/** Puts this repository into the workspace, and says which commit was asked for. */
const checkoutScript = (source: string): string => `
const { cpSync } = require("node:fs");
const { INPUT_REPOSITORY: repository, INPUT_REF: ref, GITHUB_WORKSPACE: workspace } = process.env;
cpSync(${JSON.stringify(source)}, workspace, { recursive: true });
console.log("Checked out " + repository + " at " + ref);
`;

const checkoutAction = `
name: checkout
description: stands in for actions/checkout
inputs: { repository: { required: false }, ref: { required: false }, persist-credentials: { required: false } }
runs: { using: node24, main: checkout.js }
`;

const loginAction = `
name: login
description: stands in for docker/login-action
inputs: { registry: { required: false }, username: { required: true }, password: { required: true } }
runs: { using: node24, main: login.js }
`;

/**
 * Runs a whole workflow as it stands with `act` (https://github.com/nektos/act), a runner of workflows that shares no code
 * with this repository: its expressions, its environment, its outputs, its job matrix. Steps run on this machine, without
 * Docker.
 */
export async function act(
  world: ExampleWorld,
  text: string,
  options: Pick<WorkflowOptions, "event" | "inputs"> & Partial<Pick<WorkflowOptions, "secrets">>,
): Promise<ActEnded> {
  const { event, inputs = {}, secrets = allSecrets } = options;
  const path = (...names: readonly string[]): string => join(world.folder, "act", ...names);
  const write = (name: string, content: string): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
    return path(name);
  };
  write("repository/.github/workflows/workflow.yml", withoutQueue(text));
  // act takes the name of the repository from its remote.
  const remote = `https://github.com/${world.sandbox.github.repository}`;
  for (const args of [
    ["init", "--quiet"],
    ["remote", "add", "origin", remote],
  ])
    execFileSync("git", args, { cwd: path("repository") });
  for (const name of ["dist", ".github"]) {
    cpSync(join(root, name), path("action", name), { recursive: true });
  }
  const called = ".github/workflows/mirror.yml";
  writeFileSync(path("action", called), withoutQueue(textOf(called)));
  for (const name of ["action.yml", "post.js", "package.json"]) {
    copyFileSync(join(root, name), path("action", name));
  }
  write("login/action.yml", loginAction);
  write("login/login.js", loginScript);
  write("checkout/action.yml", checkoutAction);
  write("checkout/checkout.js", checkoutScript(path("action")));
  const given = { ...secrets, GITHUB_TOKEN: githubToken };
  const lines = Object.entries(given).map(([name, value]) => `${name}=${value}`);
  const args = [
    event.name,
    ...["--directory", path("repository")],
    ...["ubuntu-24.04", "self-hosted", "guangzhou"].flatMap((label) => [
      "--platform",
      `${label}=-self-hosted`,
    ]),
    ...["--eventpath", write("event.json", JSON.stringify(event.payload))],
    ...["--secret-file", write("secrets", lines.join("\n"))],
    ...["--env-file", write("env", "")],
    ...["--var-file", write("variables", "")],
    ...["--input-file", write("inputs", "")],
    ...["--action-cache-path", path("cache")],
    ...["--actor", "octocat"],
    "--no-cache-server",
    ...["--local-repository", `${ourselves}=${path("action")}`],
    ...["--local-repository", `${login}=${path("login")}`],
    ...["--local-repository", `${checkout}=${path("checkout")}`],
    ...Object.entries(world.internet.env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...Object.entries(inputs).flatMap(([name, value]) => ["--input", `${name}=${value}`]),
  ];
  // A home of its own: act keeps settings and caches there, and steps their logins.
  const env = {
    HOME: path("home"),
    XDG_CACHE_HOME: path("home/.cache"),
    PATH: [dirname(process.execPath), process.env.PATH].join(":"),
  };
  mkdirSync(env.HOME, { recursive: true });
  const child = spawn("act", args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => pieces.push(piece));
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  return { status, log: pieces.join("") };
}

/** act 0.2.89 refuses this key of GitHub's, and runs one workflow at a time anyway. */
function withoutQueue(workflow: string): string {
  return workflow.replace(/^ *queue: max\n|, queue: max(?= *\})/m, "");
}
