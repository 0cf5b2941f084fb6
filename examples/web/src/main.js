// The page: loads a model into a worker and shows what it writes.

import { bundledModel, load } from "zagreus-edge";
import { number, say, speak } from "./text.js";

const $ = (id) => document.getElementById(id);
const MB = 1_000_000;
const LAST = "zagreus-edge model";
const NAMES = ["nesso-instruct", "nesso2-agentic", "zagreus-ita", "zagreus-spa", "zagreus-por", "zagreus-fra"];
const SECTIONS = ["weights", "kvCache", "activations", "tokenizer", "sampler"];

/** Why a model that was here is not loaded by itself. */
const GONE = new Error("no longer in the browser");

let model;
/** Stops what runs: a load or a completion. */
let running;
/** Says again what the page says now, in whatever language. */
const shown = { status: () => "", speed: () => "", loadError: () => "", writeError: () => "" };

function show(name, text) {
  shown[name] = text;
  $(name).textContent = text();
}

/** Runs one thing at a time; what it throws is shown. */
async function run(work, loading = false) {
  running?.abort();
  const controller = Object.assign(new AbortController(), { loading });
  running = controller;
  for (const name of ["loadError", "writeError"]) show(name, () => "");
  update();
  try {
    await work(controller.signal);
  } catch (error) {
    if (running === controller) showFailure(error, loading ? "loadError" : "writeError", controller.signal.reason);
  }
  if (running === controller) running = undefined; // else it has made way for the next
  update();
}

/** Says what failed beside what was pressed. */
function showFailure({ code, name, message }, place, why) {
  const stopped = () => (why === GONE ? say("gone", { name: $("source").value }) : say("stopped"));
  show("status", () => (code === "ABORTED" ? stopped() : ""));
  if (code === "ABORTED") return;
  show(place, () => `${say(code ?? "failed")} (${code ?? name}: ${message})`);
  $(place).scrollIntoView({ block: "nearest" });
}

function update() {
  $("progress").hidden = !running?.loading;
  if (!running) $("reading").hidden = true;
  $("write").disabled = !model || running !== undefined;
  $("stop").disabled = running === undefined;
  $("plan").hidden = !model;
}

function loadModel(source, options = {}, onProgress = showProgress) {
  return run(async (signal) => {
    model?.close();
    model = undefined;
    update();
    $("progress").value = 0;
    show("status", () => say("starting"));
    const progress = (progress) => signal.aborted || onProgress(progress);
    model = await load(source, { offload: true, signal, onProgress: progress, ...options });
    const name = nameOf(model);
    show("status", () => say("ready", { name }));
    showPlan();
  }, true);
}

/** Loads an address or a name. What the browser keeps is loaded by itself when the page is opened again. */
async function loadFrom(source, cache, onProgress) {
  localStorage.removeItem(LAST);
  await loadModel(source, { cache }, onProgress);
  if (model && cache) localStorage.setItem(LAST, source);
}

/** Nobody has asked for a download: what the browser has thrown away stays away. */
function unlessDownloaded(progress) {
  if (progress.phase === "download") running.abort(GONE);
  else showProgress(progress);
}

function showProgress({ phase, loadedBytes, totalBytes }) {
  if (totalBytes) $("progress").value = loadedBytes / totalBytes;
  const key = phase === "weights" ? "weightsPhase" : phase;
  const total = () => (totalBytes ? number(totalBytes / MB, 1) : "?");
  show("status", () => say(key, { loaded: number(loadedBytes / MB, 1), total: total() }));
}

/** The share of a long prompt that has been read. */
function showReading({ done, total }) {
  const share = done / total;
  Object.assign($("reading"), { hidden: false, value: share });
  const values = () => ({ done: number(done), total: number(total), share: number(100 * share) });
  show("speed", () => say("reading", values()));
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
    const completion = model.complete(prompt, { ...options, signal, onPrefill: showReading });
    const showSpeed = (rate) => {
      const { length } = completion.tokens;
      show("speed", () => say("speed", { tokens: number(length), rate: number(rate, 1) }));
    };
    let begun;
    for await (const { text } of completion) {
      $("reading").hidden = true;
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
  loadFrom($("source").value.trim(), $("cache").checked);
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

const last = localStorage.getItem(LAST);
$("source").value = last ?? bundledModel.pathname;
$("models").replaceChildren(...NAMES.map((value) => Object.assign(document.createElement("option"), { value })));
speak($("language"), () => {
  for (const name of Object.keys(shown)) show(name, shown[name]);
  showPlan();
});
$("prompt").value = say("example");
update();
if (last) loadFrom(last, true, unlessDownloaded);
