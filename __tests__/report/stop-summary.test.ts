import { expect, test } from "vitest";
import { idleSummary, stopSummary } from "../../src/report/stop-summary.ts";

test("a mistake in the inputs: that nothing was touched, and every mistake as an item", () => {
  const message = "The inputs need mending:\n- keep: `x` is no number\n- wait: <b>";
  expect(stopSummary(message, { wroteNothing: true })).toBe(
    [
      "## ⚓ The run stopped",
      "",
      "❌ Before it had a plan: no image or tag was touched.",
      "",
      "> [!CAUTION]",
      "> **Why**",
      ">",
      "> The inputs need mending&#58;<br>",
      "> - keep&#58; <code>x</code> is no number",
      "> - wait&#58; &#60;b&#62;",
      "",
    ].join("\n"),
  );
});

test("any other end: nothing is claimed of what was written", () => {
  const summary = stopSummary("The run stopped: GitHub api.github.com: reading the release failed", {
    wroteNothing: false,
  });
  expect(summary).toContain("❌ Before its end: the log has what was done.");
  expect(summary).not.toContain("touched");
});

test("many mistakes are cut, and counted", () => {
  const lines = Array.from({ length: 50 }, (_none, at) => `- mistake ${at}`);
  const summary = stopSummary(["Mistakes:", ...lines].join("\n"), { wroteNothing: true });
  expect(summary.match(/^> - mistake/gm)).toHaveLength(29);
  expect(summary).toContain("> - … and 21 more, in the log.");
});

test("nothing to do: why", () => {
  expect(idleSummary("v2.15.0-rc1 is a prerelease")).toBe(
    "## ⚓ Nothing to do\n\n✅ v2.15.0-rc1 is a prerelease\n",
  );
});
