// Numbers for Prometheus, in its text format (https://prometheus.io/docs/instrumenting/exposition_formats/).

import type { Usage } from "../../api/api.js";
import type { Served } from "./served.js";

/** Upper bounds of the histogram of durations, in seconds. */
const BUCKET_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

type Labels = Readonly<Record<string, string | number>>;
type TokenCounts = Pick<Usage, "promptTokens" | "reusedTokens" | "completionTokens">;

interface Durations {
  buckets: number[];
  sum: number;
  count: number;
}

export class Metrics {
  /** By labels. */
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Durations>();
  readonly #tokens = new Map<string, TokenCounts>();

  request(route: string, status: number, seconds: number): void {
    const labels = write({ route, status });
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
    const key = write({ route });
    const durations = this.#durations.get(key) ?? { buckets: BUCKET_BOUNDS.map(() => 0), sum: 0, count: 0 };
    this.#durations.set(key, durations);
    durations.sum += seconds;
    durations.count++;
    BUCKET_BOUNDS.forEach((bound, i) => {
      if (seconds <= bound) durations.buckets[i]!++;
    });
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
  text(models: Iterable<Served>, open: number): string {
    const served = [...models].map(({ name, admission }) => ({ labels: write({ model: name }), admission }));
    const tokens = (which: keyof TokenCounts): [string, number][] =>
      [...this.#tokens].map(([key, sum]) => [key, sum[which]]);
    return [
      family("zagreus_requests_total", "counter", "Requests that were answered.", [...this.#requests]),
      family("zagreus_requests_open", "gauge", "Requests without an answer yet.", [["", open]]),
      family(
        "zagreus_queue_waiting",
        "gauge",
        "Requests that wait.",
        served.map(({ labels, admission }) => [labels, admission.waiting]),
      ),
      family(
        "zagreus_model_busy",
        "gauge",
        "Whether the model is at work.",
        served.map(({ labels, admission }) => [labels, Number(admission.busy)]),
      ),
      family("zagreus_prompt_tokens_total", "counter", "Tokens of prompts.", tokens("promptTokens")),
      family(
        "zagreus_reused_tokens_total",
        "counter",
        "Of these, tokens that were in the cache.",
        tokens("reusedTokens"),
      ),
      family("zagreus_completion_tokens_total", "counter", "Tokens generated.", tokens("completionTokens")),
      this.#histogram("zagreus_request_seconds", "From a request to the end of its answer."),
    ].join("");
  }

  #histogram(name: string, help: string): string {
    const samples = [...this.#durations].flatMap(([labels, { buckets, sum, count }]) => [
      ...BUCKET_BOUNDS.map((bound, i) => `${name}_bucket${extend(labels, bound)} ${buckets[i]}`),
      `${name}_bucket${extend(labels, "+Inf")} ${count}`,
      `${name}_sum${labels} ${sum}`,
      `${name}_count${labels} ${count}`,
    ]);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...samples, ""].join("\n");
  }
}

function family(name: string, type: string, help: string, samples: readonly [labels: string, value: number][]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

function write(labels: Labels): string {
  const quote = (value: string | number) =>
    String(value).replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${quote(value)}"`)
    .join(",")}}`;
}

function extend(labels: string, bound: number | string): string {
  return `${labels.slice(0, -1)},le="${bound}"}`;
}
