// The files of boards that host/raspberry-pi/board.ts reads, as Raspberry Pi OS has them.

export type Files = Readonly<Record<string, string>>;

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;

/** Files of /proc; memory in KiB. */
function proc(model: string, totalKib: number, availableKib: number): Files {
  return {
    "/proc/device-tree/model": `${model}\0`,
    "/proc/meminfo": `MemTotal:       ${totalKib} kB\nMemFree:          912340 kB\nMemAvailable:   ${availableKib} kB\n`,
    "/proc/self/status": "Name:\tnode\nUmask:\t0022\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\nMems_allowed:\t1\n",
    "/proc/self/cgroup": "0::/system.slice/zagreus-iot.service\n",
  };
}

export const PI_5: Files = proc("Raspberry Pi 5 Model B Rev 1.0", 8245184, 7340032);
export const PI_4: Files = proc("Raspberry Pi 4 Model B Rev 1.5", 3885396, 3481600);
export const ZERO_2_W: Files = {
  ...proc("Raspberry Pi Zero 2 W Rev 1.0", 437252, 327680),
  // Raspberry Pi OS of 2021: version 1, and the firmware turns the memory controller off.
  "/proc/self/cgroup": "9:cpu,cpuacct:/\n8:freezer:/\n1:name=systemd:/system.slice/zagreus-iot.service\n0::/\n",
};

const SERVICE = "/sys/fs/cgroup/system.slice/zagreus-iot.service";
const SLICE = "/sys/fs/cgroup/system.slice";

/** systemd: MemoryHigh=1G, MemoryMax=1.5G, CPUQuota=250%. 300 MiB in use, 100 of them a file that was read. */
export const PI_5_SERVICE: Files = {
  ...PI_5,
  [`${SERVICE}/memory.max`]: `${1.5 * GIB}\n`,
  [`${SERVICE}/memory.high`]: `${GIB}\n`,
  [`${SERVICE}/memory.current`]: `${300 * MIB}\n`,
  [`${SERVICE}/memory.stat`]: `anon ${200 * MIB}\nfile ${100 * MIB}\ninactive_file ${100 * MIB}\n`,
  [`${SERVICE}/cpu.max`]: "250000 100000\n",
  [`${SLICE}/memory.max`]: "max\n",
  [`${SLICE}/memory.high`]: "max\n",
  [`${SLICE}/memory.current`]: `${700 * MIB}\n`,
  [`${SLICE}/cpu.max`]: "max 100000\n",
};

/** The limit is that of the slice above. */
export const PI_5_SLICE: Files = {
  ...PI_5_SERVICE,
  [`${SLICE}/memory.max`]: `${900 * MIB}\n`,
  [`${SLICE}/cpu.max`]: "50000 100000\n",
};

/** A container with version 1: its group's path is the host's, its own folder is the root. */
export const PI_4_CONTAINER: Files = {
  ...PI_4,
  "/proc/self/status": "Cpus_allowed_list:\t1,3\n",
  "/proc/self/cgroup": "4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n2:cpuset:/docker/0123\n",
  "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${512 * MIB}\n`,
  "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${100 * MIB}\n`,
  "/sys/fs/cgroup/memory/memory.stat": `cache 4096\ntotal_inactive_file ${60 * MIB}\n`,
  "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
  "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
};

/** Version 1 and 2 at once, no limit anywhere. */
export const PI_4_HYBRID: Files = {
  ...PI_4,
  "/proc/self/cgroup": "4:memory:/user.slice\n3:cpu,cpuacct:/\n0::/user.slice\n",
  "/sys/fs/cgroup/unified/cgroup.controllers": "\n",
  "/sys/fs/cgroup/memory/user.slice/memory.limit_in_bytes": "9223372036854771712\n",
  "/sys/fs/cgroup/memory/user.slice/memory.usage_in_bytes": "4096\n",
};
