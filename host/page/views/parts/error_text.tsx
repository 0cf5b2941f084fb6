// What failed, beside what was pressed.

import { useEffect, useRef } from "preact/hooks";
import { printable } from "../../../core/api/printable.js";
import type { Failure } from "../../chat/chat.js";
import { sayError } from "../../text/say.js";

export function ErrorText({ id, failure }: { id?: string; failure: Failure | undefined }) {
  const element = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (failure) element.current?.scrollIntoView({ block: "nearest" });
  }, [failure]);
  const { code, message = "" } = failure ?? {};
  return (
    <p ref={element} id={id} class="error" role="alert">
      {failure && `${sayError(code)} (${code ? `${code}: ` : ""}${printable(message)})`}
    </p>
  );
}
