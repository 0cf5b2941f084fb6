// A value that views follow. However often it changes, they are told once a frame.

/** Milliseconds between two paintings of a reply, at least. */
const PACE_MS = 50;
/** Where no frame comes: in a tab that nobody sees. */
const UNSEEN_MS = 500;

export class Store<State> {
  #state: State;
  readonly #listeners = new Set<() => void>();
  #waiting = false;
  #told = 0;

  constructor(state: State) {
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  /** Changes it; views are told with the next frame. */
  set(changes: Partial<State>): void {
    this.#state = { ...this.#state, ...changes };
    if (this.#waiting) return;
    this.#waiting = true;
    const pause = this.#told + PACE_MS - performance.now();
    if (document.hidden) setTimeout(this.#tell, UNSEEN_MS);
    else if (pause > 0) setTimeout(() => requestAnimationFrame(this.#tell), pause);
    else requestAnimationFrame(this.#tell);
  }

  readonly #tell = () => {
    this.#waiting = false;
    this.#told = performance.now();
    for (const listener of this.#listeners) listener();
  };

  /** Calls back after changes, until what it returns is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
