// The assistant's tools: what the model may call, and what then runs. `zagreus chat --tools FILE` takes this file too.

import { notesFile } from "./notes.mjs";

const notes = notesFile(process.env.ASSISTANT_NOTES ?? new URL("notes.txt", import.meta.url));

const OPERATIONS = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
};

export const tools = [
  tool("calculator", "Computes with two numbers.", {
    properties: { a: { type: "number" }, operation: { enum: Object.keys(OPERATIONS) }, b: { type: "number" } },
    required: ["a", "operation", "b"],
    run({ a, operation, b }) {
      const result = OPERATIONS[operation](a, b);
      if (!Number.isFinite(result)) throw new Error("the result is no finite number");
      return { result };
    },
  }),
  tool("clock", "Tells the date and the time.", {
    properties: { zone: { enum: ["local", "UTC"], description: "time zone" } },
    required: ["zone"],
    run: ({ zone }) => {
      const timeZone = zone === "UTC" ? "UTC" : undefined;
      return { now: new Date().toLocaleString("en-GB", { dateStyle: "full", timeStyle: "long", timeZone }) };
    },
  }),
  tool("add_note", "Writes a note down.", {
    properties: { text: { type: "string", minLength: 1, maxLength: 200 } },
    required: ["text"],
    run: ({ text }) => notes.add(text),
  }),
  tool("list_notes", "Shows all notes.", { properties: {}, required: [], run: () => notes.list() }),
  tool("remove_note", "Removes a note.", {
    properties: { number: { type: "integer", minimum: 1, maximum: 1000 } },
    required: ["number"],
    run: ({ number }) => notes.remove(number),
  }),
];

function tool(name, description, { properties, required, run }) {
  const parameters = { type: "object", properties, required, additionalProperties: false };
  return { type: "function", function: { name, description, parameters }, run };
}
