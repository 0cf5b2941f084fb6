import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Sha256 } from "../../../host/core/api/sha256";

test("any bytes in any pieces have the hash that Node gives", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
  fc.assert(
    fc.property(pieces, (pieces) => {
      const ours = new Sha256();
      const theirs = createHash("sha256");
      for (const piece of pieces) {
        ours.update(piece);
        theirs.update(piece);
      }
      expect(ours.digest()).toBe(theirs.digest("hex"));
    }),
  );
  const large = new Uint8Array(1_000_003).map((_, i) => i * 31);
  expect(new Sha256().update(large).digest()).toBe(createHash("sha256").update(large).digest("hex"));
});
