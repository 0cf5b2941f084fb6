// The folder of prompts, loaded when one is wanted.

import { part } from "../../core/api/errors.js";
import type { OpenPageFiles } from "../../core/kv/disk/open.js";

export const pageFiles: OpenPageFiles = async (folder) => (await part(import("./page_files.js"))).pageFiles(folder);
