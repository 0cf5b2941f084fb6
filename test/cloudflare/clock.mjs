// Time that passes only while the event loop comes round, as on Cloudflare's machines.

export function stopClock() {
  const [now, timeout] = [performance.now.bind(performance), setTimeout];
  let still = now();
  performance.now = () => still;
  globalThis.setTimeout = (callback, ms) =>
    timeout(() => {
      still = Math.floor(now());
      callback();
    }, ms);
}
