/** The text of assembly/layout/exports.ts. */
export function exportsSource(): string;
