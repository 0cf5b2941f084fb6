/** Below 0 where a version comes before another. */
export function compareVersions(a: string, b: string): number;
/** The version that follows. */
export function nextVersion(current: string, step: string): string;
/** The versions of a changelog, the latest first. */
export function parseChangelog(text: string): { version: string; date?: string; body: string }[];
/** What of a changelog is not as Keep a Changelog has it. */
export function changelogProblems(text: string): string[];
/** The changelog in which what was unreleased is a version's. */
export function released(text: string, version: string, date: string): string;
