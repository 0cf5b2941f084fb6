// What a model computes, as hashes: the same here and there.

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The logits behind every position of a prompt and what follows it, and those of the generation's receipt. */
export async function logitsOf(model) {
  const completion = model.complete("C'era una volta un re", { maxTokens: 16, temperature: 0, receipt: true });
  const text = await completion.text();
  const tokens = [...model.tokenize("C'era una volta un re"), ...completion.tokens];
  let all = "";
  for await (const logits of model.logits(tokens, { all: true }))
    all += hex(await crypto.subtle.digest("SHA-256", logits.slice()));
  return {
    text,
    receipt: completion.receipt.logits,
    all: hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(all))),
  };
}
