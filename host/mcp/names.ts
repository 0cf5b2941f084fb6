// Names of tools: those of MCP servers are free, those of a model are not.

const MAX = 64;

/** A name of 1 to 64 letters, digits, "_", "." and "-" that is not among `taken`, as near to `name` as can be. */
export function safeName(name: string, taken: ReadonlySet<string>): string {
  const base = name.replace(/[^A-Za-z0-9_.-]+/g, "_").slice(0, MAX) || "tool";
  for (let n = 1; ; n++) {
    const suffix = n === 1 ? "" : `_${n}`;
    const candidate = `${base.slice(0, MAX - suffix.length)}${suffix}`;
    if (!taken.has(candidate)) return candidate;
  }
}
