// Arithmetic as people and models write it: a recursive descent over characters, in decimal numbers of 60 digits. Nothing is evaluated as code.

import { Decimal } from "decimal.js";

/** Numbers of their own precision. Exponents are bounded, so that no step takes long or prints pages. */
export const Precise = Decimal.clone({ precision: 60, maxE: 5000, minE: -5000, toExpNeg: -21, toExpPos: 40 });

const MAX_LENGTH = 1000;
const MAX_DEPTH = 50;
const SHOWN_DIGITS = 30;
const MAX_FACTORIAL = 1500;

const CONSTANTS: Record<string, Decimal> = { pi: Precise.acos(-1), π: Precise.acos(-1), e: Precise.exp(1) };

type Unary = (x: Decimal) => Decimal;
const FUNCTIONS: Record<string, Unary> = {
  sqrt: (x) => x.sqrt(),
  cbrt: (x) => x.cbrt(),
  abs: (x) => x.abs(),
  exp: (x) => x.exp(),
  ln: (x) => x.ln(),
  log10: (x) => x.log(10),
  log2: (x) => x.log(2),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  tan: (x) => x.tan(),
  asin: (x) => x.asin(),
  acos: (x) => x.acos(),
  atan: (x) => x.atan(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  trunc: (x) => x.trunc(),
  factorial,
};
const LISTS: Record<string, (...values: Decimal[]) => Decimal> = {
  min: (...values) => Precise.min(...values),
  max: (...values) => Precise.max(...values),
  sum: (...values) => Precise.sum(...values),
  mean: (...values) => Precise.sum(...values).div(values.length),
};
/** Functions with a second value that may be left out. */
const PAIRS: Record<string, (x: Decimal, y?: Decimal) => Decimal> = {
  log: (x, base) => x.log(base ?? 10),
  round: (x, digits) => rounded(x, digits),
};

/**
 * The value of "2 * (3 + 4)": + - * / % ^ ! and parentheses, the functions and constants above, "15% of 80".
 * @throws Error that says what is wrong, and where
 */
export function evaluate(text: string): Decimal {
  if (text.length > MAX_LENGTH)
    throw new Error(`the expression has ${text.length} characters, of at most ${MAX_LENGTH}`);
  const value = new Parser(text).whole();
  if (value.isNaN()) throw new Error("the result is undefined");
  if (!value.isFinite()) throw new Error("the result is infinite: a division by zero, or beyond 10^5000");
  return value;
}

/** A value as digits; what 60 digits cannot hold of 1/3 is not shown. */
export function shownNumber(value: Decimal): string {
  const whole = value.isInteger() && value.abs().lt("1e40");
  return (whole ? value : value.toSignificantDigits(SHOWN_DIGITS)).toString();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Decimal {
    const value = this.#sum();
    this.#take(/=/y); // "2 + 2 ="
    if (this.#rest() !== "") throw this.#unexpected();
    return value;
  }

  #sum(): Decimal {
    if (++this.#depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} parentheses within each other`);
    let left = this.#product();
    for (let sign = this.#take(/[+\-−]/y); sign !== undefined; sign = this.#take(/[+\-−]/y)) {
      const right = this.#product();
      left = sign === "+" ? left.plus(right) : left.minus(right);
    }
    this.#depth--;
    return left;
  }

  #product(): Decimal {
    let left = this.#signed();
    for (;;) {
      const operator = this.#take(/\*(?!\*)|[×·/÷:]|of\b|%/y);
      if (operator === undefined) return left;
      const right = this.#signed();
      if (operator === "%") left = modulo(left, right);
      else left = "/÷:".includes(operator) ? divided(left, right) : left.times(right);
    }
  }

  #signed(): Decimal {
    let negative = false;
    for (let sign = this.#take(/[+\-−]/y); sign !== undefined; sign = this.#take(/[+\-−]/y))
      negative = negative !== (sign !== "+");
    const value = this.#power();
    return negative ? value.neg() : value;
  }

  /** Binds tighter than a sign before it, and to the right: -2^2 is -4, 2^3^2 is 512. */
  #power(): Decimal {
    const base = this.#suffixed();
    if (this.#take(/\^|\*\*/y) === undefined) return base;
    if (++this.#depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} powers within each other`);
    const exponent = this.#signed();
    this.#depth--;
    return base.pow(exponent);
  }

  #suffixed(): Decimal {
    let value = this.#operand();
    for (;;) {
      if (this.#take(/!/y) !== undefined) value = factorial(value);
      else if (this.#take(/%(?!\s*(?!of\b)[\p{L}\d.(])/uy) !== undefined) value = value.div(100);
      else return value;
    }
  }

  #operand(): Decimal {
    const number = this.#take(/(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,5}(?![\d.\p{L}]))?/iuy);
    if (number !== undefined) return new Precise(number);
    const name = this.#take(/[\p{L}][\p{L}\d]*/uy)?.toLowerCase();
    if (name !== undefined) return this.#named(name);
    if (this.#take(/\(/y) === undefined) throw this.#unexpected();
    const value = this.#sum();
    if (this.#take(/\)/y) === undefined) throw this.#unexpected('")"');
    return value;
  }

  #named(name: string): Decimal {
    if (Object.hasOwn(CONSTANTS, name)) return CONSTANTS[name]!;
    const known = [FUNCTIONS, PAIRS, LISTS].some((table) => Object.hasOwn(table, name));
    if (!known)
      throw new Error(`"${name}" is no function or constant; there are sqrt, ln, sin, round, max, pi and their like`);
    if (this.#take(/\(/y) === undefined) throw this.#unexpected(`"(" behind ${name}`);
    const values = [this.#sum()];
    while (this.#take(/[,;]/y) !== undefined) values.push(this.#sum());
    if (this.#take(/\)/y) === undefined) throw this.#unexpected('")" or ","');
    if (Object.hasOwn(LISTS, name)) return LISTS[name]!(...values);
    const most = Object.hasOwn(PAIRS, name) ? 2 : 1;
    if (values.length > most)
      throw new Error(`${name} takes at most ${most} value${most > 1 ? "s" : ""}, not ${values.length}`);
    return Object.hasOwn(PAIRS, name) ? PAIRS[name]!(values[0]!, values[1]) : FUNCTIONS[name]!(values[0]!);
  }

  /** What `pattern` matches next, which is then behind us. */
  #take(pattern: RegExp): string | undefined {
    this.#rest();
    pattern.lastIndex = this.#at;
    const [match] = pattern.exec(this.#text) ?? [];
    if (match !== undefined) this.#at += match.length;
    return match;
  }

  #rest(): string {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text.slice(this.#at);
  }

  #unexpected(wanted = "a number, a name or an operator"): Error {
    const rest = this.#rest();
    const found = rest === "" ? "the end" : JSON.stringify([...rest][0]);
    return new Error(`${wanted} is expected at character ${this.#at + 1}, not ${found}`);
  }
}

function divided(left: Decimal, right: Decimal): Decimal {
  if (right.isZero()) throw new Error("division by zero");
  return left.div(right);
}

/** With the sign of the divisor, as in mathematics. */
function modulo(left: Decimal, right: Decimal): Decimal {
  if (right.isZero()) throw new Error("division by zero");
  return left.minus(left.div(right).floor().times(right));
}

function factorial(n: Decimal): Decimal {
  if (!n.isInteger() || n.lt(0) || n.gt(MAX_FACTORIAL)) {
    throw new Error(`the factorial is of an integer from 0 to ${MAX_FACTORIAL}, not ${shownNumber(n)}`);
  }
  let product = new Precise(1);
  for (let i = 2; n.gte(i); i++) product = product.times(i);
  return product;
}

/** Halves go away from zero. */
function rounded(x: Decimal, digits = new Precise(0)): Decimal {
  if (!digits.isInteger() || digits.lt(0) || digits.gt(50)) {
    throw new Error(`round takes 0 to 50 digits, not ${shownNumber(digits)}`);
  }
  return x.toDecimalPlaces(digits.toNumber(), Precise.ROUND_HALF_UP);
}
