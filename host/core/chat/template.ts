// Renders a chat template without holding up the event loop.

import { invalidOption, ZagreusError } from "../api/errors.js";
import { finishInSlices } from "../grammar/index.js";
import { Refusal, type Runtime, render, TemplateError, type Value } from "./jinja/index.js";

/**
 * The text of a template.
 * @param pause called now and then; lets others get their turn
 * @throws ZagreusError BAD_TEMPLATE with the line; INVALID_OPTION when the template refuses the messages; what `pause` throws
 */
export async function renderTemplate(
  source: string,
  variables: ReadonlyMap<string, Value>,
  runtime: Runtime,
  pause: () => Promise<void>,
): Promise<string> {
  try {
    return await finishInSlices(render(source, variables, runtime), pause);
  } catch (error) {
    if (error instanceof Refusal) throw invalidOption("messages", error.message, "what the chat template accepts");
    if (!(error instanceof TemplateError)) throw error;
    throw new ZagreusError("BAD_TEMPLATE", `chat template: ${error.message}`, { field: "template", cause: error });
  }
}
