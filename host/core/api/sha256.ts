// SHA-256 of what comes piece by piece, which WebCrypto cannot do. FIPS 180-4, https://doi.org/10.6028/NIST.FIPS.180-4

const BLOCK = 64;

/** The first 32 bits of the fractional parts of roots of the first primes: square roots (5.3.3), cube roots (4.2.2). */
const primes = Array.from({ length: 312 }, (_, n) => n).filter((n) => n > 1 && !divisors(n).some((d) => n % d === 0));
const fraction = (value: number) => (value - Math.floor(value)) * 2 ** 32;
const INITIAL = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const K = Uint32Array.from(primes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));

function divisors(n: number): number[] {
  return Array.from({ length: Math.floor(Math.sqrt(n)) - 1 }, (_, i) => i + 2);
}

export class Sha256 {
  readonly #state = INITIAL.slice();
  readonly #words = new Int32Array(64);
  readonly #block = new Uint8Array(BLOCK);
  readonly #view = new DataView(this.#block.buffer);
  #length = 0;

  update(bytes: Uint8Array): this {
    for (let at = 0; at < bytes.length; ) {
      const filled = this.#length % BLOCK;
      const piece = bytes.subarray(at, at + BLOCK - filled);
      this.#block.set(piece, filled);
      this.#length += piece.length;
      at += piece.length;
      if (this.#length % BLOCK === 0) this.#compress();
    }
    return this;
  }

  /** In hexadecimal; nothing may follow. */
  digest(): string {
    const bits = BigInt(this.#length) * 8n;
    const zeros = (2 * BLOCK - 9 - (this.#length % BLOCK)) % BLOCK;
    this.update(Uint8Array.of(0x80)).update(new Uint8Array(zeros));
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, bits);
    this.update(new Uint8Array(length.buffer));
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  #compress(): void {
    const w = this.#words;
    for (let t = 0; t < 16; t++) w[t] = this.#view.getInt32(4 * t);
    for (let t = 16; t < 64; t++) {
      const [x, y] = [w[t - 15]!, w[t - 2]!];
      const small0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
      const small1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
      w[t] = (w[t - 16]! + small0 + w[t - 7]! + small1) | 0;
    }
    const s = this.#state;
    let a = s[0]!,
      b = s[1]!,
      c = s[2]!,
      d = s[3]!,
      e = s[4]!,
      f = s[5]!,
      g = s[6]!,
      h = s[7]!;
    for (let t = 0; t < 64; t++) {
      const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[t]! + w[t]!) | 0;
      const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => {
      s[i]! += value;
    });
  }
}

const turn = (x: number, n: number) => (x >>> n) | (x << (32 - n));
