import { describe, expect, test } from "vitest";
import { type VendorId, vendorIds } from "../../src/vendors/vendor.ts";
import { hostParts, mannersOf, vendorOf, vendors } from "../../src/vendors/vendors.ts";

const mebibyte = 1024 * 1024;

describe("the table of registries", () => {
  test("has a row for every name, once", () => {
    expect(vendors.map(({ id }) => id).toSorted()).toEqual([...vendorIds].toSorted());
  });

  test.each<[string, VendorId]>([
    ["docker.io", "docker-hub"],
    ["ghcr.io", "ghcr"],
    ["ghcr.io:443", "ghcr"],
    ["registry.gitlab.com", "gitlab"],
    ["quay.io", "quay"],
    ["goharbor.jfrog.io", "artifactory"],
    ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"],
    ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"],
    ["public.ecr.aws", "ecr-public"],
    ["goharbor.azurecr.io", "acr"],
    ["goharbor.azurecr.cn", "acr"],
    ["goharbor.azurecr.us:443", "acr"],
    ["gcr.io", "artifact-registry"],
    ["eu.gcr.io", "artifact-registry"],
    ["europe-west1-docker.pkg.dev", "artifact-registry"],
    ["goharbor.tencentcloudcr.com", "tcr"],
    ["goharbor-vpc.tencentcloudcr.com", "tcr"],
    ["ccr.ccs.tencentyun.com", "tcr-personal"],
    ["hkccr.ccs.tencentyun.com", "tcr-personal"],
    ["x1.ccs.tencentyun.com", "tcr-personal"],
    ["a.b.tencentcloudcr.com", "tcr"],
    ["123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr"],
    ["tencentcloudcr.com", "distribution"],
    ["registry.cn-hangzhou.aliyuncs.com", "alibaba"],
    ["registry-vpc.cn-hangzhou.aliyuncs.com", "alibaba"],
    ["registry-internal.cn-hangzhou.aliyuncs.com", "alibaba"],
    ["registry-intl.ap-southeast-1.aliyuncs.com", "alibaba"],
    ["registry-intl-vpc.ap-southeast-5.aliyuncs.com", "alibaba"],
    ["registry-vpc.cn-shanghai-finance-1.aliyuncs.com", "alibaba"],
    ["registry.rus-west-1.aliyuncs.com", "alibaba"],
    ["registry.aliyuncs.com", "alibaba"],
    ["registry-cn-beijing-vpc.ack.aliyuncs.com", "alibaba"],
    ["goharbor-registry.cn-hangzhou.cr.aliyuncs.com", "alibaba"],
    ["crpi-a1b2-vpc.cn-hangzhou.personal.cr.aliyuncs.com", "alibaba"],
    ["swr.cn-north-4.myhuaweicloud.com", "swr"],
    ["goharbor-cn-beijing.cr.volces.com", "volcengine"],
    ["harbor.example.com", "distribution"],
    ["127.0.0.1:5000", "distribution"],
    ["[::1]:5000", "distribution"],
    // Names that only look alike.
    ["ghcr.io.example.com", "distribution"],
    ["notghcr.io", "distribution"],
    ["ghcr-io", "distribution"],
    ["notgcr.io", "distribution"],
    ["docker.pkg.dev.example.com", "distribution"],
    ["azurecr.io.example.com", "distribution"],
    ["azurecr.io", "distribution"],
    ["jfrog.io.example.com", "distribution"],
    ["quay.io.example.com", "distribution"],
    ["my-registry.oss-cn-hangzhou.aliyuncs.com", "distribution"],
    ["registry.cn-hangzhou.aliyuncs.com.example.com", "distribution"],
    ["cr.aliyuncs.com", "distribution"],
    ["1.dkr.ecr.eu-west-1.amazonaws.com.example.com", "distribution"],
  ])("tells %s by its name: %s", (registry, id) => {
    expect(vendorOf(registry).id).toBe(id);
  });

  test.each(vendorIds)("takes the word of the user for %s on a domain of one's own", (id) => {
    expect(vendorOf("registry.example.com", id).id).toBe(id);
    expect(vendorOf("ghcr.io", id).id).toBe(id);
  });

  test("gives for each row a public source, or says that nothing is known", () => {
    for (const vendor of vendors) {
      const { login, rights, repositories, listing, mount, upload, deletion, limits, manners } = vendor;
      for (const fact of [login, repositories, listing, mount, upload, deletion, limits, manners]) {
        if (fact === undefined) continue;
        expect(fact.text, vendor.name).toMatch(/^\S.*\.$/);
        if (fact.source !== undefined) expect(fact.source, vendor.name).toMatch(/^https:\/\/[^\s|]+$/);
      }
      for (const text of [rights?.pull, rights?.push, rights?.create, rights?.shutOut])
        if (text !== undefined) expect(text, vendor.name).toMatch(/^[A-Z].*\.$/);
      if (rights !== undefined) expect(rights.source, vendor.name).toMatch(/^https:\/\/[^\s|]+$/);
      expect(deletion.source, vendor.name).toBeDefined();
      expect(login.source, vendor.name).toBeDefined();
    }
  });
});

test.each([
  ["acme.tencentcloudcr.com", { instance: "acme" }],
  ["acme-vpc.tencentcloudcr.com:8443", { instance: "acme", private: "-vpc" }],
  ["a.b.tencentcloudcr.com", {}],
  ["hkccr.ccs.tencentyun.com", { prefix: "hkccr" }],
  [
    "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com:8443",
    { account: "123456789012", region: "us-east-1", domain: "amazonaws.com" },
  ],
  ["quay.io", {}],
  ["harbor.example.com", {}],
])("the name %s tells %o", (registry, parts) => {
  expect({ ...hostParts(registry) }).toEqual(parts);
});

describe("uploads", () => {
  test.each(["ghcr.io", "gcr.io", "europe-west1-docker.pkg.dev"])("to %s go in one request", (registry) => {
    expect(vendorOf(registry).upload.form).toEqual({ kind: "whole" });
  });

  test("to Azure go in parts of 16 MiB, to Artifactory by PATCH only", () => {
    expect(vendorOf("goharbor.azurecr.io").upload.form).toEqual({ kind: "limited", chunk: 16 * mebibyte });
    expect(vendorOf("goharbor.jfrog.io").upload.form).toEqual({ kind: "patched", chunk: 64 * mebibyte });
  });

  test("to all others as it comes", () => {
    const special = ["ghcr", "artifact-registry", "acr", "artifactory"];
    for (const { id, upload } of vendors) {
      if (!special.includes(id)) expect(upload.form, id).toEqual({ kind: "any" });
    }
  });
});

test("Docker Hub starts with fewer small requests: it answered 429 to five cold connections", () => {
  expect(vendorOf("docker.io").limits.requests.start).toBeLessThan(5);
  const { start } = vendorOf("goharbor.tencentcloudcr.com").limits.requests;
  expect(start).toBeGreaterThan(vendorOf("docker.io").limits.requests.start);
});

test("Quay is never asked for more than reading while nothing is to be written: a token for pushing makes a repository", () => {
  expect(mannersOf(vendorOf("quay.io")).reading).toEqual(["pull"]);
});
