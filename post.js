// The post step: the same program, which then only takes away what the main step left behind. In a file of its own, because
// a main step that was killed at once has saved no state to tell the two apart by.
process.env.HARBOR_RELEASE_MIRROR_STEP = "post";
await import("./dist/index.js");
