import { defineConfig } from "vitest/config";

/**
 * What takes longer than a person waits before a commit: whole runs of many kinds, the matrix of faults, hostile servers,
 * workflows in the runners of others, and real registries. `npm test` leaves these out; `npm run test:all` has them too.
 */
const thorough = [
  "__tests__/faults/**/*.test.ts",
  "__tests__/hostile/**/*.test.ts",
  "__tests__/ecosystem/**/*.test.ts",
  "__tests__/plan/oracle-thorough.test.ts",
  "__tests__/copy/{download-ranges,failing-copies-thorough,prune-oracle-thorough,ranges}.test.ts",
  "__tests__/e2e/{act,bad-input,chaos,local-action,package,real-registries,soak}.test.ts",
  "__tests__/e2e/{check,examples,fan-out,fan-out-workflow,filled-by-sync,in-place,local,outputs,overwrite-skip,secrets,tcr-access,tcr-accounts,tcr-editions,tcr-keyless,verify}.test.ts",
];

export default defineConfig({
  test: {
    // A child process of the Action takes seconds on a busy two-core machine; a test that hangs must still end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // As many files at once as there are cores. One core fewer is the default, and many tests wait: for pauses before another
    // try, for processes. On two busy cores, four files of whole runs took 216 s in place of 400 s one after the other.
    maxWorkers: "100%",
    // Proxy variables of the machine would send loopback requests elsewhere.
    env: { HTTP_PROXY: "", HTTPS_PROXY: "", http_proxy: "", https_proxy: "" },
    projects: [
      {
        extends: true,
        test: { name: "quick", include: ["__tests__/**/*.test.ts"], exclude: thorough },
      },
      { extends: true, test: { name: "thorough", include: thorough } },
    ],
  },
});
