/** An event handler attribute, such as `oncontextoverflow`: one listener, in the place of the first that was set. */
export class EventHandler {
  readonly #target: EventTarget;
  readonly #type: string;
  #handler: ((event: Event) => unknown) | null = null;
  #listens = false;

  constructor(target: EventTarget, type: string) {
    this.#target = target;
    this.#type = type;
  }

  get value(): ((event: Event) => unknown) | null {
    return this.#handler;
  }

  set value(handler: unknown) {
    this.#handler = typeof handler === "function" ? (handler as (event: Event) => unknown) : null;
    if (this.#listens || !this.#handler) return;
    this.#listens = true;
    this.#target.addEventListener(this.#type, (event) => this.#handler?.call(this.#target, event));
  }
}
