// A chat template as pieces of text between the messages, for zagreus.wasm, which has no renderer: what the template makes of
// conversations tells the pieces, and more conversations whether it is really made of such pieces.

import { ZagreusError } from "../../core/api/errors.js";
import { presetFor } from "../../core/chat/presets.js";
import { type RenderedChat, renderChat, turnMarkers } from "../../core/chat/render.js";
import { chooseTemplate } from "../../core/chat/templates.js";
import type { ModelInfo } from "../index.js";

/** What a compiled template begins with; the last byte is the version. */
const MAGIC = [0x5a, 0x47, 0x54, 1];
const NO_SYSTEM = 1;
const ROLES = ["system", "user", "assistant"] as const;

type Role = (typeof ROLES)[number];
type Message = { role: Role; content: string };
/** Text, and control tokens by their text in a list of one. */
type Part = string | readonly [string];
/** What stands before a message of a role, by the role before it, and behind the last one. */
type Pieces = Map<string, readonly Part[]>;

interface Compiled {
  pieces: Pieces;
  /** Roles whose text loses white space at both ends. */
  trimmed: ReadonlySet<Role>;
  stop: readonly string[];
}

/** @throws ZagreusError BAD_TEMPLATE for a template of another form; as renderChat() does */
export async function compileTemplate(info: ModelInfo, template: string | undefined): Promise<Uint8Array> {
  const source = chooseTemplate(info, template, false);
  if (/strftime_now/.test(source)) throw otherForm("it writes the date");
  const [marker] = Object.keys(turnMarkers(info, source));
  if (marker !== undefined) throw otherForm(`the model's ${JSON.stringify(marker)} is no control token`);
  const render = async (messages: readonly Message[]) => {
    const rendered = await renderChat(info, messages, { template }, async () => {});
    return { stop: rendered.stop, parts: named(info, rendered) };
  };
  const compiled = await compile(render);
  for (const messages of conversations(compiled)) {
    const { parts } = await render(messages);
    if (JSON.stringify(assembled(compiled, messages)) !== JSON.stringify(parts)) {
      throw otherForm(`of ${JSON.stringify(messages)} it makes something else than its pieces`);
    }
  }
  return written(compiled, presetFor(info, false));
}

type Render = (messages: readonly Message[]) => Promise<{ parts: Part[]; stop: readonly string[] }>;

async function compile(render: Render): Promise<Compiled> {
  const user = { role: "user", content: "zquestionz" } as const;
  const assistant = { role: "assistant", content: "zanswerz" } as const;
  const system = { role: "system", content: "zsystemz" } as const;
  const dialogue = [user, assistant, { ...user, content: "zfurtherz" }];
  const pieces: Pieces = new Map();
  const { stop, parts } = await render(dialogue);
  const add = (messages: readonly Message[], between: readonly (readonly Part[])[]) => {
    const roles = ["", ...messages.map(({ role }) => role), ""];
    for (const [i, piece] of between.entries()) pieces.set(`${roles[i]}-${roles[i + 1]}`, piece);
  };
  add(dialogue, pulledApart(parts, dialogue));
  try {
    const messages = [system, user];
    add(messages, pulledApart((await render(messages)).parts, messages));
  } catch (error) {
    if (!(error instanceof ZagreusError) || error.code !== "INVALID_OPTION") throw error; // it takes no such message
  }
  const trimmed = new Set<Role>();
  const spaced = dialogue.map((message) => ({ ...message, content: `\n ${message.content}\t ` }));
  for (const [i, role] of (["user", "assistant"] as const).entries()) {
    const messages = dialogue.map((message, j) => (j === i ? spaced[i]! : message));
    if (!JSON.stringify((await render(messages)).parts).includes(JSON.stringify(spaced[i]!.content).slice(1, -1)))
      trimmed.add(role);
  }
  if (pieces.has("-system")) {
    const content = `\n ${system.content}\t `;
    const { parts } = await render([{ ...system, content }, user]);
    if (!JSON.stringify(parts).includes(JSON.stringify(content).slice(1, -1))) trimmed.add("system");
  }
  return { pieces, trimmed, stop };
}

/** Parts with control tokens by name, and the one bos that encodeChat() lets stand. */
function named({ tokenizer }: ModelInfo, { parts }: RenderedChat): Part[] {
  const { special, bos, addBos } = tokenizer;
  const nameOf = (token: number): Part => [Object.keys(special).find((name) => special[name] === token)!];
  const text = parts.findIndex((part) => part !== bos);
  const rest = parts.slice(text < 0 ? parts.length : text);
  const begins = bos !== undefined && (addBos || rest.length < parts.length) ? [nameOf(bos)] : [];
  return [...begins, ...rest.map((part) => (typeof part === "number" ? nameOf(part) : part))];
}

/** What stands before, between and behind the texts of messages. */
function pulledApart(parts: readonly Part[], messages: readonly Message[]): Part[][] {
  const pieces: Part[][] = [[]];
  for (const part of parts) {
    if (typeof part !== "string") {
      pieces.at(-1)!.push(part);
      continue;
    }
    let rest = part;
    for (let next = messages[pieces.length - 1]; next; next = messages[pieces.length - 1]) {
      const at = rest.indexOf(next.content);
      if (at < 0) break;
      if (at > 0) pieces.at(-1)!.push(rest.slice(0, at));
      pieces.push([]);
      rest = rest.slice(at + next.content.length);
    }
    if (rest !== "") pieces.at(-1)!.push(rest);
  }
  if (pieces.length !== messages.length + 1) throw otherForm("it does not write every message once, in order");
  return pieces;
}

/** A conversation from pieces, as zagreus.wasm puts it together. */
function assembled({ pieces, trimmed }: Compiled, messages: readonly Message[]): Part[] {
  const parts: Part[] = [];
  const add = (part: Part) => {
    const last = parts.at(-1);
    if (part === "") return;
    if (typeof part === "string" && typeof last === "string") parts[parts.length - 1] = last + part;
    else parts.push(part);
  };
  let before = "";
  for (const { role, content } of messages) {
    for (const part of pieces.get(`${before}-${role}`)!) add(part);
    add(trimmed.has(role) ? content.replace(SPACE, "") : content);
    before = role;
  }
  for (const part of pieces.get(`${before}-`)!) add(part);
  return parts;
}

/** White space at the ends of a text. */
const SPACE = /^\s+|\s+$/g;

/** Conversations that a template of this form makes what it is expected to of. */
function conversations({ pieces }: Compiled): Message[][] {
  const texts = [
    "a",
    " b  c\n",
    "\n\nÈ «così»?\t",
    "{{ x }} {% y %}",
    "<|im_end|> <|eot_id|>",
    "<think>\nx\n</think>\n\ny",
    "",
  ];
  const systems: (string | undefined)[] = [undefined, ...(pieces.has("-system") ? ["Breve.", "  \nBreve! \n"] : [])];
  return systems.flatMap((system) =>
    [1, 3, 5, 9].map((count) => {
      const first: Message[] = system === undefined ? [] : [{ role: "system", content: system }];
      const message = (_: unknown, i: number): Message => ({
        role: i % 2 ? "assistant" : "user",
        content: texts[(i + count) % texts.length]!,
      });
      return [...first, ...Array.from({ length: count }, message)];
    }),
  );
}

/** See host/wasi/commands/template.c. */
function written({ pieces, trimmed, stop }: Compiled, sampling: ReturnType<typeof presetFor>): Uint8Array {
  const chunks: Uint8Array[] = [];
  const u32 = (value: number) => chunks.push(new Uint8Array(Uint32Array.of(value).buffer));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    u32(bytes.length);
    chunks.push(bytes);
  };
  chunks.push(Uint8Array.from(MAGIC));
  u32(pieces.has("-system") ? 0 : NO_SYSTEM);
  u32(ROLES.reduce((bits, role, i) => bits + (trimmed.has(role) ? 1 << i : 0), 0));
  for (const key of ["-system", "-user", "system-user", "user-assistant", "assistant-user", "user-"]) {
    const parts = pieces.get(key) ?? [];
    u32(parts.length);
    for (const part of parts) {
      u32(typeof part === "string" ? 0 : 1);
      text(typeof part === "string" ? part : part[0]);
    }
  }
  u32(stop.length);
  stop.forEach(text);
  const options = Object.entries(sampling).filter(([, value]) => typeof value === "number");
  u32(options.length);
  for (const [name, value] of options) {
    text(name);
    chunks.push(new Uint8Array(Float64Array.of(value as number).buffer));
  }
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

const otherForm = (why: string): ZagreusError => {
  const reason = `chat template: it cannot be compiled to pieces between messages: ${why}`;
  return new ZagreusError("BAD_TEMPLATE", reason, { field: "template" });
};
