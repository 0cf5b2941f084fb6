// A text of the model as it grows: blocks that have come to their end stay as they are, and what somebody selects too.

import { Component } from "preact";
import { type Blocks, EMPTY, grow, last } from "../text/blocks.js";
import { html } from "../text/markdown.js";

export class MarkdownText extends Component<{ text: string; language: string }> {
  #blocks: Blocks = EMPTY;

  override render() {
    this.#blocks = grow(this.#blocks, this.props.text);
    return (
      <div class="markdown" dir="auto">
        {[...this.#blocks.done, last(this.#blocks)].map((source, place) => (
          <Block key={place} source={source} />
        ))}
      </div>
    );
  }
}

class Block extends Component<{ source: string }> {
  #element: HTMLDivElement | null = null;

  override shouldComponentUpdate({ source }: { source: string }) {
    if (source === this.props.source) return false;
    if (!this.#isSelected()) return true;
    document.addEventListener("selectionchange", this.#later);
    return false;
  }

  override componentWillUnmount() {
    document.removeEventListener("selectionchange", this.#later);
  }

  #isSelected(): boolean {
    const selection = getSelection();
    return !!selection && !selection.isCollapsed && selection.containsNode(this.#element!, true);
  }

  readonly #later = () => {
    if (this.#isSelected()) return;
    document.removeEventListener("selectionchange", this.#later);
    this.forceUpdate();
  };

  override render() {
    return (
      <div
        ref={(element) => {
          this.#element = element;
        }}
        dangerouslySetInnerHTML={{ __html: html(this.props.source) }}
      />
    );
  }
}
