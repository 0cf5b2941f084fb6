// zagreus-nano as files that say other things of themselves.

import { string, u32, writeGguf } from "../support/models/gguf_writer";
import { readRawGguf } from "../support/models/reference";
import { nanoBytes } from "../support/nano";

const TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

/** Knows conversations, after a fashion, and writes longer texts than it was trained for. */
export function chatNano(name: string, context = 4096): Buffer {
  const { entries, tensors } = readRawGguf(nanoBytes());
  const changed = {
    "general.name": string(name),
    "llama.context_length": u32(context),
    "tokenizer.chat_template": string(TEMPLATE),
  };
  const kept = entries.filter(({ key }) => !Object.hasOwn(changed, key));
  const metadata = [...kept, ...Object.entries(changed).map(([key, value]) => ({ key, value }))];
  return Buffer.from(writeGguf({ metadata, tensors }).bytes);
}
