// What went wrong, as a sentence for who typed the command.

const VERBS: Record<string, string> = { mkdir: "make", write: "write", unlink: "remove", rmdir: "remove" };

/** What Node calls a failure of the system: "ENOENT: no such file or directory, open 'x'". */
const SYSTEM = /\bE[A-Z0-9]+: ([^,']+), \w+(?: '[^']*'(?: -> '[^']*')?)?/g;

export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (syscall === "listen") return aboutListening(error);
  const words = error.message.replace(SYSTEM, "$1");
  return syscall !== undefined && path !== undefined ? `cannot ${VERBS[syscall] ?? "open"} "${path}": ${words}` : words;
}

function aboutListening(error: Error): string {
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === "EADDRINUSE")
    return `port ${port} of ${address} is in use: --port takes another one, 0 any that is free`;
  if (code === "EACCES") return `port ${port} of ${address} is not for this user: --port takes one from 1024 on`;
  if (code === "EADDRNOTAVAIL") return `${address} is no address of this machine: --host takes another one`;
  return error.message;
}
