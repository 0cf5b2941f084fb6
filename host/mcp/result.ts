// What a tool of an MCP server returned, as text for a model.

/**
 * The text of a result's content, of `limit` characters at most; a placeholder stands for what is no text.
 * @throws Error with that text, when the server says that it is an error
 */
export function resultText(result: object, limit: number): string {
  const { content, structuredContent, isError } = result as Record<string, unknown>;
  const parts = Array.isArray(content) ? content.map(partText) : [];
  if (parts.length === 0 && structuredContent !== undefined) parts.push(JSON.stringify(structuredContent));
  const text = cut(parts.join("\n"), limit);
  if (isError === true) throw new Error(text || "the tool failed");
  return text;
}

/** As many characters as the limit, and how many more there were. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = /[\ud800-\udbff]/.test(text[limit - 1]!) ? limit - 1 : limit; // no half of a pair
  return `${text.slice(0, end)}… [cut: ${text.length - end} more characters]`;
}

function partText(part: unknown): string {
  const { type, text, mimeType, data, uri, name, resource } = (part ?? {}) as Record<string, unknown>;
  const inner = (resource ?? {}) as Record<string, unknown>;
  if (type === "text" && typeof text === "string") return text;
  if (type === "resource" && typeof inner.text === "string") return inner.text;
  const words = type === "resource" ? [type, inner.uri, inner.mimeType] : [type, name, uri, mimeType];
  if (typeof data === "string") words.push(`${Math.floor((data.length * 3) / 4)} bytes`);
  return `[${words.filter((word) => typeof word === "string").join(" ") || "something without a type"}]`;
}
