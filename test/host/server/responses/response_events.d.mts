// biome-ignore lint/suspicious/noExplicitAny: JSON
export function checkResponseEvents(events: readonly any[]): any;
