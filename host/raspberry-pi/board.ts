// What a board has for this process: cores, memory, and what control groups leave of both. Only a file reader is handed
// in, so every board can be told from its files.

/** The text of a file; undefined where there is none, or where it may not be read. */
export type ReadText = (path: string) => string | undefined;

/** What a board has for this process. */
export interface Board {
  /** As the firmware names it: "Raspberry Pi 5 Model B Rev 1.0". */
  model: string | undefined;
  /** Processors that this process may run on. */
  cores: number | undefined;
  /** Processors' worth of time that its control groups grant; may be a fraction. */
  cpuQuota: number | undefined;
  /** Bytes of the whole machine. */
  totalMemory: number | undefined;
  /** Bytes that this process can still take before the machine or a control group runs out. */
  availableMemory: number | undefined;
}

const CGROUPS = "/sys/fs/cgroup";

/** Reads the board. Nothing of it is missing on Linux; elsewhere fields are undefined. */
export function readBoard(read: ReadText): Board {
  const memory = read("/proc/meminfo");
  const groups = controlGroups(read);
  return {
    model: read("/proc/device-tree/model")?.replace(/\0/g, "").trim() || undefined,
    cores: listLength(field(read("/proc/self/status"), "Cpus_allowed_list:")),
    cpuQuota: minimum(groups.map(({ cpus }) => cpus)),
    totalMemory: kibibytes(field(memory, "MemTotal:")),
    availableMemory: minimum([kibibytes(field(memory, "MemAvailable:")), ...groups.map(({ left }) => left)]),
  };
}

/** What one control group leaves. */
interface GroupLimits {
  cpus: number | undefined;
  /** Bytes. */
  left: number | undefined;
}

/** The groups of this process and all above them, each of which limits it; versions 1 and 2, and both at once. */
function controlGroups(read: ReadText): GroupLimits[] {
  const memberships = read("/proc/self/cgroup")?.split("\n") ?? [];
  return memberships.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    if (controllers === "") {
      const root = read(`${CGROUPS}/unified/cgroup.controllers`) === undefined ? CGROUPS : `${CGROUPS}/unified`;
      return upwards(root, path).map((folder) => version2(folder, read));
    }
    const names = controllers.split(",");
    return ["memory", "cpu"]
      .filter((name) => names.includes(name))
      .flatMap((name) => upwards(`${CGROUPS}/${name}`, path).map((folder) => version1(folder, read)));
  });
}

/** The folder of a group and of those above it. In a container only the last ones may exist. */
function upwards(root: string, path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return Array.from({ length: names.length + 1 }, (_, above) =>
    [root, ...names.slice(0, names.length - above)].join("/"),
  );
}

function version2(folder: string, read: ReadText): GroupLimits {
  const [quota, period] = read(`${folder}/cpu.max`)?.split(" ").map(number) ?? [];
  const limit = minimum([number(read(`${folder}/memory.max`)), number(read(`${folder}/memory.high`))]);
  const cached = number(field(read(`${folder}/memory.stat`), "inactive_file"));
  return { cpus: ratio(quota, period), left: remaining(limit, number(read(`${folder}/memory.current`)), cached) };
}

function version1(folder: string, read: ReadText): GroupLimits {
  const quota = number(read(`${folder}/cpu.cfs_quota_us`)); // -1: none
  const limit = number(read(`${folder}/memory.limit_in_bytes`)); // about 2^63: none
  const cached = number(field(read(`${folder}/memory.stat`), "total_inactive_file"));
  return {
    cpus: ratio(quota, number(read(`${folder}/cpu.cfs_period_us`))),
    left: remaining(limit, number(read(`${folder}/memory.usage_in_bytes`)), cached),
  };
}

/** Cached files count as used, and are given up when memory is wanted. */
function remaining(limit: number | undefined, used = 0, cached = 0): number | undefined {
  return limit === undefined ? undefined : Math.max(0, limit - Math.max(0, used - cached));
}

function ratio(quota: number | undefined, period: number | undefined): number | undefined {
  return quota !== undefined && quota > 0 && period !== undefined && period > 0 ? quota / period : undefined;
}

/** The rest of the line that starts with `name`. */
function field(text: string | undefined, name: string): string | undefined {
  const line = text?.split("\n").find((line) => line.startsWith(name));
  return line?.slice(name.length).trim();
}

/** "max", which means no limit, is no number. */
function number(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function kibibytes(text: string | undefined): number | undefined {
  const value = number(text?.replace(/ kB$/, ""));
  return value === undefined ? undefined : value * 1024;
}

/** Entries of a list such as "0-2,5". */
function listLength(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return undefined;
  const ranges = text.split(",").map((range) => range.split("-").map(Number));
  return ranges.reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

function minimum(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
