import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["__tests__/**/*.test.ts"],
    // A child process of the Action takes seconds on a busy two-core machine; a test that hangs must still end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Proxy variables of the machine would send loopback requests elsewhere.
    env: { HTTP_PROXY: "", HTTPS_PROXY: "", http_proxy: "", https_proxy: "" },
  },
});
