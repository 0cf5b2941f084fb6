// zagreus-nano as files that say other things of themselves.

import { string, u32, writeGguf } from "../support/models/gguf_writer";
import { readRawGguf } from "../support/models/reference";
import { nanoBytes } from "../support/nano";

const TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

/** Tokens that end a text are recognized by their names. Others, as long: then only a limit or a person ends it. */
const NO_ENDS = {
  "<|end_of_text|>": "<|not_of_text|>",
  "<|im_end|>": "<|im_not|>",
  "<|eot_id|>": "<|not_id|>",
  "<|eom_id|>": "<|nom_id|>",
};
const PADDING = 8185;

/** Knows conversations, after a fashion, and never comes to an end. */
export function chatNano(name: string, context = 4096): Buffer {
  const { entries, tensors } = readRawGguf(nanoBytes());
  const changed = {
    "general.name": string(name),
    "llama.context_length": u32(context),
    "tokenizer.chat_template": string(TEMPLATE),
    "tokenizer.ggml.eos_token_id": u32(PADDING),
  };
  const kept = entries.filter(({ key }) => !Object.hasOwn(changed, key));
  const metadata = [...kept, ...Object.entries(changed).map(([key, value]) => ({ key, value }))];
  const file = Buffer.from(writeGguf({ metadata, tensors }).bytes).toString("latin1");
  return Buffer.from(
    Object.entries(NO_ENDS).reduce((text, [end, other]) => text.replaceAll(end, other), file),
    "latin1",
  );
}
