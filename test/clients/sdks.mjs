// The clients, for tests of other folders.

export { createOpenAICompatible } from "@ai-sdk/openai-compatible";
export * as ai from "ai";
export { default as OpenAI } from "openai";
