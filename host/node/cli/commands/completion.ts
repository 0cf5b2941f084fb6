// `zagreus completion SHELL`: a script that completes commands, options, their choices, and names of models.

import { Argument, Command, type Option } from "commander";
import { BUNDLED, FAMILY } from "../shared/family.js";
import { write } from "../shared/output.js";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function completionCommand(): Command {
  return new Command("completion")
    .description("print a script that completes this command's words in a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  zagreus completion bash > ~/.local/share/bash-completion/completions/zagreus
  zagreus completion zsh > "\${fpath[1]}/_zagreus"
  zagreus completion fish > ~/.config/fish/completions/zagreus.fish`,
    )
    .action((shell: Shell, _flags, command: Command) => write(completionScript(shell, command.parent!.commands)));
}

/** The script for one shell. */
function completionScript(shell: Shell, commands: readonly Command[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** Words that may follow an option; undefined where a file may, or anything. */
function valuesOf({ long, argChoices }: Option): readonly string[] | undefined {
  return long === "--model" ? [...FAMILY.map(({ name }) => name), BUNDLED] : argChoices;
}

const optionsOf = (command: Command) => command.options.filter(({ hidden }) => !hidden);
const takesValue = ({ required, optional }: Option) => required || optional;

function bashScript(commands: readonly Command[]): string {
  const names = commands.map((command) => command.name()).join(" ");
  const flags = commands.map((command) => {
    const words = optionsOf(command).flatMap(({ short, long }) => [short, long].filter(Boolean));
    return `    ${command.name()}) flags="${[...words, "--help"].join(" ")}" ;;`;
  });
  return `# bash completion for zagreus
_zagreus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" flags=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} --help --version" -- "$current"))
    return
  fi
  case "$command $previous" in
${bashValues(commands).join("\n")}
  esac
  case "$command" in
${flags.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _zagreus zagreus
`;
}

function bashValues(commands: readonly Command[]): string[] {
  return commands.flatMap((command) =>
    optionsOf(command).flatMap((option) => {
      const values = valuesOf(option);
      if (!values) return [];
      const cases = [option.short, option.long].filter(Boolean).map((flag) => `"${command.name()} ${flag}"`);
      const files = option.long === "--model" ? ' $(compgen -f -- "$current")' : "";
      return `    ${cases.join("|")}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$current")${files}); return ;;`;
    }),
  );
}

function zshScript(commands: readonly Command[]): string {
  const described = commands.map((command) => `    ${quoted(`${command.name()}:${command.description()}`)}`);
  const cases = commands.map((command) => {
    const specs = optionsOf(command).flatMap((option) => zshOption(option).map((spec) => `      ${quoted(spec)}`));
    return `    ${command.name()}) _arguments \\\n${[...specs, "      '*:file:_files'"].join(" \\\n")} ;;`;
  });
  return `#compdef zagreus
_zagreus() {
  local -a commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
  esac
}
compdef _zagreus zagreus
`;
}

/** An option's specs for _arguments, short and long. */
function zshOption(option: Option): string[] {
  const { short, long, description } = option;
  const help = description.replace(/[[\]\\:]/g, "\\$&");
  const values = valuesOf(option);
  const value = takesValue(option) ? `:value:${values ? `(${values.join(" ")})` : "_files"}` : "";
  return [short, long].filter(Boolean).map((flag) => `*${flag}[${help}]${value}`);
}

function fishScript(commands: readonly Command[]): string {
  const lines = ["# fish completion for zagreus"];
  for (const command of commands) {
    const name = command.name();
    lines.push(
      `complete -c zagreus -f -n __fish_use_subcommand -a ${name} -d ${quoted(command.description())}`,
      ...optionsOf(command).map((option) => fishOption(name, option)),
    );
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(command: string, option: Option): string {
  const { short, long, description } = option;
  const values = valuesOf(option);
  return [
    `complete -c zagreus -n '__fish_seen_subcommand_from ${command}'`,
    ...(short ? [`-s ${short.slice(1)}`] : []),
    ...(long ? [`-l ${long.slice(2)}`] : []),
    ...(takesValue(option) ? ["-r"] : []),
    ...(values ? [`-a ${quoted(values.join(" "))}`] : []),
    `-d ${quoted(description)}`,
  ].join(" ");
}

/** A word for all three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
