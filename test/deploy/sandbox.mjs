// A Dockerfile without Docker: its RUN lines and its command in bubblewrap, with the paths that they name, on this machine's
// Debian and Node instead of the image's.

import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The stages of a Dockerfile by name: { from, instructions: [{ keyword, text }] }. */
export function stagesOf(dockerfile) {
  const lines = readFileSync(dockerfile, "utf8")
    .replace(/^#.*\n/gm, "")
    .replaceAll("\\\n", "")
    .split("\n");
  const stages = new Map();
  let stage;
  for (const line of lines.filter((text) => text.trim() !== "")) {
    const [, keyword, text] = /^([A-Z]+)\s+(.*)$/.exec(line);
    const from = /^(?:--platform=\S+ )?(\S+) AS (\S+)$/.exec(keyword === "FROM" ? text : "");
    if (from) {
      stage = { from: from[1], instructions: [] };
      stages.set(from[2], stage);
    } else stage.instructions.push({ keyword, text });
  }
  return stages;
}

/** The instructions of a stage and of those it comes from. */
export function instructionsOf(stages, name) {
  const stage = stages.get(name);
  return stage ? [...instructionsOf(stages, stage.from), ...stage.instructions] : [];
}

export class Sandbox {
  #root = mkdtempSync(join(tmpdir(), "zagreus-image-"));
  environment = {};
  directory = "/";
  volumes = ["/tmp"];

  constructor() {
    if (process.getuid() !== 0) throw new Error("run as root: the command runs as another user");
    chmodSync(this.#root, 0o755);
    for (const name of ["bin", "lib", "lib64", "sbin"]) symlinkSync(`usr/${name}`, join(this.#root, name));
    for (const name of ["dev", "etc", "proc", "tmp", "usr", "opt", "var"]) mkdirSync(join(this.#root, name));
  }

  /** Follows an instruction. @param context the folder that COPY copies from @param stages sandboxes of other stages */
  async follow({ keyword, text }, context, stages) {
    if (keyword === "RUN") await this.#build(text);
    else if (keyword === "COPY") this.#copy(text, context, stages);
    else if (keyword === "ENV") Object.assign(this.environment, this.#assignments(text));
    else if (keyword === "WORKDIR") this.directory = text;
    else if (keyword === "VOLUME") this.volumes.push(...JSON.parse(text));
  }

  /** Runs a line with the network of this machine, and what its variables say of it. */
  async #build(line) {
    await this.#bubblewrap(["--bind", this.#root, "/"], ["sh", "-ec", line], {
      ...process.env,
      HOME: "/tmp",
    });
  }

  #copy(text, context, stages) {
    const [, stage, source, target] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(text);
    if (stage)
      return cpSync(join(stages.get(stage).#root, source), join(this.#root, target), {
        recursive: true,
        verbatimSymlinks: true,
      });
    for (const path of matching(context, source)) {
      cpSync(path, join(this.#root, target.endsWith("/") ? join(target, basename(path)) : target));
    }
  }

  #assignments(text) {
    const value = (written) => written.replaceAll(/\$(\w+)/g, (_, name) => this.environment[name] ?? process.env[name]);
    return Object.fromEntries([...text.matchAll(/(\w+)=(\S+)/g)].map(([, name, written]) => [name, value(written)]));
  }

  /**
   * Runs a shell's script as the image would run its command: as another user, with a network of its own, and nothing that can be
   * written but its volumes. `folders` are made for it beside them.
   */
  async run(script, user, environment = {}, folders = []) {
    const owned = (path) => join(this.#root, path);
    for (const path of folders) mkdirSync(owned(path), { recursive: true });
    if (folders.length > 0) await run("chown", ["-R", user, ...folders.map(owned)]);
    const volumes = [...this.volumes.slice(1), ...folders].flatMap((path) => ["--bind", owned(path), path]);
    const caps = ["SETUID", "SETGID", "SETPCAP"].flatMap((name) => ["--cap-add", `CAP_${name}`]);
    const [uid, gid] = user.split(":");
    const become = [
      "setpriv",
      "--reuid",
      uid,
      "--regid",
      gid,
      "--clear-groups",
      "--no-new-privs",
      "--bounding-set=-all",
      "--inh-caps=-all",
    ];
    const options = [
      "--ro-bind",
      this.#root,
      "/",
      "--perms",
      "1777",
      "--tmpfs",
      "/tmp",
      ...volumes,
      "--unshare-net",
      "--unshare-pid",
      ...caps,
    ];
    return this.#bubblewrap(options, [...become, "sh", "-ec", script], environment);
  }

  #bubblewrap(options, command, environment = {}) {
    const variables = { PATH: process.env.PATH, HOME: "/tmp", ...this.environment, ...environment };
    const set = Object.entries(variables).flatMap(([name, value]) => ["--setenv", name, value]);
    const outside = ["/usr", "/etc"].flatMap((path) => ["--ro-bind", path, path]);
    const args = [
      ...options,
      ...outside,
      "--dev",
      "/dev",
      "--proc",
      "/proc",
      "--die-with-parent",
      "--chdir",
      this.directory,
      "--clearenv",
      ...set,
    ];
    return run("bwrap", [...args, ...command], { maxBuffer: 64 << 20 });
  }

  remove() {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Files of a folder that a pattern with stars in its last part means. */
function matching(folder, pattern) {
  const directory = join(folder, pattern, "..");
  const name = new RegExp(`^${basename(pattern).replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
  const found = readdirSync(directory).filter((each) => name.test(each));
  if (found.length === 0) throw new Error(`COPY ${pattern}: no such file`);
  return found.map((each) => join(directory, each));
}
