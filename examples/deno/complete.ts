// Continues a text. Arguments: the text, and a model (a path, a URL or hf:owner/repo).

import { bundledModel, load } from "zagreus-edge";

const [prompt = "C'era una volta", source = bundledModel] = Deno.args;
const stop = new AbortController();
Deno.addSignalListener("SIGINT", () => stop.abort());

const model = await load(source, { signal: stop.signal });
const text = model
  .complete(prompt, { maxTokens: 64, temperature: 0.7, signal: stop.signal })
  .toReadableStream()
  .pipeThrough(new TransformStream({ transform: (piece, to) => to.enqueue(piece.text) }))
  .pipeThrough(new TextEncoderStream());
try {
  await text.pipeTo(Deno.stdout.writable);
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
model.close();
Deno.exit(stop.signal.aborted ? 130 : 0); // the listener keeps the process alive
