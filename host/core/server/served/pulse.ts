// Whether a model that is asked for tokens gives some: a process that answers /health and computes nothing is of no use.

export class Pulse {
  /** Tokens, or steps of a prompt, that somebody waits for. */
  #asked = 0;
  /** When one of them came last, or all of this began. */
  #last = 0;

  /** Milliseconds without one that somebody waits for; 0 while nobody does. */
  get silence(): number {
    return this.#asked > 0 ? performance.now() - this.#last : 0;
  }

  /** A step of a prompt has been made. */
  beat(): void {
    this.#last = performance.now();
  }

  /** Somebody waits for `step`. */
  during<Step>(step: Promise<Step>): Promise<Step> {
    if (this.#asked++ === 0) this.beat();
    const end = () => {
      this.#asked--;
      this.beat();
    };
    step.then(end, end);
    return step;
  }
}
