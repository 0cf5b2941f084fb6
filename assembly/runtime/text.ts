// Bytes of a file beside literals of the core.

/** Whether the `length` bytes at `text` are the ASCII literal. */
export function equals(text: usize, length: usize, literal: string): bool {
  return length == <usize>literal.length && startsWith(text, length, literal);
}
/** Whether the `length` bytes at `text` begin with the ASCII literal. */
export function startsWith(text: usize, length: usize, literal: string): bool {
  if (length < <usize>literal.length) return false;
  for (let i = 0; i < literal.length; i++) {
    if (load<u8>(text + i) != literal.charCodeAt(i)) return false;
  }
  return true;
}
