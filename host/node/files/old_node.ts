// Runtimes that are too old to say so themselves.

const OLDEST = 20;

/** What to tell a person whose Node is too old; undefined on any other, and on what is no Node. */
export function oldNode({ node } = process.versions): string | undefined {
  return Number.parseInt(node, 10) < OLDEST ? `needs Node ${OLDEST} or newer, this is Node ${node}` : undefined;
}
