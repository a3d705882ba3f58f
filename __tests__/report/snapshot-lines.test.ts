import { expect, test } from "vitest";
import { plainPaint } from "../../src/log/paint.ts";
import { snapshotLines } from "../../src/report/snapshot-lines.ts";
import { snapshotOf } from "../plan/snapshot-builder.ts";

test("each wanted version at the sources, then what each destination has of them, or why it could not be asked", () => {
  const snapshot = snapshotOf({
    wanted: ["v2.15.2", "v2.15.1"],
    missing: { "harbor-db:v2.15.1": "not there" },
    destinations: [
      { name: "docker.io/goharbor", holds: ["v2.15.1", "v2.14.0"], lacks: ["harbor-db:v2.15.1"] },
      { name: "quay.io/mirror", failure: "denied\n::error::x" },
    ],
  });
  expect(snapshotLines(snapshot, plainPaint)).toEqual([
    "✓ v2.15.2 has 12 images, each at a source",
    "✗ v2.15.1 has 12 images; at no source: harbor-db:v2.15.1",
    "✓ docker.io/goharbor has 11 of 24 wanted tags",
    "✗ quay.io/mirror: denied : :error: :x",
  ]);
});
