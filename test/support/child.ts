import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Runs a program that must succeed; resolves with { stdout, stderr }, and leaves the event loop free meanwhile. */
export const run = promisify(execFile);
