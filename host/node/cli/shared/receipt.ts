// Receipts in files: an object a line.

import { appendFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Receipt } from "../../../core/receipt/index.js";

export interface ReceiptFlags {
  receipt?: string;
}

export function withReceipt(command: Command): Command {
  return command.option("--receipt <file>", "write what zagreus verify needs to make the text again");
}

/** Before the model is loaded: an empty file, so that what cannot be written is known at once. */
export async function beginReceipts({ receipt: file }: ReceiptFlags): Promise<void> {
  if (file !== undefined) await writeFile(file, "");
}

export async function addReceipt({ receipt: file }: ReceiptFlags, receipt: Receipt | undefined): Promise<void> {
  if (file !== undefined && receipt) await appendFile(file, `${JSON.stringify(receipt)}\n`);
}
