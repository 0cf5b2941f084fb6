// Renders a chat template without holding up the event loop.

import { invalidOption, ZagreusError } from "../api/errors.js";
import { checkSignal, Pace } from "../engine/pace.js";
import { Refusal, Runtime, render, TemplateError, type Value } from "./jinja/index.js";

/**
 * The text of a template.
 * @throws ZagreusError BAD_TEMPLATE with the line; INVALID_OPTION when the template refuses the messages; ABORTED
 */
export async function renderTemplate(
  source: string,
  variables: ReadonlyMap<string, Value>,
  runtime = new Runtime(),
  signal?: AbortSignal,
): Promise<string> {
  const pace = new Pace(
    () => new Promise((resolve) => setTimeout(resolve)),
    () => checkSignal(signal),
  );
  const run = render(source, variables, runtime);
  try {
    for (;;) {
      const { done, value } = run.next();
      if (done) return value;
      await pace.yield();
    }
  } catch (error) {
    if (error instanceof Refusal) throw invalidOption("messages", error.message, "what the chat template accepts");
    if (!(error instanceof TemplateError)) throw error;
    throw new ZagreusError("BAD_TEMPLATE", `chat template: ${error.message}`, { field: "template", cause: error });
  }
}
