// zagreus-edge/receipts

export type { Receipt } from "../api/api.js";
export { parseReceipt, type Verdict, verify } from "./verify.js";
