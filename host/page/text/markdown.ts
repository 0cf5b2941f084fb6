// A block of Markdown as HTML that is safe to show, whoever wrote it: no HTML of its own, no images, no links but to the web and mail.

import DOMPurify from "dompurify";
import { Marked, Renderer } from "marked";

const LINK = /^(https?:\/\/|mailto:)/i;
/** The application's own headings go before. */
const HEADINGS_ABOVE = 2;

const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escaped(text),
    image: ({ href, text }) => escaped(text || href),
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return LINK.test(href)
        ? `<a href="${escaped(href)}" target="_blank" rel="noopener noreferrer nofollow">${text}</a>`
        : text;
    },
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + HEADINGS_ABOVE);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    code: ({ text }) => `<pre tabindex="0"><code>${escaped(text)}</code></pre>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    table(token) {
      return `<div class="table" tabindex="0">${Renderer.prototype.table.call(this, token)}</div>`;
    },
  },
});

const TAGS = "p br em strong del code pre a ul ol li blockquote hr h3 h4 h5 h6 div table thead tbody tr th td".split(
  " ",
);
const SAFE = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "target", "rel", "tabindex", "class", "start", "align"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: LINK,
  ADD_URI_SAFE_ATTR: ["target", "rel", "tabindex", "start", "align"],
};

export function html(block: string): string {
  return DOMPurify.sanitize(marked.parse(block, { async: false }), SAFE);
}
