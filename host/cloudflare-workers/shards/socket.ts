// WebSockets between Durable Objects as channels of bytes. A frame is a message: a message is a twentieth of a billed request, and gives
// its receiver 30 s of processor time anew, where a call of its own would be a whole one and a stream would have 30 s in all.

import { free } from "../../core/engine/batch/elsewhere.js";
import { type ByteChannel, Lost } from "../../core/shard/wire/channel.js";
import type { Namespace } from "./bindings.js";

/** What workerd's WebSockets have. */
export interface Socket {
  binaryType?: string;
  accept(): void;
  send(bytes: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message" | "close" | "error", listener: (event: { data?: unknown }) => void): void;
}
declare const WebSocketPair: new () => { 0: Socket; 1: Socket };

const NORMAL = 1000;

/** @param onMessage told of every message that comes */
export function socketChannel(socket: Socket, onMessage: () => void = () => {}): ByteChannel {
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    socket.close(NORMAL);
  };
  socket.binaryType = "arraybuffer";
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      const end = (finish: () => void) => {
        if (!open) return;
        close();
        finish();
      };
      socket.addEventListener("message", ({ data }) => {
        onMessage();
        if (open) controller.enqueue(new Uint8Array(data as ArrayBuffer));
      });
      socket.addEventListener("close", () => end(() => controller.close()));
      socket.addEventListener("error", () => end(() => controller.error(new Error("the WebSocket has failed"))));
      socket.accept();
    },
    cancel: close,
  });
  // Frames are answered one by one, and few are under way: nothing has to wait for room. What is sent is nobody else's.
  const write = (bytes: Uint8Array) => {
    socket.send(bytes);
    free(bytes.buffer);
  };
  const writable = new WritableStream<Uint8Array>({ write, close, abort: close });
  return { readable, writable, release: ({ buffer }) => free(buffer) };
}

/** A connection to the object `name`; one request, however much goes over it. @throws Lost */
export async function connectObject(namespace: Namespace, name: string): Promise<Socket> {
  const stub = namespace.get(namespace.idFromName(name));
  const response = await stub.fetch("https://shard.local/", { headers: { upgrade: "websocket" } });
  const { webSocket } = response as Response & { webSocket?: Socket };
  if (!webSocket) throw new Lost(`its answer has status ${response.status}, must be 101`);
  return webSocket;
}

/** Answers with one end of a WebSocket. */
export function acceptSocket(): { socket: Socket; response: Response } {
  const { 0: webSocket, 1: socket } = new WebSocketPair();
  return { socket, response: new Response(null, { status: 101, webSocket } as ResponseInit) };
}
