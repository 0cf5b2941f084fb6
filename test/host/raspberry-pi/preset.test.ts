// The Raspberry Pi preset on the files of boards.

import { expect, test } from "vitest";
import { board, bundledModel, load, preset, ZagreusError } from "zagreus-edge/raspberry-pi";
import { type Board, readBoard } from "../../../host/raspberry-pi/board";
import {
  type Files,
  GIB,
  MIB,
  PI_4,
  PI_4_CONTAINER,
  PI_4_HYBRID,
  PI_5,
  PI_5_SERVICE,
  PI_5_SLICE,
  ZERO_2_W,
} from "./boards";

const boardOf = (files: Files) => readBoard((path) => files[path]);
const NOWHERE: Board = boardOf({});

test("boards without limits", () => {
  expect(boardOf(PI_5)).toEqual({
    model: "Raspberry Pi 5 Model B Rev 1.0",
    cores: 4,
    cpuQuota: undefined,
    totalMemory: 8245184 * 1024,
    availableMemory: 7 * GIB,
  });
  expect(boardOf(PI_4)).toMatchObject({ model: "Raspberry Pi 4 Model B Rev 1.5", availableMemory: 3400 * MIB });
  expect(boardOf(ZERO_2_W)).toMatchObject({
    model: "Raspberry Pi Zero 2 W Rev 1.0",
    cores: 4,
    cpuQuota: undefined,
    availableMemory: 320 * MIB,
  });
});

test("control groups, version 2: the tightest limit on the way up, files not counted", () => {
  expect(boardOf(PI_5_SERVICE)).toMatchObject({ cores: 4, cpuQuota: 2.5, availableMemory: (1024 - 200) * MIB });
  expect(boardOf(PI_5_SLICE)).toMatchObject({ cpuQuota: 0.5, availableMemory: 200 * MIB });
});

test("control groups, version 1: in a container, and beside version 2", () => {
  const container = boardOf(PI_4_CONTAINER);
  expect(container).toMatchObject({ cores: 2, cpuQuota: undefined, availableMemory: (512 - 40) * MIB });
  expect(boardOf(PI_4_HYBRID)).toMatchObject({ cpuQuota: undefined, availableMemory: 3400 * MIB });
});

test("what is missing or makes no sense is unknown", () => {
  const nothing = { model: undefined, cores: undefined, cpuQuota: undefined };
  expect(NOWHERE).toEqual({ ...nothing, totalMemory: undefined, availableMemory: undefined });
  const odd = { "/proc/self/status": "Cpus_allowed_list:\tall\n", "/proc/meminfo": "MemTotal: much\n" };
  expect(boardOf({ ...odd, "/proc/self/cgroup": "0::\n\nnot a line" })).toEqual(NOWHERE);
  const folder = "/sys/fs/cgroup";
  const group = { "/proc/self/cgroup": "0::/../..\n", [`${folder}/cpu.max`]: "100000 0\n" };
  expect(boardOf(group)).toEqual(NOWHERE);
  expect(boardOf({ ...group, [`${folder}/memory.max`]: "100", [`${folder}/memory.current`]: "300" })).toEqual({
    ...NOWHERE,
    availableMemory: 0,
  });
});

test("the preset fills in threads, build and budget", () => {
  expect(preset({}, boardOf(PI_5))).toMatchObject({
    threads: 4,
    memoryBudget: 7 * GIB - 48 * MIB,
    cacheBudget: 64 * MIB,
  });
  expect(preset({}, boardOf(PI_5)).build).toMatch(/^(simd|relaxed)-mt$/);
  expect(preset({}, boardOf(PI_5_SERVICE))).toMatchObject({ threads: 2, memoryBudget: 776 * MIB });
  const one = preset({}, boardOf(PI_5_SLICE));
  expect(one).toMatchObject({ threads: 1, memoryBudget: 152 * MIB, cacheBudget: 19 * MIB });
  expect(one.build).toMatch(/^(simd|relaxed)$/);
  expect(preset({}, { ...boardOf(PI_4), availableMemory: 0 }).memoryBudget).toBe(1);
  expect(preset({}, { ...boardOf(PI_4), cores: 64 }).threads).toBe(4);
  expect(preset({}, NOWHERE)).toMatchObject({ memoryBudget: undefined, cacheBudget: 64 * MIB });
  expect(preset({}, NOWHERE).threads).toBeGreaterThanOrEqual(1);
});

test("what the caller says stands", () => {
  const on = boardOf(PI_5);
  expect(preset({ threads: 2, memoryBudget: 5, cacheBudget: 0, contextLength: 64 }, on)).toMatchObject({
    threads: 2,
    memoryBudget: 5,
    cacheBudget: 0,
    contextLength: 64,
  });
  expect(preset({ build: "simd" }, on)).toMatchObject({ build: "simd", threads: 1 });
  expect(preset({ build: "simd-mt" }, on)).toMatchObject({ build: "simd-mt", threads: 4 });
  expect(() => preset({ threads: 0 }, on)).toThrow(ZagreusError);
});

test("here: the model runs within the budget, or is refused", async () => {
  expect(board().cores).toBeGreaterThanOrEqual(1);
  const model = await load(bundledModel);
  expect(model.info).toMatchObject({ build: preset().build, threads: preset().threads });
  expect(await model.complete("C'era", { maxTokens: 4, temperature: 0 }).text()).not.toBe("");
  model.close();
  const offloaded = await load(bundledModel, { offload: true });
  expect(offloaded.info).toMatchObject({ build: preset().build, threads: preset().threads });
  offloaded.close();
  const tight = preset({}, { ...boardOf(ZERO_2_W), availableMemory: 49 * MIB });
  await expect(load(bundledModel, tight)).rejects.toMatchObject({ code: "OVER_BUDGET", expected: MIB });
});
