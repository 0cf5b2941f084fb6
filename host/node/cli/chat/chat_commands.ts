// What a person may type in `zagreus chat` besides messages.

import type { Conversation } from "./conversation.js";
import { readConversation, writeConversation } from "./conversation_file.js";
import { loadTools } from "./tool_file.js";

interface ChatCommand {
  usage: string;
  help: string;
  /** Whether something has to follow its name. */
  needs?: boolean;
  /** Returns what to say; undefined leaves. */
  run(conversation: Conversation, rest: string): string | undefined | Promise<string | undefined>;
}

const COMMANDS: Record<string, ChatCommand> = {
  help: {
    usage: "/help",
    help: "shows this",
    run: () =>
      Object.values(COMMANDS)
        .map(({ usage, help }) => `${usage.padEnd(16)} ${help}`)
        .join("\n"),
  },
  save: {
    usage: "/save FILE",
    help: "writes the conversation as JSON",
    needs: true,
    async run(conversation, path) {
      await writeConversation(path, conversation.messages);
      return `${path}: ${counted(conversation.messages.length, "message")}`;
    },
  },
  load: {
    usage: "/load FILE",
    help: "goes on with a conversation that was saved",
    needs: true,
    async run(conversation, path) {
      conversation.messages = await readConversation(path);
      return `${path}: ${counted(conversation.messages.length, "message")}`;
    },
  },
  reset: {
    usage: "/reset",
    help: "forgets all but the system message",
    run(conversation) {
      conversation.reset();
      return "a new conversation";
    },
  },
  system: {
    usage: "/system [TEXT]",
    help: "sets the system message, or shows it",
    run(conversation, text) {
      if (text !== "") conversation.system = text;
      return conversation.system ?? "no system message";
    },
  },
  tools: {
    usage: "/tools [FILE]",
    help: "takes tools from a file, or shows them",
    async run(conversation, path) {
      if (path !== "") conversation.tools = await loadTools(path);
      const lines = conversation.tools.map(({ function: { name, description } }) =>
        description === undefined ? name : `${name}: ${description}`,
      );
      return lines.join("\n") || "no tools";
    },
  },
  exit: { usage: "/exit", help: "leaves, as Ctrl-D does", run: () => undefined },
};

/** Runs "/name rest". Returns what to say; undefined leaves. @throws what the command throws */
export async function runCommand(conversation: Conversation, line: string): Promise<string | undefined> {
  const [, name = "", rest = ""] = /^\/(\S*)\s*(.*)$/s.exec(line.trim()) ?? [];
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (!command) return `there is no /${name}; /help shows what there is`;
  if (command.needs && rest === "") return `usage: ${command.usage}`;
  return command.run(conversation, rest);
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
