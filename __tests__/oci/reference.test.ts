import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalRegistry,
  imageOf,
  isLoopback,
  isRepository,
  isTag,
  parseNamespace,
  printNamespace,
  registryOrigin,
  repositoryOf,
  sameNamespace,
} from "../../src/oci/reference.ts";

describe("repositories", () => {
  test.each(["library", "goharbor/harbor-core", "a/b/c/d", "a.b_c__d-e--f", "0/1", "a".repeat(255)])(
    "%j is one",
    (text) => {
      expect(isRepository(text)).toBe(true);
    },
  );

  test.each([
    "",
    "/a",
    "a/",
    "a//b",
    "A/b",
    "../a",
    "a/../b",
    "a/.",
    "a..b",
    "a___b",
    "-a",
    "a-",
    "a b",
    "a\n",
    "a?x=1",
    "a%2fb",
    "a".repeat(256),
  ])("%j is none", (text) => {
    expect(isRepository(text)).toBe(false);
  });
});

describe("tags", () => {
  test.each(["v2.15.2", "latest", "_x", "A-b.c_d", "x".repeat(128)])("%j is one", (text) => {
    expect(isTag(text)).toBe(true);
  });

  test.each(["", ".x", "-x", "a/b", "../x", "a b", "v1\n", "v1+x", "sha256:ab", "x".repeat(129)])(
    "%j is none",
    (text) => {
      expect(isTag(text)).toBe(false);
    },
  );
});

describe("registries", () => {
  test.each([
    ["ghcr.io", "ghcr.io"],
    ["GHCR.IO", "ghcr.io"],
    ["docker.io", "docker.io"],
    ["index.docker.io", "docker.io"],
    ["Registry-1.Docker.io", "docker.io"],
    ["registry.hub.docker.com", "docker.io"],
    ["docker.io.evil.example", "docker.io.evil.example"],
    ["notdocker.io", "notdocker.io"],
    ["localhost:5000", "localhost:5000"],
    ["127.0.0.1:5000", "127.0.0.1:5000"],
    ["[::1]:5000", "[::1]:5000"],
    ["registry", "registry"],
    ["registry.example:65535", "registry.example:65535"],
    ["r.example.com:443", "r.example.com"],
    ["r.example.com:00443", "r.example.com"],
    ["r.example.com:05000", "r.example.com:5000"],
    ["r.example.com:80", "r.example.com:80"],
    ["docker.io:443", "docker.io"],
    ["Index.Docker.io:443", "docker.io"],
    ["docker.io:5000", "docker.io:5000"],
    ["localhost:80", "localhost"],
    ["localhost:443", "localhost:443"],
    ["[::1]:443", "[::1]:443"],
    ["[0:0:0:0:0:0:0:1]:5000", "[::1]:5000"],
    ["[2001:DB8:0:0::1]:443", "[2001:db8::1]"],
    ["[2001:db8::1]:5000", "[2001:db8::1]:5000"],
  ])("%j is %j", (text, canonical) => {
    expect(canonicalRegistry(text)).toBe(canonical);
  });

  test.each([
    "",
    "a..b",
    "-a.example",
    "a-.example",
    "a_b.example",
    "a.example:0",
    "a.example:65536",
    "a.example:",
    "a.example:x",
    "user@a.example",
    "https://a.example",
    "a.example/b",
    "a.example?x",
    "a.example#x",
    "2001:db8::1",
    "[2001:db8::1",
    "[2001:db8::g]",
    "[]",
    "bücher.example",
    // A URL would read these as another address, or not at all.
    "127.300.0.1",
    "256.256.256.256",
    "0x7f.1",
    "2130706433",
    "registry.123",
  ])("%j is none", (text) => {
    expect(canonicalRegistry(text)).toBeUndefined();
  });

  test("whatever is taken as a registry is spoken to under exactly that name", () => {
    const part = fc.stringMatching(/^[a-z0-9A-Zx.:[\]@/-]{1,12}$/);
    fc.assert(
      fc.property(fc.oneof(part, fc.string(), fc.ipV4(), fc.domain()), (text) => {
        const registry = canonicalRegistry(text);
        if (registry === undefined || registry === "docker.io") return;
        expect(registryOrigin(registry).hostname).toBe(registry.replace(/:[0-9]+$/, ""));
        expect(canonicalRegistry(registry)).toBe(registry);
      }),
    );
  });

  test.each([
    ["localhost", true],
    ["localhost:5000", true],
    ["127.0.0.1:80", true],
    ["127.8.9.10", true],
    ["[::1]:5000", true],
    ["localhost.example", false],
    ["notlocalhost", false],
    ["127.0.0.1.example", false],
    ["128.0.0.1", false],
    ["10.0.0.1", false],
  ])("%j is a loopback address: %j", (registry, expected) => {
    expect(isLoopback(registry)).toBe(expected);
  });

  test.each([
    ["docker.io", "https://registry-1.docker.io"],
    ["ghcr.io", "https://ghcr.io"],
    ["registry.example:5000", "https://registry.example:5000"],
    ["10.0.0.1:5000", "https://10.0.0.1:5000"],
    ["127.0.0.1:5000", "http://127.0.0.1:5000"],
    ["localhost:5000", "http://localhost:5000"],
    ["[::1]:5000", "http://[::1]:5000"],
  ])("%j is spoken to at %j", (registry, origin) => {
    expect(registryOrigin(registry).origin).toBe(origin);
  });
});

describe("namespaces", () => {
  test.each([
    ["ghcr.io/goharbor", "ghcr.io", "goharbor"],
    ["index.docker.io/goharbor", "docker.io", "goharbor"],
    ["localhost:5000/team/harbor", "localhost:5000", "team/harbor"],
    ["registry.k8s.io", "registry.k8s.io", ""],
    ["Index.Docker.IO", "docker.io", ""],
    ["localhost", "localhost", ""],
    ["registry:5000", "registry:5000", ""],
    ["[::1]:5000", "[::1]:5000", ""],
  ])("%j", (text, registry, path) => {
    expect(parseNamespace(text)).toEqual({ registry, path });
  });

  test.each([
    "",
    "goharbor",
    "nginx:latest",
    "..",
    "ghcr.io:0",
    "/goharbor",
    "ghcr.io/",
    "ghcr.io/Goharbor",
    "ghcr.io/../x",
    "a b/c",
  ])("%j is none", (text) => {
    expect(parseNamespace(text)).toBeUndefined();
  });

  test("are compared, printed and extended by their parts", () => {
    const harbor = { registry: "ghcr.io", path: "goharbor" };
    expect(printNamespace(harbor)).toBe("ghcr.io/goharbor");
    expect(repositoryOf(harbor, "harbor-core")).toBe("goharbor/harbor-core");
    expect(imageOf(harbor, "goharbor/deep/core")).toBe("deep/core");
    const whole = { registry: "registry.k8s.io", path: "" };
    expect(printNamespace(whole)).toBe("registry.k8s.io");
    expect(repositoryOf(whole, "coredns/coredns")).toBe("coredns/coredns");
    expect(imageOf(whole, "coredns/coredns")).toBe("coredns/coredns");
    expect(sameNamespace(harbor, { ...harbor })).toBe(true);
    expect(sameNamespace(harbor, { ...harbor, registry: "docker.io" })).toBe(false);
    expect(sameNamespace(harbor, { ...harbor, path: "goharbor/x" })).toBe(false);
  });
});
