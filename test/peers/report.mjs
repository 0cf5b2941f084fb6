// The benchmark's result in Markdown, and what it must show.

const MEGABYTE = 1e6;
const LAYERS = 32;
const LINEAR = 960 * 960 * 2 + 960 * 320 * 2 + 3 * 960 * 2560; // weights of a layer's matrices
const RSS_ALLOWANCE = 60e6;

const METRICS = ["prefill128", "prefill512", "decode128", "decode2048"];

/**
 * What the issue asks for, as ratios of best values within the run.
 * @returns {{name: string, value: number | undefined, wanted: string, holds: boolean | undefined}[]} undefined: not measured
 */
export function checks({ type, engines }) {
  const rate = (id, metric) => engines[id]?.tokensPerSecond[metric]?.best;
  const fastestToken = (id) => engines[id]?.tokensPerSecond.decode128?.fastestToken;
  const ratio = (a, b) => (a && b ? a / b : undefined);
  const fastest = (metric) => {
    const rates = ["wllama-2", "wllama-3"].map((id) => rate(id, metric)).filter(Boolean);
    return rates.length > 0 ? Math.max(...rates) : undefined;
  };
  const decodeWanted = type === "q8_0" ? 0.9 : 1;
  const { node24 } = engines;
  const loads = node24?.load;
  const memory = node24?.info && node24.peakRssBytes - node24.info.weightBytes - node24.info.kvBytes;
  const speed = (id, metric, peer) => ratio(rate(id, metric), rate(peer, metric));

  const list = [
    atLeast("decode, 1 thread, / native", speed("node24", "decode128", "native"), decodeWanted),
    atLeast("the same, fastest tokens", ratio(fastestToken("node24"), fastestToken("native")), decodeWanted),
    atLeast("decode, 2 threads, / native", speed("node24-mt", "decode128", "native-mt"), 0.9),
    atLeast("the same, fastest tokens", ratio(fastestToken("node24-mt"), fastestToken("native-mt")), 0.9),
    atLeast("prefill 128, 1 thread, / native", speed("node24", "prefill128", "native"), 0.6),
    atLeast("prefill 128, 2 threads, / native", speed("node24-mt", "prefill128", "native-mt")),
    atLeast("decode in Chromium / faster wllama", ratio(rate("chromium", "decode128"), fastest("decode128")), 4),
    atLeast("prefill 128 in Chromium / faster wllama", ratio(rate("chromium", "prefill128"), fastest("prefill128")), 5),
    atLeast("prefill 128 in Chromium / onnxruntime-web", speed("chromium", "prefill128", "onnx"), 2.5),
    atLeast("decode, Node 20, / native", speed("node20", "decode128", "native"), 0.5),
    atLeast("decode at 2,048 / at 128", ratio(rate("node24", "decode2048"), rate("node24", "decode128")), 0.8),
    atMost("load / native", ratio(loads?.bestMs, engines.native?.load?.bestMs), 0.6),
    atMost("first token / tenth after load", ratio(loads?.firstTokenMs, loads?.tenthTokenMs), 1.2),
    atMost("peak RSS - weights - KV cache, MB", memory && memory / MEGABYTE, RSS_ALLOWANCE / MEGABYTE),
  ];
  return list;
}

function atLeast(name, value, wanted) {
  if (wanted === undefined) return { name, value, wanted: "" };
  return { name, value, wanted: `>= ${wanted}`, holds: value && value >= wanted };
}

function atMost(name, value, wanted) {
  return { name, value, wanted: `<= ${wanted}`, holds: value && value <= wanted };
}

/** The whole result as Markdown. */
export function table(result) {
  const { type, repetitions, machine, roofline, engines } = result;
  const all = Object.values(engines);
  const hashes = [...new Set(all.flatMap(({ hashes }) => hashes))];
  return `${[
    `Full-size model, ${type}, best (median) of ${repetitions} repetitions; ${machine.processor?.trim()}, ${machine.threads} hardware threads, ${machine.flags.join(" ")}.`,
    `Other processes kept ${result.others.toFixed(2)} processors busy in the median measurement${result.others > 0.1 ? ": NOT A QUIET MACHINE" : ""}.`,
    "",
    "Decode: best run of 64 tokens (median run), and the rate of the fastest single token.",
    "",
    "| engine | threads | prefill 128, tok/s | prefill 512 | decode at 128 | decode at 2,048 | load, ms | token 1 / 10, ms | peak RSS, MB | ships, MB |",
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ...all.map(engineRow),
    "",
    ...kernelLines(all),
    ...notes(all),
    "| must show (Node 24 unless said) | measured | wanted | |",
    "| --- | --: | --: | --- |",
    ...result.checks.map(checkRow),
    "",
    "| roofline | 1 thread | 2 threads |",
    "| --- | --: | --: |",
    ...rooflineRows(roofline, engines),
    "",
    hashes.length === 1
      ? `Logits: SHA-256 ${hashes[0]} in all ${all.filter(({ hashes }) => hashes.length > 0).length} rows of ours.`
      : `Logits DIFFER: ${all.map(({ id, hashes }) => `${id} ${hashes.join(" ")}`).join(", ")}`,
  ].join("\n")}\n`;
}

function engineRow({ label, build, threads, tokensPerSecond, load, peakRssBytes, shippedBytes }) {
  const rates = METRICS.map((metric) => {
    const { best, median, fastestToken } = tokensPerSecond[metric] ?? {};
    if (!best) return "-";
    return `${round(best)} (${round(median)})${fastestToken ? ` ${round(fastestToken)}` : ""}`;
  });
  return row([
    build ? `${label}, ${build}` : label,
    threads,
    ...rates,
    load ? `${round(load.bestMs)} (${round(load.medianMs)})` : "-",
    load?.firstTokenMs ? `${round(load.firstTokenMs)} / ${round(load.tenthTokenMs)}` : "-",
    peakRssBytes ? round(peakRssBytes / MEGABYTE) : "-",
    (shippedBytes / MEGABYTE).toFixed(2),
  ]);
}

/** Bits of KERNEL_* in assembly/layout/abi.ts. */
const KERNELS = {
  1: "four streams for one token",
  2: "four streams for a few",
  4: "the dot that adds",
  8: "int8 by unsigned bytes",
  16: "int8 by signed bytes",
  32: "one thread alone",
};

/** What the clock has chosen. */
function kernelLines(all) {
  const ours = all.filter(({ info }) => info?.kernels !== undefined);
  const named = ({ info }) =>
    Object.entries(KERNELS).flatMap(([bit, name]) => (info.kernels & Number(bit) ? name : []));
  const lines = ours.map((one) => `- ${one.label}, ${one.build}: ${named(one).join(", ") || "one stream"}`);
  return lines.length > 0 ? ["Kernels that were chosen:", "", ...lines, ""] : [];
}

function notes(all) {
  const lines = all.flatMap(({ label, threads, notes }) =>
    notes.map((note) => `- ${label}, ${threads} thread${threads > 1 ? "s" : ""}: ${note}`),
  );
  return lines.length > 0 ? [...lines, ""] : [];
}

function checkRow({ name, value, wanted, holds }) {
  return row([name, value === undefined ? "not measured" : value.toFixed(2), wanted, verdict(holds)]);
}

function verdict(holds) {
  if (holds === undefined) return "";
  return holds ? "holds" : "MISSES";
}

/** Decode reads every packed weight and the cache once a token; prefill multiplies every weight of the layers once a token. */
function rooflineRows(roofline, engines) {
  const giga = (rate) => (rate / 1e9).toFixed(1);
  const both = (name, cell) => row([name, ...[1, 2].map((threads) => cell(threads, roofline[threads]))]);
  const share = (used, limit) => (used ? `${giga(used)} (${Math.round((100 * used) / limit)} %)` : "-");
  const id = (name, threads) => engines[threads > 1 ? `${name}-mt` : name];
  const decoded = (name, metric, position) => (threads, limit) => {
    const engine = id(name, threads);
    const rate = engine?.tokensPerSecond[metric]?.best;
    return share(rate && rate * bytesPerToken(engine.info, position), limit.bytes);
  };
  const prefilled = (name, unit) => (threads, limit) => {
    const rate = id(name, threads)?.tokensPerSecond.prefill512?.best;
    return share(rate && rate * LAYERS * LINEAR, limit[unit]);
  };
  return [
    both("read bandwidth, GB/s", (_, limit) => giga(limit.bytes)),
    both("i16x8.relaxed_dot + add, GMAC/s", (_, limit) => giga(limit.relaxedDots)),
    both("i32x4.dot_i16x8 + add, GMAC/s", (_, limit) => giga(limit.dots)),
    both("decode at 128, Node 24, GB/s (share)", decoded("node24", "decode128", 160)),
    both("decode at 2,048, Node 24, GB/s (share)", decoded("node24", "decode2048", 2080)),
    both("prefill 512, Node 24 (relaxed), GMAC/s (share)", prefilled("node24", "relaxedDots")),
    both("prefill 512, Node 20 (simd), GMAC/s (share)", prefilled("node20", "dots")),
  ];
}

function bytesPerToken({ weightBytes, kvBytes, context }, position) {
  return weightBytes + (kvBytes / context) * position;
}

function round(value) {
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function row(cells) {
  return `| ${cells.join(" | ")} |`;
}
