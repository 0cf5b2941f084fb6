// Adapters in the core, through its ABI.

import { IO_BYTES } from "../../../assembly/layout/abi";
import { FACTOR_A, FACTOR_B, MAX_ADAPTERS } from "../../../assembly/layout/adapters";
import { OK } from "../../../assembly/layout/status";
import { type Adapter, SITES } from "../../../host/core/adapters/adapter";
import { type Core, statusName } from "../core";

/** Loads an adapter into a slot. */
export function openAdapter(core: Core, slot: number, { factors }: Pick<Adapter, "factors">): void {
  const { exports: e } = core;
  const check = (code: number) => {
    if (code !== OK) throw new Error(`${statusName(code)} ${JSON.stringify(core.failure())}`);
  };
  check(e.openAdapter(slot));
  for (const { layer, site, rank, scale, a, b } of factors) {
    const index = SITES.indexOf(site);
    check(e.adapterSite(slot, layer, index, rank, scale));
    const send = (factor: number, values: Float32Array, width: number) => {
      const most = Math.floor(IO_BYTES / 4 / width) * width;
      for (let at = 0; at < values.length; at += most) {
        const some = values.subarray(at, at + most);
        core.floats(e.buffer(), some.length).set(some);
        check(e.adapterRows(slot, layer, index, factor, at / width, some.length / width));
      }
    };
    send(FACTOR_A, a, a.length / rank);
    send(FACTOR_B, b, rank);
  }
}

/** What runs next has these adapters: scales by slot. */
export function useAdapters(core: Core, scales: Readonly<Record<number, number>> = {}): void {
  const all = core.floats(core.exports.adapterScales(0), MAX_ADAPTERS).fill(0);
  for (const [slot, scale] of Object.entries(scales)) all[Number(slot)] = scale;
}
