// loadShard() and loadSharded() in a Worker.

import { createSharding } from "../../core/shard/index.js";
import { platform } from "../platform.js";
import { type Source, sha256 } from "../source.js";

export const { loadShard, loadSharded } = createSharding<Source>({ ...platform, sha256 });
