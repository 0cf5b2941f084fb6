// Calls of tools and their results, as they stand in messages.

interface Called {
  /** What a result names. */
  callID?: string | undefined;
  /** The same, as newer drafts write it. */
  callId?: string | undefined;
  name: string;
}

abstract class ToolValue {
  readonly callID: string;
  readonly name: string;

  constructor(init: Called) {
    const { callID, callId = callID, name } = required(init);
    if (callId === undefined || name === undefined) throw new TypeError("callID and name are required");
    this.callID = `${callId}`;
    this.name = `${name}`;
  }

  get callId(): string {
    return this.callID;
  }
}

/** A call that the model has made, or is told to have made. */
export class LanguageModelToolCall extends ToolValue {
  /** What the tool is called with: an object. Default: {}. */
  readonly arguments: unknown;

  constructor(init: Called & { arguments?: unknown }) {
    super(init);
    this.arguments = init.arguments === undefined ? {} : init.arguments;
  }
}

/** A part of what a tool returned; type "object" is any value that JSON can say. */
export interface LanguageModelToolResultContent {
  type: "text" | "object" | "image" | "audio";
  value: unknown;
}

/** What a tool returned. */
export class LanguageModelToolSuccess extends ToolValue {
  readonly result: readonly LanguageModelToolResultContent[];

  constructor(init: Called & { result: Iterable<LanguageModelToolResultContent> }) {
    super(init);
    this.result = [...init.result].map(({ type, value }) => {
      if (!["text", "object", "image", "audio"].includes(type)) throw new TypeError(`"${type}" is no type of a result`);
      return { type, value };
    });
  }
}

/** That a tool failed. */
export class LanguageModelToolError extends ToolValue {
  readonly errorMessage: string;

  constructor(init: Called & { errorMessage: string }) {
    super(init);
    if (init.errorMessage === undefined) throw new TypeError("errorMessage is required");
    this.errorMessage = `${init.errorMessage}`;
  }
}

function required<T>(init: T): T {
  if (typeof init !== "object" || init === null) throw new TypeError("an object is required");
  return init;
}
