// Where a model is cut. Pure: sizes in, layers out.

/** What a tensor of the file is needed for. */
export type Owner = "all" | "edge" | number;

/** The part of a tensor by its name: a layer's number, or what all or only the edge have. */
export function ownerOf(name: string): Owner {
  const layer = /^blk\.(\d+)\./.exec(name);
  if (layer) return Number(layer[1]);
  return name === "rope_freqs.weight" ? "all" : "edge";
}

/**
 * The ends of `shards` runs of neighbouring layers, of which the largest is as small as it can be.
 * @param costs of each layer, at least as many as shards
 */
export function cutLayers(costs: readonly number[], shards: number): number[] {
  const sums = [0];
  for (const cost of costs) sums.push(sums.at(-1)! + cost);
  // best[n][end]: the largest of n runs over the layers before `end`, and where the last of them begins.
  let best = sums.map((sum) => ({ largest: sum, ends: [] as number[] }));
  for (let n = 2; n <= shards; n++) {
    best = sums.map((sum, end) => {
      let least = { largest: Number.POSITIVE_INFINITY, ends: [] as number[] };
      for (let at = n - 1; at < end; at++) {
        const before = best[at]!;
        const largest = Math.max(before.largest, sum - sums[at]!);
        if (largest < least.largest) least = { largest, ends: [...before.ends, at] };
      }
      return least;
    });
  }
  return [...best.at(-1)!.ends, costs.length];
}
