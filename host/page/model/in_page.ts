// A model in this page, in a worker of its own. The library lies beside the page, in zagreus/.

import type { OffloadedModel } from "../../browser/index.js";
import type { ChatMessage, SamplingDefaults } from "../../core/api/api.js";
import { isHubId, SHORT_NAMES } from "../../core/hub/names.js";
import { megabytes, say } from "../text/say.js";
import {
  type Backend,
  type Choice,
  type LoadHandlers,
  lastText,
  type Ready,
  type ReplyEnd,
  type ReplyOptions,
  type ReplyPart,
} from "./backend.js";

type Library = typeof import("../../browser/index.js");

const LIBRARY = new URL("./zagreus/browser.js", import.meta.url).href;
const library = (): Promise<Library> => import(LIBRARY);

/** MB that a short name downloads once. */
const DOWNLOADS: Record<string, number> = { smollm2: 269 };
const MAKERS_DOWNLOAD = 876;
/** The short names of repositories. */
const SHORT = Object.fromEntries(Object.entries(SHORT_NAMES).map(([name, repository]) => [`hf:${repository}`, name]));
const MAX_TOKENS = 1024;

export class InPage implements Backend {
  readonly kind = "page";
  #model: OffloadedModel | undefined;

  async choices(): Promise<Choice[]> {
    const { bundledModel } = await library();
    const kept = await this.#kept();
    const bundled = { id: bundledModel.href, name: "zagreus-nano", note: say("bundled") };
    const names = Object.keys(SHORT_NAMES).map((id) => {
      const size = say("download", { size: DOWNLOADS[id] ?? MAKERS_DOWNLOAD });
      return { id, name: id, note: id in DOWNLOADS ? `${say("small")}, ${size}` : size };
    });
    return [...kept, ...[bundled, ...names].filter(({ id }) => !kept.some((model) => model.id === id))];
  }

  /** None where the browser keeps no files. */
  async #kept(): Promise<Choice[]> {
    try {
      const models = await (await library()).cachedModels();
      return models.map(({ url, bytes, complete }) => {
        const note = say(complete ? "size" : "partial", { size: megabytes(bytes) });
        const id = SHORT[url] ?? url;
        return { id, name: nameOf(id), note, kept: true };
      });
    } catch {
      return [];
    }
  }

  async toolServers(): Promise<[]> {
    return [];
  }

  async remove(id: string): Promise<void> {
    await (await library()).removeCachedModel(id);
  }

  async load(source: string | File, handlers: LoadHandlers): Promise<Ready> {
    this.#model?.close();
    this.#model = undefined;
    const { load } = await library();
    const isAddress = typeof source === "string" && !isHubId(source);
    const cache = isAddress && (await keepsFiles());
    const model = await load(source, { offload: true, cache, ...handlers });
    this.#model = model;
    const { info } = model;
    const own = typeof source === "string" ? nameOf(source) : source.name;
    return {
      name: info.name ?? own,
      id: typeof source === "string" && (cache || !isAddress) ? source : undefined,
      chats: info.chatTemplate !== undefined,
      contextLength: info.contextLength,
      keeps: cache || !isAddress,
      info,
    };
  }

  defaults(): SamplingDefaults {
    const { sampling, chatTemplate } = this.#model?.info ?? {};
    return (chatTemplate ? sampling?.chat : sampling?.text) ?? {};
  }

  async *reply(messages: readonly ChatMessage[], options: ReplyOptions): AsyncGenerator<ReplyPart, ReplyEnd> {
    const model = this.#model!;
    const { tools, mustCall, goesOn, maxTokens = MAX_TOKENS, ...rest } = options;
    const generation = { ...rest, maxTokens };
    const completion =
      model.info.chatTemplate === undefined
        ? model.complete(lastText(messages, goesOn), generation)
        : model.chat(messages, {
            ...generation,
            continueFinalMessage: goesOn,
            ...(tools && { tools, toolChoice: mustCall ? "required" : "auto" }),
          });
    for await (const piece of completion) {
      yield { text: piece.text, toolCalls: "toolCalls" in piece ? piece.toolCalls : undefined };
    }
    const { usage, timings, finishReason } = completion;
    const figures = usage &&
      timings && {
        promptTokens: usage.promptTokens,
        completionTokens: usage.completionTokens,
        tokensPerSecond: timings.decodeTokensPerSecond,
      };
    return { ended: finishReason ?? "stop", figures };
  }
}

/** Whether there is a private file system: not in private windows of some browsers, nor on pages that are not secure. */
export async function keepsFiles(): Promise<boolean> {
  try {
    await navigator.storage.getDirectory();
    return true;
  } catch {
    return false;
  }
}

/** A name for an address. */
function nameOf(source: string): string {
  if (isHubId(source)) return source;
  const { pathname } = new URL(source, location.href);
  return decodeURI(pathname.split("/").at(-1)!).replace(/\.gguf$/i, "") || source;
}
