/**
 * The log of a step as GitHub shows it: workflow commands are obeyed and not printed, secrets are masked
 * (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
 */
import { styleText } from "node:util";

export interface WorkflowLog {
  /** Takes a piece of output, which may end anywhere. */
  write(text: string): void;
  /** Prints what is left without a line end. */
  end(): void;
}

/** @param print gets each line, ready for the terminal. */
export function workflowLog(print: (line: string) => void): WorkflowLog {
  const secrets = new Set<string>();
  let rest = "";
  let indent = "";
  const show = (line: string) => {
    const [, command, message] = /^::([a-z-]+)(?: [^:]*(?::[^:]+)*)?::(.*)$/.exec(line) ?? [];
    if (command === "add-mask") secrets.add(decode(message ?? ""));
    else if (command === "group") print(styleText("bold", `▸ ${masked(decode(message ?? ""), secrets)}`));
    else if (command === "warning") print(styleText("yellow", `⚠ ${masked(decode(message ?? ""), secrets)}`));
    else if (command === "error") print(styleText("red", `✖ ${masked(decode(message ?? ""), secrets)}`));
    else if (command === "notice") print(styleText("blue", `ℹ ${masked(decode(message ?? ""), secrets)}`));
    else if (command === undefined) print(`${indent}${masked(line, secrets)}`);
    if (command === "group") indent = "  ";
    if (command === "endgroup") indent = "";
  };
  return {
    write: (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) show(line.replace(/\r$/, ""));
    },
    end: () => {
      if (rest !== "") show(rest);
      rest = "";
    },
  };
}

function masked(text: string, secrets: ReadonlySet<string>): string {
  let hidden = text;
  for (const secret of secrets) if (secret !== "") hidden = hidden.replaceAll(secret, "***");
  return hidden;
}

function decode(message: string): string {
  return message.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}
