// The class LanguageModel, of a model.

import type { Availability, ClassOptions, LanguageModel, LanguageModelClass } from "./api/types.js";
import { ChatFormat } from "./format.js";
import { convertConstraint } from "./input/constraint.js";
import { canonicalize, convertPrompt } from "./input/messages.js";
import {
  type CoreOptions,
  type CreateOptions,
  convertCoreOptions,
  convertCreateOptions,
  dictionary,
  isSupported,
  PARAMS,
  signalOf,
} from "./input/options.js";
import { sampling } from "./reply.js";
import { type PromptEvents, type PromptRequest, Session } from "./session.js";
import type { SharedModel } from "./shared_model.js";
import { task, untilAborted } from "./web/abortable.js";
import { domError, loadError } from "./web/errors.js";
import { EventHandler } from "./web/event_handler.js";
import { ProgressReport } from "./web/progress.js";

/** What a class is made of. */
export interface ClassInit {
  shared: SharedModel;
  options: ClassOptions;
  /** Of the model alone. */
  availability(): Promise<Availability>;
  /** Whether the user has touched the page; true where there is none. */
  isUserActive(): boolean;
}

/** Only who knows it makes sessions. */
const KEY = Symbol("LanguageModel");

/** Ends sessions that nobody holds any more. */
const abandoned = new FinalizationRegistry<Session>((session) => session.destroy());

export function createClass(init: ClassInit): LanguageModelClass {
  const { options } = init;
  const hasParams = options.extensionMembers ?? false;

  class LanguageModelOfModel extends SessionObject {
    static async create(given?: unknown): Promise<LanguageModel> {
      const wanted = convertCreateOptions(given, hasParams);
      const session = await makeSession(init, wanted);
      return new LanguageModelOfModel(KEY, session);
    }

    static async availability(given?: unknown): Promise<Availability> {
      return availabilityOf(init, convertCoreOptions(given, hasParams));
    }

    async clone(given?: unknown): Promise<LanguageModel> {
      return new LanguageModelOfModel(KEY, await cloneSession(init, sessionOf(this), given));
    }
  }
  Object.defineProperty(LanguageModelOfModel, "name", { value: "LanguageModel" });
  if (hasParams) addExtensionMembers(LanguageModelOfModel, init);
  return LanguageModelOfModel as unknown as LanguageModelClass;
}

const sessions = new WeakMap<object, Session>();

function sessionOf(object: object): Session {
  const session = sessions.get(object);
  if (!session) throw new TypeError("Illegal invocation");
  return session;
}

async function availabilityOf(init: ClassInit, wanted: CoreOptions): Promise<Availability> {
  return isSupported(wanted, init.options.languages) ? init.availability() : "unavailable";
}

/** The steps of create(). */
async function makeSession(init: ClassInit, wanted: CreateOptions): Promise<Session> {
  const { signal, monitor, initialPrompts } = wanted;
  const initial = initialPrompts.length > 0 ? canonicalize(initialPrompts, typesOf(wanted), false) : [];
  signal?.throwIfAborted();
  const report = new ProgressReport();
  monitor?.(report.monitor);
  const making = (async () => {
    await allowed(init, wanted);
    report.say(0);
    const { shared, options } = init;
    const model = await shared
      .acquire(signal, (progress) => report.take(progress))
      .catch((error) => {
        throw signal?.aborted ? signal.reason : loadError(error);
      });
    try {
      report.say(1);
      await task();
      const format = await ChatFormat.of(model, options, wanted.tools).catch((error) => {
        throw domError("NotSupportedError", `the model answers no messages: ${error.message}`, error);
      });
      const session = new Session({ model, format, core: wanted, options, release: () => shared.release() });
      await session.begin(initial, signal);
      signal?.throwIfAborted();
      return session;
    } catch (error) {
      shared.release();
      throw error;
    }
  })();
  try {
    const session = await untilAborted(making, signal);
    endWith(session, signal);
    return session;
  } catch (error) {
    making.then(
      (session) => session.destroy(),
      () => {},
    );
    throw error;
  } finally {
    report.end();
  }
}

/** @throws DOMException NotSupportedError, NotAllowedError, UnknownError */
async function allowed(init: ClassInit, wanted: CoreOptions): Promise<void> {
  const availability = await availabilityOf(init, wanted);
  if (availability === "unavailable") {
    throw domError(
      "NotSupportedError",
      "no model for these options: types, languages, or WebAssembly SIMD are missing",
    );
  }
  if (availability === "downloadable" && init.options.requireUserActivation && !init.isUserActive()) {
    throw domError("NotAllowedError", "a download needs that the user has touched the page");
  }
}

/** The signal of create() ends the session too. */
function endWith(session: Session, signal: AbortSignal | undefined): void {
  if (!signal) return;
  const end = () => session.destroy(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  session.life.addEventListener("abort", () => signal.removeEventListener("abort", end), { once: true });
}

async function cloneSession({ shared }: ClassInit, session: Session, given: unknown): Promise<Session> {
  const signal = signalOf(dictionary(given).signal);
  session.life.throwIfAborted();
  signal?.throwIfAborted();
  await untilAborted(untilAborted(task(), session.life), signal);
  await shared.acquire(undefined, () => {});
  return session.copy(() => shared.release());
}

function typesOf({ inputs }: CoreOptions): ReadonlySet<string> {
  return new Set(["text", ...inputs.map(({ type }) => type)]);
}

/** What a session is to its caller; clone() and the statics depend on the class. */
class SessionObject extends EventTarget {
  readonly #overflow = new EventHandler(this, "contextoverflow");

  constructor(key: unknown, session: Session) {
    if (key !== KEY) throw new TypeError("Illegal constructor");
    super();
    sessions.set(this, session);
    abandoned.register(this, session);
  }

  get [Symbol.toStringTag](): string {
    return "LanguageModel";
  }

  get contextUsage(): number {
    return sessionOf(this).contextUsage;
  }

  get contextWindow(): number {
    return sessionOf(this).contextWindow;
  }

  get samplingMode(): LanguageModel["samplingMode"] {
    return sessionOf(this).init.core.samplingMode;
  }

  get oncontextoverflow(): LanguageModel["oncontextoverflow"] {
    return this.#overflow.value;
  }
  set oncontextoverflow(value: unknown) {
    this.#overflow.value = value;
  }

  async prompt(input: unknown, given?: unknown): Promise<unknown> {
    const session = sessionOf(this);
    const { request, signal } = begin(session, input, given);
    const checked = request();
    return session.inTurn([signal], (own) => session.prompt(checked, this.#events(), own));
  }

  promptStreaming(input: unknown, given?: unknown): ReadableStream<unknown> {
    const session = sessionOf(this);
    const { request, signal } = begin(session, input, given);
    const left = new AbortController();
    const stream = new ReadableStream<unknown>({
      start: (controller) => {
        const checked = request(); // what it throws is the stream's error
        const events = this.#events((chunk) => controller.enqueue(chunk));
        session
          .inTurn([signal, left.signal], (own) => session.prompt(checked, events, own))
          .then(
            () => controller.close(),
            (error) => controller.error(error),
          );
      },
      cancel: () => left.abort(),
    });
    return iterable(stream);
  }

  async append(input: unknown, given?: unknown): Promise<undefined> {
    const session = sessionOf(this);
    const { request, signal } = begin(session, input, { signal: dictionary(given).signal });
    const { messages } = request();
    await session.inTurn([signal], (own) => session.append(messages, this.#events(), own));
  }

  async measureContextUsage(input: unknown, given?: unknown): Promise<number> {
    const session = sessionOf(this);
    const { written, options, signal } = convert(input, given);
    session.life.throwIfAborted();
    const messages = canonicalize(written, typesOf(session.init.core), false);
    return untilAborted(untilAborted(session.measure({ messages, ...options }), session.life), signal);
  }

  destroy(): void {
    sessionOf(this).destroy();
  }

  /** The object lives as long as somebody may hear of it. */
  #events(say: PromptEvents["say"] = () => {}): PromptEvents {
    return {
      say,
      overflowed: () => {
        this.dispatchEvent(new Event("contextoverflow"));
        if ("onquotaoverflow" in this) this.dispatchEvent(new Event("quotaoverflow"));
      },
    };
  }
}

/** The arguments of a call, whose members have their types. @throws TypeError | DOMException NotSupportedError */
function convert(input: unknown, given: unknown) {
  const written = convertPrompt(input);
  const { omitResponseConstraintInput, responseConstraint, signal } = dictionary(given);
  const constraint = convertConstraint(responseConstraint);
  const omit = Boolean(omitResponseConstraintInput);
  if (omit && !constraint) throw new TypeError("omitResponseConstraintInput needs a responseConstraint");
  return { written, options: { constraint, omit }, signal: signalOf(signal) };
}

/** A call that is about to begin. `request` gives what it asks for, or throws what is wrong with its messages. */
function begin(session: Session, input: unknown, given: unknown) {
  const { written, options, signal } = convert(input, given);
  session.life.throwIfAborted();
  signal?.throwIfAborted();
  const request = (): PromptRequest => {
    return { messages: canonicalize(written, typesOf(session.init.core), session.hasBegun), ...options };
  };
  return { request, signal };
}

/** Safari's streams cannot be iterated. */
function iterable(stream: ReadableStream<unknown>): ReadableStream<unknown> {
  if (Symbol.asyncIterator in stream) return stream;
  return Object.defineProperty(stream as ReadableStream<unknown>, Symbol.asyncIterator, { value: chunksOf });
}

async function* chunksOf(this: ReadableStream<unknown>): AsyncGenerator<unknown> {
  const reader = this.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {}); // it has failed, and that is known
    reader.releaseLock();
  }
}

/** What browsers keep for extensions. */
function addExtensionMembers(of: typeof SessionObject, init: ClassInit): void {
  const getter = (get: (this: LanguageModel) => unknown) => ({ get, configurable: true, enumerable: true });
  const handlers = new WeakMap<object, EventHandler>();
  const handlerOf = (object: EventTarget) => {
    const handler = handlers.get(object) ?? new EventHandler(object, "quotaoverflow");
    handlers.set(object, handler);
    return handler;
  };
  Object.defineProperties(of.prototype, {
    topK: getter(function () {
      const { core, model } = sessionOf(this).init;
      return core.topK ?? model.info.vocabulary;
    }),
    temperature: getter(function () {
      const { core, model } = sessionOf(this).init;
      return sampling(model, core, false).temperature;
    }),
    inputUsage: getter(function () {
      return this.contextUsage;
    }),
    inputQuota: getter(function () {
      return this.contextWindow;
    }),
    measureInputUsage: { value: SessionObject.prototype.measureContextUsage, configurable: true, writable: true },
    onquotaoverflow: {
      ...getter(function () {
        return handlerOf(this).value;
      }),
      set(this: EventTarget, value: unknown) {
        handlerOf(this).value = value;
      },
    },
  });
  const params = async () => ((await init.availability()) === "unavailable" ? null : { ...PARAMS });
  Object.defineProperty(of, "params", { value: params, configurable: true, writable: true });
}
