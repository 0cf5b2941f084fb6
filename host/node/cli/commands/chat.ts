// `zagreus chat`: a conversation, at a terminal or line by line from standard input.

import { Command } from "commander";
import { printable } from "../../../core/api/printable.js";
import type { Permission } from "../../../mcp/offer.js";
import {
  type ChatOptions,
  type ModelInfo,
  type PrefillProgress,
  type RunnableTool,
  type ToolCall,
  ZagreusError,
} from "../../index.js";
import { runCommand } from "../chat/chat_commands.js";
import { Conversation, callText, type Partner } from "../chat/conversation.js";
import { pickModel } from "../chat/picker.js";
import { readTemplate, withTemplate } from "../chat/template.js";
import { Terminal } from "../chat/terminal.js";
import { loadTools } from "../chat/tool_file.js";
import { loadSdk } from "../mcp/sdk.js";
import { McpServers, type Watcher } from "../mcp/servers.js";
import { mcpTargets, type Target } from "../mcp/target.js";
import { withAdapters, withoutName } from "../shared/adapters/lora.js";
import { integer, names } from "../shared/arguments.js";
import { styled } from "../shared/colour.js";
import { sentenceOf } from "../shared/failure/sentence.js";
import { figures } from "../shared/figures.js";
import { type FormatFlags, responseFormat, withFormat } from "../shared/format.js";
import { loadModel, type ModelFlags, withCacheBudget, withModel } from "../shared/model.js";
import { printJson, shown } from "../shared/output.js";
import { prefillBar } from "../shared/progress.js";
import { addReceipt, beginReceipts, type ReceiptFlags, withReceipt } from "../shared/receipt.js";
import { type SamplingFlags, samplingOptions, withSampling } from "../shared/sampling.js";
import { builtInTools } from "../tools/built_in.js";

interface ChatFlags extends ModelFlags, SamplingFlags, FormatFlags, ReceiptFlags {
  verbose?: boolean;
  system?: string;
  tools?: string;
  tool?: RunnableTool[];
  mcp?: Target[];
  mcpTools?: string[];
  yes?: boolean;
  template?: string;
  keep?: number;
  toolChoice?: string;
  maxSteps?: number;
}

const PRESET = "the model's preset";

export function chatCommand(): Command {
  const command = withTemplate(withAdapters(withCacheBudget(withModel(new Command("chat"), "you choose from a list"))))
    .description("talk with a model; each line of standard input is a message, or a command such as /help")
    .option("--system <text>", "system message")
    .option(
      "--tools <file>",
      "tools that the model may call: JSON, and you type the results, or a module that runs them",
    )
    .option("--tool <names>", "built-in tools: calculator, time, units, or all; separated by commas", builtInTools)
    .option("--mcp <server>", "a server of tools: its URL, or the command that starts it; repeatable", mcpTargets)
    .option("--mcp-tools <names>", "which of the servers' tools to offer, separated by commas (default: all)", names)
    .option("--yes", "run the servers' tools without asking before each call")
    .option("--tool-choice <choice>", "auto (default), none, required, or the tool that has to be called")
    .option("--max-steps <n>", "replies to a message at most, with tools (default: 8)", integer(1))
    .option(
      "--keep <n>",
      "when the context is full, keep the first n tokens and drop old ones (default: stop)",
      integer(0),
    );
  return withReceipt(
    withFormat(withSampling(command, { temp: PRESET, penalty: PRESET, ngram: PRESET, loopStop: PRESET })),
  )
    .option("--verbose", "show timings and reused tokens after every reply")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Examples:
  zagreus chat -m nesso-instruct
  zagreus chat -m nesso2-agentic --tools tools.mjs
  zagreus chat -m nesso2-agentic --tool calculator,time
  zagreus chat -m nesso2-agentic --mcp "npx -y @modelcontextprotocol/server-everything" --mcp-tools echo,get-sum
  echo "Ciao, chi sei?" | zagreus chat -m nesso-instruct --json`;

async function run(flags: ChatFlags, command: Command): Promise<void> {
  const tools = [...(flags.tool ?? []), ...(flags.tools === undefined ? [] : await loadTools(flags.tools))];
  const streams = { input: process.stdin, output: flags.json ? process.stderr : process.stdout };
  const sdk = flags.mcp && (await loadSdk());
  if (flags.mcp && !flags.yes && !Terminal.isInteractive(streams)) {
    throw new Error("--mcp asks before each call, and here is nobody to ask: --yes allows all of them");
  }
  const template = await readTemplate(flags.template);
  const format = await responseFormat(flags);
  await beginReceipts(flags);
  const chosen = flags.model ?? (await pickModel(command));
  if (chosen === undefined) return;
  const { model, adapters, signal } = await loadModel({ ...flags, model: chosen });
  const options = {
    ...samplingOptions(flags),
    template,
    responseFormat: format,
    receipt: flags.receipt !== undefined,
    adapters: adapters?.map(withoutName),
    toolChoice: toolChoice(flags.toolChoice),
    overflow: flags.keep === undefined ? undefined : { keep: flags.keep },
  };

  const conversation = new Conversation(model, options, flags.maxSteps);
  conversation.tools = tools;
  if (flags.system !== undefined) conversation.system = flags.system;
  const terminal = new Terminal(streams, signal);
  const screen = new Screen(terminal, flags, model.info);
  const servers = new McpServers(screen);
  try {
    const taken = tools.map(({ function: { name } }) => name);
    const offer = { taken, wanted: flags.mcpTools, template, signal };
    const list = async () => {
      conversation.tools = [...tools, ...(await servers.tools(model, offer))];
    };
    if (sdk && flags.mcp) {
      await servers.open(sdk, flags.mcp, signal);
      await list();
    }
    await prepare(conversation, screen, signal, model.info);
    if (flags.mcp) screen.toolsOf(conversation);
    if (terminal.interactive) screen.notice(`${model.info.name ?? "a model without a name"}; /help shows the commands`);
    await talk(terminal, conversation, screen, async () => {
      if (!servers.changed) return;
      await list();
      screen.notice(`the tools have changed: ${conversation.tools.length}`);
    });
  } finally {
    terminal.close();
    await servers.close();
  }
  signal.throwIfAborted();
  if (flags.json) printJson({ messages: conversation.messages });
}

/** @throws Error for a base model, in words of this command */
async function prepare(
  conversation: Conversation,
  screen: Screen,
  signal: AbortSignal,
  { name = "this model" }: ModelInfo,
): Promise<void> {
  try {
    await conversation.prepare(screen, signal);
  } catch (error) {
    const code = error instanceof ZagreusError ? error.code : undefined;
    if (code === "CONTEXT_OVERFLOW" && conversation.tools.length > 0) {
      const { message } = error as ZagreusError;
      throw new Error(`${message}, with ${conversation.tools.length} tools; --mcp-tools offers fewer`, {
        cause: error,
      });
    }
    if (code !== "NO_CHAT_TEMPLATE") throw error;
    throw new Error(
      `${name} is a base model: it continues texts (zagreus complete) and knows no conversations; -m nesso-instruct does, --template gives it one`,
      { cause: error },
    );
  } finally {
    screen.endTurn();
  }
}

function toolChoice(choice: string | undefined): ChatOptions["toolChoice"] {
  if (choice === undefined || choice === "auto" || choice === "none" || choice === "required") return choice;
  return { type: "function", function: { name: choice } };
}

/**
 * Until there are no more lines, or /exit. A person goes on after a failure, a script ends with it.
 * @param refresh what is done before each line is obeyed
 */
async function talk(
  terminal: Terminal,
  conversation: Conversation,
  screen: Screen,
  refresh: () => Promise<void>,
): Promise<void> {
  const next = () => readLines(terminal, screen.prompt(conversation));
  for (let line = await next(); line !== undefined; line = await next()) {
    try {
      await refresh();
      if (!(await turn(line, terminal, conversation, screen))) return;
    } catch (error) {
      if (!terminal.interactive) throw error;
      screen.notice(`zagreus: ${sentenceOf(error)}`);
    }
  }
}

/** A line, and those behind it while they end in a backslash. */
async function readLines(terminal: Terminal, prompt: string): Promise<string | undefined> {
  let text = await terminal.read(prompt);
  while (text?.endsWith("\\")) text = `${text.slice(0, -1)}\n${(await terminal.read(". ")) ?? ""}`;
  return text;
}

/** Whether to go on. */
async function turn(line: string, terminal: Terminal, conversation: Conversation, screen: Screen): Promise<boolean> {
  if (line.startsWith("/") && !line.startsWith("//")) {
    const answer = await runCommand(conversation, line);
    if (answer !== undefined) screen.notice(answer);
    return answer !== undefined;
  }
  const message = line.startsWith("/") ? line.slice(1) : line;
  if (message.trim() === "") return true;
  try {
    await terminal.interruptible((signal) => conversation.say(message, screen, signal));
  } finally {
    screen.endTurn();
  }
  await screen.turnEnded(conversation);
  return true;
}

/** Replies on standard output, unless that is for JSON; all else on standard error. */
class Screen implements Partner, Watcher {
  readonly #terminal: Terminal;
  readonly #flags: ChatFlags;
  readonly #context: number;
  /** Whether a reply stands in the current line. */
  #inLine = false;
  #bar: ReturnType<typeof prefillBar> | undefined;

  constructor(terminal: Terminal, flags: ChatFlags, { contextLength }: ModelInfo) {
    this.#terminal = terminal;
    this.#flags = flags;
    this.#context = contextLength;
  }

  /** What stands before a line to type: how much of the context is taken. */
  prompt({ contextUsed }: Conversation): string {
    const share = contextUsed === 0 ? "" : `${Math.round((100 * contextUsed) / this.#context)} % `;
    return `${styled("dim", share)}${styled("cyan", "> ")}`;
  }
  reading(progress: PrefillProgress): void {
    this.#bar ??= prefillBar();
    this.#bar.onPrefill?.(progress);
  }
  async turnEnded(conversation: Conversation): Promise<void> {
    await addReceipt(this.#flags, conversation.last?.receipt);
    if (!this.#flags.verbose || !conversation.last) return;
    const { contextUsed, last } = conversation;
    this.notice(`${figures(last)}; context ${contextUsed} of ${this.#context}`);
  }
  show(text: string): void {
    if (this.#flags.json || text === "") return;
    process.stdout.write(shown(text));
    this.#inLine = !text.endsWith("\n");
  }
  notice(line: string): void {
    this.endLine();
    process.stderr.write(`${styled("dim", printable(line, "\n\t"), process.stderr)}\n`);
  }
  /** How many tools there are, and what they cost. */
  toolsOf({ tools, contextUsed }: Conversation): void {
    this.notice(`tools: ${tools.length}; with them the prompt takes ${contextUsed} of ${this.#context} tokens`);
  }
  async allow(question: string): Promise<Permission> {
    if (this.#flags.yes) return "yes";
    this.endLine();
    for (;;) {
      const answer = await this.#terminal.read(`${question}\nrun it? y(es), n(o), a(lways this tool): `, true);
      const [letter] = answer?.trim().toLowerCase() ?? "n";
      if (letter === "y") return "yes";
      if (letter === "a") return "always";
      if (letter === "n") return "no";
    }
  }
  async ask(call: ToolCall): Promise<string | undefined> {
    this.endLine();
    return this.#terminal.read(`${printable(callText(call))} = `);
  }
  endTurn(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.endLine();
  }
  endLine(): void {
    if (this.#inLine) process.stdout.write("\n");
    this.#inLine = false;
  }
}
