/** A row for each kind of file: who needs it. */
export const CONTENTS: [RegExp, string][];
/** What is wrong with a package: sentences. */
export function tarballProblems(
  packed: { files: { path: string }[]; size: number },
  manifest: object,
  read: (path: string) => string,
): string[];
/** Links and pictures of a document that lead to no file of the package. */
export function brokenLinks(path: string, text: string, paths: readonly string[]): string[];
/** `homepage` and `bugs`, which follow from `repository`. */
export function homes(manifest: { repository?: string | { url: string } }): {
  homepage?: string;
  bugs?: { url: string };
};
