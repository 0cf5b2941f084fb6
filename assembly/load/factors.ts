// Rows of an adapter's factors into their place.

import { packLowRank } from "../kernels/low_rank";
import { FACTOR_A } from "../layout/adapters";
import { GROUP, TYPE_F32 } from "../layout/blocks";
import { matrixOf, Site } from "../model/adapters";
import { packFloats } from "./tiles";

/** Packs f32[columns] as a row of a factor, FACTOR_*; false when a scale is too large. */
export function packFactor(site: Site, factor: i32, row: i32, source: usize): bool {
  if (factor != FACTOR_A) return packLowRank(site.up, row, site.rank, source);
  const a = matrixOf(site);
  return packFloats(a, row, 0, TYPE_F32, source, a.columns / GROUP);
}
