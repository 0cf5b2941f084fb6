// A text that is read from its beginning to its end.

export class Scanner {
  protected readonly text: string;
  /** Where what is not read begins. */
  protected at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Reads this text, if it comes here. */
  protected take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  /** Reads what a pattern, which is sticky, matches here. */
  protected match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }
}
