/** Runs a command module in node:wasi to its end; returns the exit code. */
export function runCommand(
  module: WebAssembly.Module,
  directory: string,
  args: readonly string[],
  streams?: { stdin?: number; stdout?: number; stderr?: number },
): number;
