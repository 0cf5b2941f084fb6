// What a parser of Prometheus' text format reads at /metrics: at the start, after work, and with what clients invent.

import parse from "parse-prometheus-text-format";
import { expect, test } from "vitest";
import { PROMPT, useServer } from "./setup.mjs";

const fixture = useServer([]);

const metrics = async () => {
  const response = await fetch(`${fixture.server.url}/metrics`);
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  const families = parse(await response.text());
  return Object.fromEntries(families.map((family) => [family.name, family]));
};

const ask = (body) =>
  fetch(`${fixture.baseURL}/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).then((response) => response.text());

test("counters, gauges and histograms", async () => {
  const before = await metrics();
  for (const { type, help } of Object.values(before)) {
    expect(["COUNTER", "GAUGE", "HISTOGRAM"]).toContain(type);
    expect(help).not.toBe("");
  }
  for (let i = 0; i < 3; i++) await ask({ prompt: PROMPT, max_tokens: 5, logit_bias: { 8177: -100 } });
  await ask({ prompt: PROMPT, model: 'new "series"\n' });
  const after = await metrics();
  const again = await metrics(); // looking changes nothing

  const model = fixture.server.name;
  const value = (name, labels) =>
    after[name].metrics.find((each) => Object.entries(labels).every(([key, wanted]) => each.labels?.[key] === wanted));
  expect(value("zagreus_model_requests_total", { model, status: "200" }).value).toBe("3");
  expect(value("zagreus_completion_tokens_total", { model }).value).toBe("15");
  const byRoute = "zagreus_request_seconds";
  const histograms = Object.values(after).filter(({ type, name }) => type === "HISTOGRAM" && name !== byRoute);
  expect(histograms.map(({ name }) => name).sort()).toEqual([
    "zagreus_predicted_tokens_seconds",
    "zagreus_prompt_tokens_seconds",
    "zagreus_request_queue_time_seconds",
    "zagreus_time_to_first_token_seconds",
  ]);
  for (const { name, metrics } of histograms) {
    expect(metrics).toEqual(again[name].metrics);
    const [{ buckets }] = metrics;
    const bounds = Object.keys(buckets).sort(
      (a, b) => Number(a.replace("+Inf", "Infinity")) - Number(b.replace("+Inf", "Infinity")),
    );
    const counts = bounds.map((bound) => Number(buckets[bound]));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(buckets["+Inf"]).toBe("3");
  }
});
