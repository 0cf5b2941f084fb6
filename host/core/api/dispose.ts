// What `using` calls, also where a compiler has to bring it along.

export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
