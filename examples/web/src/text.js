// What the page says, in two languages. The English of index.html stands there.

const TEXTS = {
  en: {
    weights: "Weights",
    kvCache: "Context (KV cache)",
    activations: "Activations",
    tokenizer: "Tokenizer",
    sampler: "Sampler",
    total: "In all",
    starting: "Starting …",
    download: "Downloading: {loaded} of {total} MB",
    quantize: "Making int4 weights, this once: {loaded} of {total} MB",
    header: "Reading the header: {loaded} MB",
    weightsPhase: "Loading: {loaded} of {total} MB",
    ready: "Ready: {name}",
    stopped: "Stopped.",
    gone: "{name} is no longer in this browser. Load downloads it again.",
    reading: "Reading: {done} of {total} tokens, {share} %",
    facts:
      "{name}, {quantization}, {parameters} M parameters; context of {context} tokens; {build}, threads: {threads}",
    speed: "{tokens} tokens, {rate} tokens/s",
    example: "Once upon a time",
    SOURCE_FAILED: "The model could not be read. Try again: what has been downloaded is kept.",
    BAD_MAGIC: "This is not a GGUF file.",
    DISK_FULL: "The browser has no room for this model. Load it without keeping it.",
    OUT_OF_MEMORY: "There is not enough memory for this model.",
    THREAD_FAILED: "The model's worker has ended. Load the model again.",
    UNSUPPORTED_RUNTIME: "This browser cannot run the model.",
    failed: "That did not work.",
  },
  it: {
    language: "Lingua",
    intro: "Un modello linguistico che gira in questa pagina. Niente di ciò che scrivi lascia il tuo dispositivo.",
    model: "Modello",
    source: "Indirizzo di un file GGUF, o nome di un modello",
    load: "Carica",
    cache: "Tienilo nel browser e riprendi i download interrotti",
    drop: "Oppure scegli un file, o trascinalo sulla pagina",
    memory: "Memoria",
    text: "Testo",
    prompt: "L'inizio",
    maxTokens: "Token al massimo",
    temperature: "Temperatura",
    write: "Scrivi",
    stop: "Ferma",
    keys: "Ctrl+Invio scrive, Esc ferma.",
    weights: "Pesi",
    kvCache: "Contesto (cache KV)",
    activations: "Attivazioni",
    tokenizer: "Tokenizzatore",
    sampler: "Campionatore",
    total: "In tutto",
    starting: "Avvio …",
    download: "Scaricamento: {loaded} di {total} MB",
    quantize: "Preparazione dei pesi int4, solo questa volta: {loaded} di {total} MB",
    header: "Lettura dell'intestazione: {loaded} MB",
    weightsPhase: "Caricamento: {loaded} di {total} MB",
    ready: "Pronto: {name}",
    stopped: "Fermato.",
    gone: "{name} non è più in questo browser. Carica lo scarica di nuovo.",
    reading: "Lettura: {done} di {total} token, {share} %",
    facts:
      "{name}, {quantization}, {parameters} M di parametri; contesto di {context} token; {build}, thread: {threads}",
    speed: "{tokens} token, {rate} token/s",
    example: "C'era una volta",
    SOURCE_FAILED: "Non è stato possibile leggere il modello. Riprova: ciò che è già scaricato resta.",
    BAD_MAGIC: "Questo non è un file GGUF.",
    DISK_FULL: "Il browser non ha spazio per questo modello. Caricalo senza tenerlo.",
    OUT_OF_MEMORY: "La memoria non basta per questo modello.",
    THREAD_FAILED: "Il worker del modello è terminato. Carica di nuovo il modello.",
    UNSUPPORTED_RUNTIME: "Questo browser non può eseguire il modello.",
    failed: "Non ha funzionato.",
  },
};

for (const { dataset, textContent } of document.querySelectorAll("[data-text]")) TEXTS.en[dataset.text] = textContent;

const STORED = "zagreus-edge language";
let language = localStorage.getItem(STORED) ?? (navigator.language.startsWith("it") ? "it" : "en");

/** The text of `key`, with values for what stands in braces. */
export function say(key, values = {}) {
  const texts = TEXTS[language];
  return (texts[key] ?? texts.failed).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "?");
}

/** A number as the language writes it. */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Puts the page into its language, and into another one when that is chosen; `changed` says the rest again. */
export function speak(select, changed) {
  const apply = () => {
    document.documentElement.lang = language;
    for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
    changed();
  };
  select.value = language;
  select.addEventListener("change", () => {
    language = select.value;
    localStorage.setItem(STORED, language);
    apply();
  });
  apply();
}
