import { describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import { readProxies } from "../../src/http/proxy.ts";

function read(environment: Record<string, string>) {
  const masked: string[] = [];
  const proxies = readProxies(environment, (secret) => masked.push(secret));
  return { proxies, masked };
}

describe("the proxy variables", () => {
  it.each<[environment: Record<string, string>, httpProxy: string, httpsProxy: string, noProxy: string]>([
    [{}, "", "", ""],
    [{ HTTP_PROXY: "", HTTPS_PROXY: " " }, "", "", ""],
    [{ HTTPS_PROXY: "127.0.0.1:3128" }, "", "http://127.0.0.1:3128/", ""],
    [{ HTTPS_PROXY: "localhost:3128" }, "", "http://localhost:3128/", ""],
    [{ HTTP_PROXY: "ann:word@proxy.example.com:1" }, "http://ann:word@proxy.example.com:1/", "", ""],
    [{ http_proxy: "http://one:1", HTTP_PROXY: "http://two:2" }, "http://one:1/", "", ""],
    [{ http_proxy: "", HTTP_PROXY: "http://two:2" }, "", "", ""],
    [{ https_proxy: "https://[::1]:8443/" }, "", "https://[::1]:8443/", ""],
    [{ NO_PROXY: "a.example.com", no_proxy: "b.example.com" }, "", "", "b.example.com"],
  ])("%o", (environment, httpProxy, httpsProxy, noProxy) => {
    expect(read(environment).proxies).toEqual({ httpProxy, httpsProxy, noProxy });
  });

  it.each([
    "http://user:pa#ss-SECRET/word@127.0.0.1:9",
    "http://user:12#SECRET@127.0.0.1:9",
    "http://user:12/SECRET@127.0.0.1:9",
    "http://user:12?SECRET@127.0.0.1:9",
    "http://user:SECRET%@127.0.0.1:9",
    "user:SECRET%zz@127.0.0.1:9",
    "http://SECRET%@127.0.0.1:9",
    "socks5://user:SECRET@127.0.0.1:9",
    "http://",
    "http://user:SECRET@127.0.0.1:99999",
  ])("%s: told by the variable's name, and no part of the value", (value) => {
    const masked: string[] = [];
    const reading = () => readProxies({ HTTPS_PROXY: value }, (secret) => masked.push(secret));
    expect(reading).toThrow(InputError);
    expect(reading).toThrow(/^HTTPS_PROXY of the environment is not the address of an HTTP proxy/);
    expect(reading).not.toThrow(/SECRET|127\.0\.0\.1/);
    if (/:[^/@]*SECRET.*@/.test(value)) expect(masked.join("\n")).toContain("SECRET");
  });

  it("two mistakes are one sentence", () => {
    expect(() => read({ http_proxy: "http://%@x", HTTPS_PROXY: "ftp://x" })).toThrow(
      /^http_proxy and HTTPS_PROXY of the environment are not /,
    );
  });

  it.each(["http://t%23ken@proxy.example.com:3128", "t%23ken:@proxy.example.com:3128"])(
    "a user name without a password is masked as one: %s",
    (value) => {
      expect(new Set(read({ HTTPS_PROXY: value }).masked)).toEqual(
        new Set(["t%23ken", "t#ken", btoa("t#ken:")]),
      );
    },
  );

  it.each(["http://ann:secret\nword@proxy.example.com:3128", "//ann:secretword@proxy.example.com:3128"])(
    "a password is masked as a client reads it: %j",
    (value) => {
      const { masked } = read({ HTTPS_PROXY: value });
      expect(masked).toEqual(expect.arrayContaining(["secretword", btoa("ann:secretword")]));
    },
  );

  it("a password is masked as it is written, as it is meant, and as it travels", () => {
    const { masked } = read({ HTTPS_PROXY: "http://ann:s%23cret%2Fword@proxy.example.com:3128" });
    expect([...new Set(masked)]).toEqual(["s%23cret%2Fword", "s#cret/word", btoa("ann:s#cret/word")]);
  });
});
