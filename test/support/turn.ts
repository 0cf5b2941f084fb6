/** Lets the event loop turn once: what a long computation awaits between its parts. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
