import { describe, expect, test } from "vitest";
import { trustedRealm } from "../../src/oci/token-server.ts";

describe("a token server is trusted", () => {
  test.each([
    ["registry-1.docker.io", "https://auth.docker.io/token"],
    ["ghcr.io", "https://ghcr.io/token"],
    ["registry.gitlab.com", "https://gitlab.com/jwt/auth"],
    ["harbor.example.com", "https://harbor.example.com/service/token"],
    ["harbor.example.com:8443", "https://harbor.example.com/service/token"],
    ["example.com", "https://auth.example.com/token"],
    ["goharbor.tencentcloudcr.com", "https://goharbor.tencentcloudcr.com/service/token"],
    ["rg.fr-par.scw.cloud", "https://api.scaleway.com/registry-internal/v1/token"],
    ["lscr.io", "https://ghcr.io/token"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"],
    ["acme-registry.cn-hangzhou.cr.aliyuncs.com", "https://dockerauth-ee.cn-hangzhou.aliyuncs.com/auth"],
    ["10.0.0.1", "https://10.0.0.1:5001/token"],
  ])("%s: %s", (registry, realm) => {
    expect(trustedRealm(realm, new URL(`https://${registry}/v2/`))).toEqual(new URL(realm));
  });

  test("on plain HTTP where the registry is, and by a path alone", () => {
    const registry = new URL("http://127.0.0.1:5000/v2/");
    expect(trustedRealm("http://127.0.0.1:5001/token", registry)).toEqual(
      new URL("http://127.0.0.1:5001/token"),
    );
    expect(trustedRealm("/token", registry)).toEqual(new URL("http://127.0.0.1:5000/token"));
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
    ["10.0.0.1", "https://11.0.0.1/token", "another host"],
    ["[2001:db8::1]", "https://[2001:db8::2]/token", "another host"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.evil.example/auth", "another host"],
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
    expect(trustedRealm(realm, new URL(`https://${registry}/v2/`))).toContain(problem);
  });
});
