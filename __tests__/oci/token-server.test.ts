import { describe, expect, test } from "vitest";
import { trustedRealm } from "../../src/oci/token-server.ts";
import type { VendorId } from "../../src/vendors/vendor.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";

const alibabaTokenServers = [
  "dockerauth.cn-hangzhou.aliyuncs.com",
  "dockerauth-ee.ap-southeast-1.aliyuncs.com",
  "dockerauth-cn-guangzhou.aliyuncs.com",
];

/** Whether a token server is trusted with the login of a registry. */
const trusted = (realm: string, registry: string, as?: VendorId): URL | string =>
  trustedRealm(realm, new URL(`https://${registry}/v2/`), vendorOf(registry, as));

describe("a token server is trusted", () => {
  test.each([
    ["registry-1.docker.io", "https://auth.docker.io/token"],
    ["ghcr.io", "https://ghcr.io/token"],
    ["registry.gitlab.com", "https://gitlab.com/jwt/auth"],
    ["harbor.example.com", "https://harbor.example.com/service/token"],
    ["harbor.example.com:8443", "https://harbor.example.com/service/token"],
    ["example.com", "https://auth.example.com/token"],
    ["registry.example.com.cn", "https://auth.example.com.cn/token"],
    ["example.com.cn", "https://auth.example.com.cn/token"],
    ["goharbor.tencentcloudcr.com", "https://goharbor.tencentcloudcr.com/service/token"],
    ["rg.fr-par.scw.cloud", "https://api.scaleway.com/registry-internal/v1/token"],
    ["lscr.io", "https://ghcr.io/token"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"],
    ["registry-intl.ap-southeast-1.aliyuncs.com", "https://dockerauth.ap-southeast-1.aliyuncs.com/auth"],
    ["registry-vpc.cn-chengdu.aliyuncs.com", "https://dockerauth-vpc.cn-chengdu.aliyuncs.com/auth"],
    ["acme-registry.cn-hangzhou.cr.aliyuncs.com", "https://dockerauth-ee.cn-hangzhou.aliyuncs.com/auth"],
    [
      "acme-registry-vpc.cn-hangzhou.cr.aliyuncs.com",
      "https://dockerauth-ee-vpc.cn-hangzhou.aliyuncs.com/auth",
    ],
    ["acme-registry.cn-zhangjiakou.cr.aliyuncs.com", "https://dockerauth-cn-zhangjiakou.aliyuncs.com/auth"],
    ["crpi-a1.cn-guangzhou.personal.cr.aliyuncs.com", "https://dockerauth-cn-guangzhou.aliyuncs.com/auth"],
    ["registry-cn-beijing.ack.aliyuncs.com", "https://dockerauth-ee.cn-beijing.aliyuncs.com/auth"],
    ["10.0.0.1", "https://10.0.0.1:5001/token"],
  ])("%s: %s", (registry, realm) => {
    expect(trusted(realm, registry)).toEqual(new URL(realm));
  });

  test.each(alibabaTokenServers)(
    "%s on a domain of one's own, where the user says that it is Alibaba's",
    (host) => {
      const realm = `https://${host}/auth`;
      expect(trusted(realm, "registry.example.com", "alibaba")).toEqual(new URL(realm));
      expect(trusted(realm, "registry.example.com")).toContain("another host");
      expect(trusted(realm, "registry.example.com", "harbor")).toContain("another host");
      // What the user says does not take from what the name tells.
      expect(trusted(realm, "registry.cn-hangzhou.aliyuncs.com", "harbor")).toEqual(new URL(realm));
    },
  );

  test("on plain HTTP where the registry is, and by a path alone", () => {
    const registry = new URL("http://127.0.0.1:5000/v2/");
    expect(trustedRealm("http://127.0.0.1:5001/token", registry, vendorOf(registry.host))).toEqual(
      new URL("http://127.0.0.1:5001/token"),
    );
    expect(trustedRealm("/token", registry, vendorOf(registry.host))).toEqual(
      new URL("http://127.0.0.1:5000/token"),
    );
  });
});

describe("a token server that a line names", () => {
  const registry = new URL("https://registry.example.com/v2/");
  const toldOf = (realm: string, named: string, of = registry): URL | string =>
    trustedRealm(realm, of, vendorOf(of.host), new URL(named));

  test.each([
    ["https://auth.elsewhere.example/token?x=1", "https://auth.elsewhere.example"],
    ["https://auth.elsewhere.example:8443/token", "https://auth.elsewhere.example:8443"],
    ["http://127.0.0.1:5001/token", "http://127.0.0.1:5001"],
    // What is known needs no line.
    ["https://auth.example.com/token", "https://auth.elsewhere.example"],
  ])("is trusted: %s by %s", (realm, named) => {
    expect(toldOf(realm, named)).toEqual(new URL(realm));
  });

  test.each([
    [
      "https://auth.elsewhere.example:8443/token",
      "https://auth.elsewhere.example",
      "another host, auth.elsewhere.example:8443",
    ],
    ["https://x.auth.elsewhere.example/token", "https://auth.elsewhere.example", "another host"],
    ["https://auth.elsewhere.example.evil.example/", "https://auth.elsewhere.example", "another host"],
    ["http://auth.elsewhere.example/token", "https://auth.elsewhere.example", "not on https"],
    ["https://bot:word@auth.elsewhere.example/token", "https://auth.elsewhere.example", "a login in it"],
  ])("is no other: %s by %s", (realm, named, problem) => {
    expect(toldOf(realm, named)).toContain(problem);
  });

  test("is not asked in the clear, by a registry on loopback either", () => {
    const local = new URL("http://127.0.0.1:5000/v2/");
    expect(toldOf("http://auth.elsewhere.example/token", "https://auth.elsewhere.example", local)).toContain(
      "another host",
    );
  });
});

describe("a token server is refused", () => {
  test.each([
    ["registry.example.com", "https://evil.example/token", "another host, evil.example"],
    ["registry.example.com", "https://registry.example.com.evil.example/token", "another host"],
    ["registry.example.com", "https://evilexample.com/token", "another host"],
    ["registry.example.com", "//evil.example/token", "another host"],
    ["registry.example.com", "https://127.0.0.1/token", "another host"],
    ["registry.example.com", "https://169.254.169.254/latest", "another host"],
    ["registry.example.com", "https://com/token", "another host"],
    ["example.com", "https://other.com/token", "another host"],
    ["example.com.cn", "https://evil.com.cn/token", "another host"],
    ["example.co.uk", "https://a.evil.co.uk/token", "another host"],
    [
      "a.c1.bhs5.container-registry.ovh.net",
      "https://evil.c1.bhs5.container-registry.ovh.net/",
      "another host",
    ],
    ["a.kr.ncr.ntruss.com", "https://evil.kr.ncr.ntruss.com/token", "another host"],
    ["a.github.io", "https://evil.github.io/token", "another host"],
    ["a.s3.amazonaws.com", "https://evil.s3.amazonaws.com/token", "another host"],
    ["a.run.app", "https://evil.run.app/token", "another host"],
    ["10.0.0.1", "https://11.0.0.1/token", "another host"],
    ["[2001:db8::1]", "https://[2001:db8::2]/token", "another host"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.evil.example/auth", "another host"],
    [
      "registry.cn-hangzhou.aliyuncs.com",
      "https://dockerauth.oss-cn-hangzhou.aliyuncs.com/auth",
      "another host",
    ],
    ["registry.cn-hangzhou.aliyuncs.com", "https://evil.cn-hangzhou.aliyuncs.com/auth", "another host"],
    ["evil.oss-cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth", "another host"],
    [
      "crpi-a1.cn-beijing.personal.cr.aliyuncs.com",
      "https://crpi-b2.cn-beijing.personal.cr.aliyuncs.com/auth",
      "another host",
    ],
    ["goharbor.azurecr.io", "https://evil.azurecr.io/oauth2/token", "another host, evil.azurecr.io"],
    ["goharbor.azurecr.io", "https://x.evil.azurecr.io/token", "another host"],
    ["goharbor.tencentcloudcr.com", "https://evil.tencentcloudcr.com/service/token", "another host"],
    ["acme.jfrog.io", "https://evil.jfrog.io/token", "another host"],
    ["us-docker.pkg.dev", "https://evil.pkg.dev/token", "another host"],
    ["acme-cn.cr.volces.com", "https://evil-cn.cr.volces.com/token", "another host"],
    ["swr.cn-north-4.myhuaweicloud.com", "https://evil.cn-north-4.myhuaweicloud.com/token", "another host"],
    [
      "acme-registry.cn-beijing.cr.aliyuncs.com",
      "https://evil-registry.cn-beijing.cr.aliyuncs.com/auth",
      "another host",
    ],
    [
      "111122223333.dkr.ecr.us-east-1.amazonaws.com",
      "https://444455556666.dkr.ecr.us-east-1.amazonaws.com/token",
      "another host",
    ],
    ["registry.example.com", "http://registry.example.com/token", "not on https"],
    ["registry.example.com", "ftp://registry.example.com/token", "not on https"],
    ["registry.example.com", "file:///etc/passwd", "not on https"],
    ["registry.example.com", "https://user:secret@registry.example.com/token", "a login in it"],
    ["registry.example.com", "https://registry.example.com@evil.example/token", "a login in it"],
    ["registry.example.com", "https://:0:0/", "no usable address"],
    ["registry.example.com", "", "no usable address"],
  ])("%s: %j", (registry, realm, problem) => {
    expect(trusted(realm, registry)).toContain(problem);
  });
});
