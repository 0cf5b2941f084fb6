// What console.log() shows of large objects, in Node, Deno and Bun. Consoles of browsers fold them.

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** An object of which console.log() shows a screen: of what is long in it how long it is. */
export function inspectable<T extends object>(shown: T): T {
  const brief = (value: unknown, limit = 8): unknown => {
    if (typeof value === "string") return value.length > 99 ? `[${value.length} characters]` : value;
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    if (entries.length > limit) return `[${entries.length} entries]`;
    return Array.isArray(value) ? value : Object.fromEntries(entries.map(([key, inner]) => [key, brief(inner)]));
  };
  return Object.defineProperty(shown, INSPECT, { value: () => brief(shown, 99) });
}
