// The page: loads a model into a worker and shows what it writes.

import { bundledModel, load } from "zagreus-edge";
import { number, say, speak } from "./text.js";

const $ = (id) => document.getElementById(id);
const MB = 1_000_000;
const SECTIONS = ["weights", "kvCache", "activations", "tokenizer", "sampler"];

let model;
/** Stops what runs: a load or a completion. */
let running;
/** Says again what the page says now, in whatever language. */
const shown = { status: () => "", error: () => "", speed: () => "" };

function show(name, text) {
  shown[name] = text;
  $(name).textContent = text();
}

/** Runs one thing at a time; what it throws is shown. */
async function run(work, loading = false) {
  running?.abort();
  const controller = Object.assign(new AbortController(), { loading });
  running = controller;
  show("error", () => "");
  update();
  try {
    await work(controller.signal);
  } catch (error) {
    if (running === controller) showFailure(error);
  }
  if (running === controller) running = undefined; // else it has made way for the next
  update();
}

function showFailure({ code, name, message }) {
  show("status", () => (code === "ABORTED" ? say("stopped") : ""));
  if (code !== "ABORTED") show("error", () => `${say(code ?? "failed")} (${code ?? name}: ${message})`);
}

function update() {
  $("progress").hidden = !running?.loading;
  $("write").disabled = !model || running !== undefined;
  $("stop").disabled = running === undefined;
  $("plan").hidden = !model;
}

function loadModel(source, options = {}) {
  return run(async (signal) => {
    model?.close();
    model = undefined;
    update();
    $("progress").value = 0;
    show("status", () => say("starting"));
    const onProgress = (progress) => signal.aborted || showProgress(progress);
    model = await load(source, { offload: true, signal, onProgress, ...options });
    const name = nameOf(model);
    show("status", () => say("ready", { name }));
    showPlan();
  }, true);
}

function showProgress({ phase, loadedBytes, totalBytes }) {
  if (totalBytes) $("progress").value = loadedBytes / totalBytes;
  const key = phase === "weights" ? "weightsPhase" : phase;
  const total = () => (totalBytes ? number(totalBytes / MB, 1) : "?");
  show("status", () => say(key, { loaded: number(loadedBytes / MB, 1), total: total() }));
}

const nameOf = ({ info }) => info.name ?? info.architecture;

function showPlan() {
  if (!model) return;
  const { plan, quantization, parameters, contextLength, build, threads } = model.info;
  $("facts").textContent = say("facts", {
    name: nameOf(model),
    quantization,
    parameters: number(parameters / MB, 1),
    context: number(contextLength),
    build,
    threads,
  });
  const rows = [...SECTIONS.map((section) => [section, plan[section]]), ["total", plan.memory]];
  $("sections").replaceChildren(...rows.map(([name, bytes]) => planRow(say(name), bytes, bytes / plan.memory)));
}

function planRow(name, bytes, share) {
  const row = document.createElement("tr");
  const heading = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
  const amount = Object.assign(document.createElement("td"), { textContent: `${number(bytes / MB, 2)} MB` });
  const bar = Object.assign(document.createElement("div"), { className: "bar" });
  bar.style.width = `${100 * share}%`;
  const chart = document.createElement("td");
  chart.append(bar);
  row.append(heading, amount, chart);
  return row;
}

function write() {
  const prompt = $("prompt").value;
  const options = { maxTokens: $("maxTokens").valueAsNumber, temperature: $("temperature").valueAsNumber };
  return run(async (signal) => {
    $("output").textContent = prompt;
    show("speed", () => "");
    const completion = model.complete(prompt, { ...options, signal });
    const showSpeed = (rate) => {
      const { length } = completion.tokens;
      show("speed", () => say("speed", { tokens: number(length), rate: number(rate, 1) }));
    };
    let begun;
    for await (const { text } of completion) {
      begun ??= performance.now();
      $("output").append(text);
      const seconds = (performance.now() - begun) / 1000;
      if (seconds > 0) showSpeed((completion.tokens.length - 1) / seconds);
    }
    if (completion.timings) showSpeed(completion.timings.decodeTokensPerSecond);
  });
}

$("load").addEventListener("submit", (event) => {
  event.preventDefault();
  loadModel($("url").value, { cache: $("cache").checked });
});
$("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) loadModel(target.files[0]);
});
$("generate").addEventListener("submit", (event) => {
  event.preventDefault();
  if (model && !running) write();
});
$("stop").addEventListener("click", () => running?.abort());

addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("generate").requestSubmit();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) loadModel(file);
});

$("url").value = bundledModel.pathname;
speak($("language"), () => {
  for (const name of Object.keys(shown)) show(name, shown[name]);
  showPlan();
});
$("prompt").value = say("example");
update();
