import { describe, expect, test } from "vitest";
import { requestSlotsOf, uploadQuirkOf, uploadQuirks } from "../../src/oci/quirks.ts";

const mebibyte = 1024 * 1024;

describe("quirks of uploads", () => {
  test.each(["ghcr.io", "gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev", "ghcr.io:443"])(
    "%s breaks uploads of several chunks",
    (registry) => {
      expect(uploadQuirkOf(registry)?.chunks).toBe("never");
    },
  );

  test.each([
    ["goharbor.azurecr.io", 16],
    ["goharbor.azurecr.cn", 16],
    ["goharbor.azurecr.us:443", 16],
    ["goharbor.jfrog.io", 64],
  ])("%s takes at most %i MiB a request", (registry, limit) => {
    expect(uploadQuirkOf(registry)?.chunks).toEqual({ limit: limit * mebibyte });
  });

  test.each([
    "docker.io",
    "goharbor.tencentcloudcr.com",
    "127.0.0.1:5000",
    "[::1]:5000",
    // Names that only look alike.
    "ghcr.io.example.com",
    "notghcr.io",
    "ghcr-io",
    "notgcr.io",
    "docker.pkg.dev.example.com",
    "azurecr.io.example.com",
    "azurecr.io",
    "jfrog.io.example.com",
  ])("%s has none", (registry) => {
    expect(uploadQuirkOf(registry)).toBeUndefined();
  });

  test("each say where they are known from", () => {
    for (const { source } of uploadQuirks) expect(source).toMatch(/\(.+\)$/);
  });
});

describe("small requests", () => {
  test("start with fewer at Docker Hub, which answered 429 to five cold connections", () => {
    expect(requestSlotsOf("docker.io").start).toBeLessThan(5);
    expect(requestSlotsOf("goharbor.tencentcloudcr.com").start).toBeGreaterThan(
      requestSlotsOf("docker.io").start,
    );
  });
});
