// examples/deploy against what the server and the command really have: names of metrics, options.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "zagreus-edge/server";
import { run } from "../support/child";
import { loadNano } from "../support/nano";

const DEPLOY = fileURLToPath(new URL("../../examples/deploy/", import.meta.url));
const read = (name: string) => readFileSync(`${DEPLOY}${name}`, "utf8");

describe("metrics", () => {
  let names: Set<string>;
  let labels: Map<string, Set<string>>;
  let server: ReturnType<typeof createServer>;
  beforeAll(async () => {
    server = createServer({ nano: await loadNano() });
    const ask = (path: string, body?: object) =>
      server.fetch(
        new Request(`http://127.0.0.1${path}`, {
          ...(body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
        }),
      );
    await (await ask("/v1/completions", { prompt: "Il re", max_tokens: 4 })).text();
    const text = await (await ask("/metrics")).text();
    const series = [...text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)];
    names = new Set(series.map(([, name]) => name!));
    labels = new Map([...names].map((name) => [name, new Set()]));
    for (const [, name, pairs = ""] of series)
      for (const [, label] of pairs.matchAll(/(\w+)="/g)) labels.get(name!)!.add(label!);
  });
  afterAll(() => server.close());

  test.each(readdirSync(`${DEPLOY}monitoring`))("%s names those that /metrics has, and their labels", (file) => {
    const text = read(`monitoring/${file}`).replaceAll('\\"', '"');
    const named = [...text.matchAll(/\b(zagreus_\w+)(?:\{([^}]*)\})?/g)];
    for (const [, name, matchers = ""] of named) {
      expect(names).toContain(name);
      for (const [, label] of matchers.matchAll(/(\w+)[=!]~?"/g))
        if (label !== "instance") expect(labels.get(name!), name).toContain(label);
    }
    if (/dashboard\.json|alerts/.test(file)) expect(named.length).toBeGreaterThan(5);
  });

  test("the dashboard shows every one of them", () => {
    const shown = read("monitoring/dashboard.json");
    const families = [...names].filter(
      (name) => !/_(bucket|sum|count)$/.test(name) && name !== "zagreus_model_requests_total",
    );
    expect(families.filter((name) => !shown.includes(name))).toEqual([]);
  });
});

test("every option of zagreus serve in these files is one", async () => {
  const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
  const { stdout: help } = await run(process.execPath, [cli, "serve", "--help"]);
  const lines = ["Dockerfile", "compose.yaml", "kubernetes.yaml", "zagreus.service"]
    .flatMap((name) => read(name).split("\n"))
    .filter((line) => /\bserve\b.*(?<![\w-])--?[a-z]/.test(line) && !line.startsWith("#"));
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const line of lines)
    for (const [option] of line.matchAll(/(?<=[\s"[])--?[a-z][a-z-]*/g)) expect(help, line).toContain(` ${option} `);
});
