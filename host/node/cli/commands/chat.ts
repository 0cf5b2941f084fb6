import { Command } from "commander";
import type { ChatOptions, ToolCall } from "../../index.js";
import { runCommand } from "../chat/chat_commands.js";
import { Conversation, type Partner, shown } from "../chat/conversation.js";
import { readTemplate, withTemplate } from "../chat/template.js";
import { Terminal } from "../chat/terminal.js";
import { loadTools } from "../chat/tool_file.js";
import { integer } from "../shared/arguments.js";
import { loadModel, type ModelFlags, withCacheBudget, withModel } from "../shared/model.js";
import { printJson } from "../shared/output.js";
import { type SamplingFlags, samplingOptions, withSampling } from "../shared/sampling.js";

interface Flags extends ModelFlags, SamplingFlags {
  system?: string;
  tools?: string;
  template?: string;
  keep?: number;
  toolChoice?: string;
  maxSteps?: number;
}

const PRESET = "the model's preset";

export function chatCommand(): Command {
  const command = withTemplate(withCacheBudget(withModel(new Command("chat"))))
    .description("talk with a model; each line of standard input is a message, or a command such as /help")
    .option("--system <text>", "system message")
    .option(
      "--tools <file>",
      "tools that the model may call: JSON, and you type the results, or a module that runs them",
    )
    .option("--tool-choice <choice>", "auto (default), none, required, or the tool that has to be called")
    .option("--max-steps <n>", "replies to a message at most, with tools (default: 8)", integer(1))
    .option(
      "--keep <n>",
      "when the context is full, keep the first n tokens and drop old ones (default: stop)",
      integer(0),
    );
  return withSampling(command, { temp: PRESET, penalty: PRESET, ngram: PRESET }).action(run);
}

async function run(flags: Flags): Promise<void> {
  const tools = flags.tools === undefined ? [] : await loadTools(flags.tools);
  const template = await readTemplate(flags.template);
  const { model, signal } = await loadModel(flags);
  const options = {
    ...samplingOptions(flags),
    template,
    toolChoice: toolChoice(flags.toolChoice),
    overflow: flags.keep === undefined ? undefined : { keep: flags.keep },
  };

  const conversation = new Conversation(model, options, flags.maxSteps);
  conversation.tools = tools;
  if (flags.system !== undefined) conversation.system = flags.system;
  await conversation.prepare(signal);

  const terminal = new Terminal({ input: process.stdin, output: flags.json ? process.stderr : process.stdout }, signal);
  const screen = new Screen(terminal, flags.json === true);
  try {
    if (terminal.interactive) screen.notice(`${model.info.name ?? "a model without a name"}; /help shows the commands`);
    await talk(terminal, conversation, screen);
  } finally {
    terminal.close();
  }
  signal.throwIfAborted();
  if (flags.json) printJson({ messages: conversation.messages });
}

function toolChoice(choice: string | undefined): ChatOptions["toolChoice"] {
  if (choice === undefined || choice === "auto" || choice === "none" || choice === "required") return choice;
  return { type: "function", function: { name: choice } };
}

/** Until there are no more lines, or /exit. A person goes on after a failure, a script ends with it. */
async function talk(terminal: Terminal, conversation: Conversation, screen: Screen): Promise<void> {
  for (let line = await readLines(terminal); line !== undefined; line = await readLines(terminal)) {
    try {
      if (!(await turn(line, terminal, conversation, screen))) return;
    } catch (error) {
      if (!terminal.interactive) throw error;
      screen.notice(`zagreus: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** A line, and those behind it while they end in a backslash. */
async function readLines(terminal: Terminal): Promise<string | undefined> {
  let text = await terminal.read("> ");
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
  await terminal.interruptible((signal) => conversation.say(message, screen, signal));
  screen.endLine();
  return true;
}

/** Replies on standard output, unless that is for JSON; all else on standard error. */
class Screen implements Partner {
  readonly #terminal: Terminal;
  readonly #quiet: boolean;
  /** Whether a reply stands in the current line. */
  #inLine = false;

  constructor(terminal: Terminal, quiet: boolean) {
    this.#terminal = terminal;
    this.#quiet = quiet;
  }

  show(text: string): void {
    if (this.#quiet || text === "") return;
    process.stdout.write(process.stdout.isTTY ? harmless(text) : text);
    this.#inLine = !text.endsWith("\n");
  }
  notice(line: string): void {
    this.endLine();
    process.stderr.write(`${process.stderr.isTTY ? harmless(line) : line}\n`);
  }
  async ask(call: ToolCall): Promise<string | undefined> {
    this.endLine();
    return this.#terminal.read(`${harmless(shown(call))} = `);
  }
  endLine(): void {
    if (this.#inLine) process.stdout.write("\n");
    this.#inLine = false;
  }
}

/** Text that cannot take hold of a terminal: without control characters. */
const harmless = (text: string) => text.replace(/(?![\n\t])\p{Cc}/gu, "\ufffd");
