// load() with `offload: true` in Node. What an offloaded model does is tested in offload.test.ts.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundledModel, type LoadProgress, load, type Source, ZagreusError } from "zagreus-edge";
import { bits, caught, GREEDY, loadNano, nanoBytes, PROMPT } from "../../support/nano";

const PATH = fileURLToPath(bundledModel);
const offload = true;

test("every kind of source gives the same model", async () => {
  const bytes = nanoBytes();
  const server = createServer((_, response) => {
    response.setHeader("content-length", bytes.length);
    createReadStream(PATH).pipe(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/nano.gguf`;
  const here = await loadNano();
  const tokens = here.tokenize(PROMPT);
  const expected = bits(await here.logits(tokens));
  const sources: Source[] = [
    PATH,
    bundledModel,
    bundledModel.href,
    url,
    await fetch(url),
    new Blob([bytes]),
    new Blob([bytes]).stream(),
    createReadStream(PATH),
    bytes,
    bytes.buffer,
  ];
  for (const source of sources) {
    const model = await load(source, { offload });
    expect(bits(await model.logits(tokens))).toEqual(expected);
    model.close();
  }
  expect(Buffer.compare(bytes, nanoBytes())).toBe(0); // none was given away
  here.close();
  server.close();
});

test("text, progress and errors are those of a model that is not offloaded", async () => {
  const seen: LoadProgress[] = [];
  const model = await load(PATH, { offload, onProgress: (progress) => seen.push(progress) });
  const here = await loadNano();
  const options = { ...GREEDY, maxTokens: 20 };
  expect(await model.complete(PROMPT, options).text()).toBe(await here.complete(PROMPT, options).text());
  expect(model.info).toEqual(here.info);
  expect(seen.at(-1)).toEqual({ phase: "weights", loadedBytes: here.info.fileBytes, totalBytes: here.info.fileBytes });
  here.close();
  model.close();
  expect(await caught(() => model.tokenize("a"))).toMatchObject({ code: "CLOSED" });

  const missing = await caught(load("no-such-file.gguf", { offload }));
  expect(missing).toBeInstanceOf(ZagreusError);
  expect(missing).toMatchObject({ code: "SOURCE_FAILED", value: "no-such-file.gguf" });
  const option = load(PATH, { offload: "yes" as unknown as true });
  expect(await caught(option)).toMatchObject({ code: "INVALID_OPTION", field: "offload" });
});

test("what cannot be copied to the thread is a typed error, and harms nothing", async () => {
  const model = await load(PATH, { offload });
  const schema = { type: "object", toJSON: () => 1 };
  const completion = model.complete(PROMPT, { responseFormat: { type: "json_schema", schema } });
  expect(await caught(completion.text())).toMatchObject({ code: "INVALID_OPTION", cause: { name: "DataCloneError" } });
  expect(await model.complete(PROMPT, { ...GREEDY, maxTokens: 2 }).text()).not.toBe("");
  model.close();
});

test("a process ends by itself, with the model open or closed", () => {
  const library = JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href);
  for (const last of ["", "model.close();"]) {
    const script = `
      import { bundledModel, load } from ${library};
      const model = await load(bundledModel, { offload: true, threads: 2 });
      await model.complete("a", { maxTokens: 3 }).text(); ${last}
      console.log("done");`;
    const args = ["--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 })).toBe("done\n");
  }
});
