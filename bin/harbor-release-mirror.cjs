#!/usr/bin/env node
// What the package starts: in words that Node.js of any age understands, so that one that is too old can say so.
"use strict";

var oldest = [22, 19];
var running = process.versions.node.split(".").map(Number);

if (running[0] > oldest[0] || (running[0] === oldest[0] && running[1] >= oldest[1])) {
  import("../build/terminal/index.js");
} else {
  process.stderr.write(
    "harbor-release-mirror needs Node.js " +
      oldest.join(".") +
      " or newer, and this is " +
      process.version +
      ": install a newer one from https://nodejs.org.\n",
  );
  process.exitCode = 2;
}
