import { describe, expect, test } from "vitest";
import { evaluate, interpolate } from "../../sandbox/expressions.ts";

const contexts = {
  secrets: { TOKEN: "hunter2" },
  inputs: { "dry-run": true, version: "" },
  needs: { mirror: { outputs: { images: '[{"tag":"v1"},{"tag":"v2"}]', copied: "0" } } },
};

describe("expressions of workflows", () => {
  test.each<[expression: string, value: unknown]>([
    ["secrets.TOKEN", "hunter2"],
    ["inputs.dry-run", true],
    ["inputs['dry-run']", true],
    ["fromJSON(needs.mirror.outputs.images)[1].tag", "v2"],
    ["needs.mirror.outputs.copied != '0'", false],
    ["inputs.version || 'newest:3'", "newest:3"],
    ["inputs.dry-run && 'plan' || 'run'", "plan"],
    ["!cancelled() && (inputs.version == '')", true],
    ["'It''s' == 'it''s'", true],
    ["fromJSON('{}').default || 'ubuntu-24.04'", "ubuntu-24.04"],
    ["contains(fromJSON('[1, 2]'), 2)", true],
    ["format('{0}/{1}', 'a', 'b')", "a/b"],
  ])("%s", (expression, value) => {
    expect(evaluate(expression, contexts)).toEqual(value);
  });

  test.each([
    ["secret.TOKEN", /"secret", which is not there/],
    ["secrets.TOKNE", /"TOKNE", which is not there/],
    ["hash(secrets.TOKEN)", /no function hash/],
    ["inputs.version inputs.version", /not clear/],
    ["inputs.version ==", /too early/],
    ["inputs.version % 2", /not understood/],
  ])("%s is an error", (expression, message) => {
    expect(() => evaluate(expression, contexts)).toThrow(message);
  });

  test("stand in a text, as texts", () => {
    const text = "a $" + "{{ inputs.dry-run }} b $" + "{{ fromJSON('[1]') }}";
    expect(interpolate(text, contexts)).toBe("a true b [1]");
  });
});
