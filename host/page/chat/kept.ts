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

/**
 * Keeps a value, or with undefined none. What finds no room is not kept: the page goes on.
 * @returns false where there was no room; a browser that keeps nothing at all is asked for nothing
 */
export function keep(name: string, value: unknown, storage: () => Storage = () => localStorage): boolean {
  try {
    if (value === undefined) storage().removeItem(PREFIX + name);
    else storage().setItem(PREFIX + name, JSON.stringify(value));
  } catch (error) {
    return (error as DOMException).name !== "QuotaExceededError";
  }
  return true;
}

/** Of this tab: gone when it is closed. */
export const ofTab = () => sessionStorage;
