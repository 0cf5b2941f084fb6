// Numbers for Prometheus, in its text format (https://prometheus.io/docs/instrumenting/exposition_formats/). What vLLM or llama-server
// have too is called as it is there, behind our own prefix.

import type { ModelStats } from "../../api/api.js";
import type { Figures, TokenCounts } from "../http/figures.js";
import type { Served } from "./served.js";

/** Upper bounds of the buckets. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const SHORT_SECONDS = [0.001, 0.005, 0.01, 0.025, ...SECONDS];
const TOKENS_PER_SECOND = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

type Labels = Readonly<Record<string, string | number | undefined>>;
type Sample = readonly [labels: string, value: number];

/** A distribution for each set of labels. */
class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { buckets: number[]; sum: number; count: number }>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = write(labels);
    const series = this.#series.get(key) ?? { buckets: this.#bounds.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, series);
    series.sum += value;
    series.count++;
    this.#bounds.forEach((bound, i) => {
      if (value <= bound) series.buckets[i]!++;
    });
  }

  text(): string {
    const name = this.#name;
    const samples = [...this.#series].flatMap(([labels, { buckets, sum, count }]) => [
      ...this.#bounds.map((bound, i) => `${name}_bucket${extend(labels, bound)} ${buckets[i]}`),
      `${name}_bucket${extend(labels, "+Inf")} ${count}`,
      `${name}_sum${labels} ${sum}`,
      `${name}_count${labels} ${count}`,
    ]);
    return lines(name, "histogram", this.#help, samples);
  }
}

export class Metrics {
  /** By labels. */
  readonly #requests = new Map<string, number>();
  readonly #modelRequests = new Map<string, number>();
  readonly #tokens = new Map<string, TokenCounts>();
  readonly #durations = new Histogram("zagreus_request_seconds", "From a request to the end of its answer.", SECONDS);
  readonly #queue = new Histogram(
    "zagreus_request_queue_time_seconds",
    "From a request to the moment when its prompt was begun.",
    SHORT_SECONDS,
  );
  readonly #firstToken = new Histogram(
    "zagreus_time_to_first_token_seconds",
    "From a request to its first token.",
    SHORT_SECONDS,
  );
  readonly #prefill = new Histogram(
    "zagreus_prompt_tokens_seconds",
    "Tokens of prompts that were run, per second, by request.",
    TOKENS_PER_SECOND,
  );
  readonly #decode = new Histogram(
    "zagreus_predicted_tokens_seconds",
    "Tokens generated after the first, per second, by request.",
    TOKENS_PER_SECOND,
  );

  request(route: string, status: number, seconds: number, figures: Figures): void {
    const { model, queueMs, firstTokenMs, prefillRate, decodeRate } = figures;
    count(this.#requests, { route, status });
    if (model !== undefined) count(this.#modelRequests, { model, status });
    this.#durations.observe({ route }, seconds);
    if (queueMs !== undefined) this.#queue.observe({ model }, queueMs / 1000);
    if (firstTokenMs !== undefined) this.#firstToken.observe({ model }, firstTokenMs / 1000);
    if (prefillRate !== undefined) this.#prefill.observe({ model }, prefillRate);
    if (decodeRate !== undefined) this.#decode.observe({ model }, decodeRate);
  }

  tokens(model: string, { promptTokens, reusedTokens, completionTokens }: TokenCounts): void {
    const labels = write({ model });
    const sum = this.#tokens.get(labels) ?? { promptTokens: 0, reusedTokens: 0, completionTokens: 0 };
    this.#tokens.set(labels, {
      promptTokens: sum.promptTokens + promptTokens,
      reusedTokens: sum.reusedTokens + reusedTokens,
      completionTokens: sum.completionTokens + completionTokens,
    });
  }

  /** @param open requests that have no answer yet */
  text(models: ReadonlyMap<Served, ModelStats | undefined>, open: number): string {
    const served = [...models.keys()];
    const each = (value: (served: Served) => number): Sample[] =>
      served.map((one) => [write({ model: one.name }), value(one)]);
    const tokens = (which: keyof TokenCounts): Sample[] => [...this.#tokens].map(([key, sum]) => [key, sum[which]]);
    return [
      counter("zagreus_requests_total", "Requests that were answered.", [...this.#requests]),
      counter("zagreus_model_requests_total", "Of these, requests for a model.", [...this.#modelRequests]),
      gauge("zagreus_requests_open", "Requests without an answer yet.", [["", open]]),
      gauge(
        "zagreus_queue_waiting",
        "Requests that wait.",
        each(({ admission }) => admission.waiting),
      ),
      gauge(
        "zagreus_queue_prompt_tokens",
        "Tokens of prompts that wait, as far as they had to be counted.",
        each(({ backlog }) => backlog.tokens),
      ),
      gauge(
        "zagreus_requests_running",
        "Requests that the model is at work on.",
        each(({ admission }) => admission.running),
      ),
      gauge(
        "zagreus_model_loaded",
        "Whether the model is in memory.",
        each(({ status }) => Number(status === "loaded")),
      ),
      counter(
        "zagreus_model_loads_total",
        "How often the model was loaded because it was wanted.",
        each(({ slot }) => slot?.loads ?? 0),
      ),
      ...ofModels(models),
      counter("zagreus_prompt_tokens_total", "Tokens of prompts.", tokens("promptTokens")),
      counter("zagreus_reused_tokens_total", "Of these, tokens that were in the cache.", tokens("reusedTokens")),
      counter("zagreus_completion_tokens_total", "Tokens generated.", tokens("completionTokens")),
      ...[this.#durations, this.#queue, this.#firstToken, this.#prefill, this.#decode].map((each) => each.text()),
    ].join("");
  }
}

/** What models say of themselves. */
function ofModels(models: ReadonlyMap<Served, ModelStats | undefined>): string[] {
  const told = (value: (stats: ModelStats) => number, labels: Labels = {}): Sample[] =>
    [...models].flatMap(([{ name: model }, stats]) => (stats ? [[write({ model, ...labels }), value(stats)]] : []));
  return [
    counter(
      "zagreus_restored_tokens_total",
      "Tokens of prompts that came from the disk.",
      told(({ promptCache }) => promptCache?.restoredTokens ?? 0),
    ),
    gauge(
      "zagreus_prompt_cache_bytes",
      "Bytes of prompts on the disk.",
      told(({ promptCache }) => promptCache?.bytes ?? 0),
    ),
    gauge("zagreus_kv_cache_positions", "Positions of the KV cache: read by requests, kept of others, free.", [
      ...told(({ cache }) => cache.used, { state: "used" }),
      ...told(({ cache }) => cache.kept, { state: "kept" }),
      ...told(({ cache }) => cache.free, { state: "free" }),
    ]),
    counter(
      "zagreus_passes_total",
      "Passes over the weights.",
      told(({ passes }) => passes),
    ),
    counter(
      "zagreus_preemptions_total",
      "How often a request had to give up its part of the KV cache.",
      told(({ preemptions }) => preemptions),
    ),
    counter(
      "zagreus_recomputed_tokens_total",
      "Tokens that were run again for that.",
      told(({ recomputedTokens }) => recomputedTokens),
    ),
  ];
}

function count(counts: Map<string, number>, labels: Labels): void {
  const key = write(labels);
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const samples = (name: string, all: readonly Sample[]) => all.map(([labels, value]) => `${name}${labels} ${value}`);
const counter = (name: string, help: string, all: readonly Sample[]) =>
  lines(name, "counter", help, samples(name, all));
const gauge = (name: string, help: string, all: readonly Sample[]) => lines(name, "gauge", help, samples(name, all));

function lines(name: string, type: string, help: string, all: readonly string[]): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...all, ""].join("\n");
}

/** Labels that have a value. */
function write(labels: Labels): string {
  const quote = (value: string | number | undefined) =>
    String(value).replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
  const given = Object.entries(labels).filter(([, value]) => value !== undefined);
  return `{${given.map(([name, value]) => `${name}="${quote(value)}"`).join(",")}}`;
}

function extend(labels: string, bound: number | string): string {
  return `${labels.slice(0, -1)}${labels === "{}" ? "" : ","}le="${bound}"}`;
}
