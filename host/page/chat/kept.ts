// What the browser keeps of this page.

const PREFIX = "zagreus-edge chat ";

/** What was kept under a name; undefined if there is nothing, or nothing can be kept. */
export function kept(name: string, storage: () => Storage = () => localStorage): unknown {
  try {
    return JSON.parse(storage().getItem(PREFIX + name) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a value, or with undefined none. What finds no room is not kept: the page goes on. */
export function keep(name: string, value: unknown, storage: () => Storage = () => localStorage): void {
  try {
    if (value === undefined) storage().removeItem(PREFIX + name);
    else storage().setItem(PREFIX + name, JSON.stringify(value));
  } catch {}
}

/** Of this tab: gone when it is closed. */
export const ofTab = () => sessionStorage;
