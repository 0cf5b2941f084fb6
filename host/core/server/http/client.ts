// Who a request is from, and whom it may be for.

/**
 * The network of an address, which is as far as addresses tell clients apart: whoever has an IPv6 address usually has 2^64 of them
 * (https://www.rfc-editor.org/rfc/rfc6177).
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const [first, last] = [head, tail].map((part) => part.split(":").filter(Boolean));
  const zeros = Array(Math.max(8 - first!.length - last!.length, 0)).fill("0");
  return [...first!, ...zeros, ...last!]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}

/**
 * Whether a request may call the server so: by an address, which no page can make its own, or one of `hosts`, "*.example.com" for all
 * below example.com.
 */
export function isAllowedHost(hosts: readonly string[], name: string): boolean {
  if (/^(\[.*\]|[\d.]+)$/.test(name)) return true;
  const lower = name.toLowerCase().replace(/\.$/, "");
  return hosts.some((host) => {
    const wanted = host.toLowerCase();
    return wanted.startsWith("*.") ? lower.endsWith(wanted.slice(1)) : lower === wanted;
  });
}

/**
 * Who gives way when there is too much: the latest of the client that has most (as in McKenney's Stochastic Fairness Queueing, 1990), so
 * that nobody takes the place of others. Undefined when no other client has more than `client`.
 */
export function chooseVictim<T>(
  items: Iterable<T>,
  client: string,
  clientOf: (item: T) => string,
  sizeOf: (item: T) => number = () => 1,
): T | undefined {
  const all = [...items];
  const sums = new Map<string, number>();
  for (const item of all) sums.set(clientOf(item), (sums.get(clientOf(item)) ?? 0) + sizeOf(item));
  const largest = Math.max(...sums.values());
  if (largest <= (sums.get(client) ?? 0)) return undefined;
  return all.findLast((item) => sums.get(clientOf(item)) === largest);
}
