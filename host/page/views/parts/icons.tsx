// Pictures on buttons, which have a name of their own.

const PATHS = {
  add: "M12 5v14M5 12h14",
  chats: "M4 6h16M4 12h16M4 18h10",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M14 4v6M6 14v6",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  copy: "M9 9h10v10H9zM5 15V5h10",
  copied: "M5 13l4 4L19 7",
  regenerate: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
  previous: "M14 6l-6 6 6 6",
  next: "M10 6l6 6-6 6",
  bin: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  microphone: "M12 4a2 2 0 0 1 2 2v6a2 2 0 0 1-4 0V6a2 2 0 0 1 2-2zM7 11a5 5 0 0 0 10 0M12 16v4",
  model: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5",
};
export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface ButtonProps {
  icon: IconName;
  label: string;
  onClick?: (() => void) | undefined;
  disabled?: boolean;
  type?: "button" | "submit";
  class?: string;
}

/** A button with a picture; its label is what it is called. */
export function IconButton({ icon, label, type = "button", class: more = "", ...rest }: ButtonProps) {
  return (
    <button type={type} class={`icon-button ${more}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
