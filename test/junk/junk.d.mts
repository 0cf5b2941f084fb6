interface Settings {
  right?: Record<string, unknown>;
  options?: Record<string, readonly string[]>;
  ZagreusError: new (code: never, message: string) => Error;
}
// biome-ignore lint/suspicious/noExplicitAny: an object of functions
export function offences(owner: any, names: readonly string[], settings: Settings): Promise<string[]>;
export function functionsOf(module: object): string[];
export function offencesOfEntry(entry: object, source: unknown, right?: Record<string, unknown>): Promise<string[]>;
