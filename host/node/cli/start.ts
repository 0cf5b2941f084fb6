// Bundled to dist/cli.js: the `zagreus` command, in words that any Node understands, so that an old one can say what is wrong.

import { oldNode } from "../files/old_node.js";

const sentence = oldNode();
if (sentence) {
  process.stderr.write(`zagreus: ${sentence}\n`);
  process.exitCode = 1;
} else {
  import("./main.js");
}
