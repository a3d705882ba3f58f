import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLocalAddress, needsPublicAddress } from "../../src/http/addresses.ts";

describe("an address", () => {
  test.each([
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "fd00::1",
    "fe80::1",
    "ff02::1",
  ])("%s is not on the public internet", (address) => {
    expect(isLocalAddress(address)).toBe(true);
  });

  test.each([
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
  ])("%s is", (address) => {
    expect(isLocalAddress(address)).toBe(false);
  });

  test("that is none is not on the public internet", () => {
    for (const text of ["", "localhost", "127.1", "0x7f000001", "10.0.0.1:80", "[::1]"]) {
      expect(isLocalAddress(text)).toBe(true);
    }
    fc.assert(fc.property(fc.string(), (text) => typeof isLocalAddress(text) === "boolean"));
  });

  test("means the same in its IPv6 forms", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        for (const prefix of ["::ffff:", "64:ff9b::", "::ffff:0:"])
          expect(isLocalAddress(`${prefix}${address}`)).toBe(isLocalAddress(address));
      }),
    );
  });
});

describe("a URL that a server named", () => {
  test.each([
    "https://storage.example/blob",
    "https://169.254.169.254/latest/meta-data",
    "http://bucket-1250000000.cos.ap-guangzhou.myqcloud.com/blob",
    "https://cos.ap-guangzhou.myqcloud.com.evil.example/blob",
    "https://evil-cos.ap-guangzhou.myqcloud.com/blob",
    "https://ec2-10-0-0-1.compute-1.amazonaws.com/blob",
  ])("%s may only lead to the public internet", (url) => {
    expect(needsPublicAddress(new URL(url), false)).toBe(true);
  });

  test.each([
    "https://bucket-1250000000.cos.ap-guangzhou.myqcloud.com/blob",
    "https://bucket-1250000000.cos-internal.ap-guangzhou.tencentcos.cn/blob",
    "https://bucket.s3.eu-west-1.amazonaws.com/blob",
    "https://s3.cn-north-1.amazonaws.com.cn/bucket/blob",
  ])("%s may lead into its cloud", (url) => {
    expect(needsPublicAddress(new URL(url), false)).toBe(false);
  });

  test("may lead anywhere if that server is not on the public internet itself", () => {
    expect(needsPublicAddress(new URL("http://127.0.0.1:5001/token"), true)).toBe(false);
  });
});
