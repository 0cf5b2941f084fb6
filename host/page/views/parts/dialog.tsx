// A dialog: Esc, a click beside it and its button close it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { say } from "../../text/say.js";
import { IconButton } from "./icons.js";

interface DialogProps {
  id: string;
  title: string;
  open: boolean;
  onClose(): void;
  children: ComponentChildren;
}

export function Dialog({ id, title, open, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (open) dialog.current!.showModal();
    else dialog.current!.close();
  }, [open]);
  const beside = ({ target }: Event) => target === dialog.current && onClose();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc does it
    <dialog ref={dialog} id={id} aria-labelledby={`${id}-title`} onClose={onClose} onClick={beside}>
      {open && (
        <div class="sheet">
          <header>
            <h2 id={`${id}-title`}>{title}</h2>
            <IconButton icon="close" label={say("close")} onClick={onClose} />
          </header>
          {children}
        </div>
      )}
    </dialog>
  );
}
