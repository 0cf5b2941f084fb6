import { expect, test } from "vitest";
import { closed } from "../../../host/core/api/errors";
import { Queue } from "../../../host/core/engine/queue";

test("one at a time, in the order of arrival", async () => {
  const queue = new Queue();
  const order: number[] = [];
  const visit = async (id: number) => {
    const release = await queue.enter();
    order.push(id);
    await Promise.resolve();
    order.push(id);
    release();
    release(); // twice is once
  };
  await Promise.all([visit(1), visit(2), visit(3)]);
  expect(order).toEqual([1, 1, 2, 2, 3, 3]);
});

test("who gives up leaves the queue", async () => {
  const queue = new Queue();
  const release = await queue.enter();
  const controller = new AbortController();
  const impatient = queue.enter(controller.signal);
  const patient = queue.enter();
  controller.abort("late");
  await expect(impatient).rejects.toMatchObject({ code: "ABORTED", cause: "late" });
  release();
  (await patient)();
  await expect(queue.enter(controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
  (await queue.enter())();
});

test("everybody can be sent away", async () => {
  const queue = new Queue();
  await queue.enter();
  const waiting = queue.enter();
  queue.refuseAll(closed("model"));
  await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
});

test("clients take turns, and one who gives up leaves the others theirs", async () => {
  const queue = new Queue();
  let release = await queue.enter();
  const order: string[] = [];
  const controller = new AbortController();
  const visit = (name: string, client: string, signal?: AbortSignal) =>
    queue.enter(signal, client).then((next) => {
      order.push(name);
      release = next;
    });
  const visits = [
    visit("a1", "a"),
    visit("a2", "a"),
    visit("a3", "a"),
    visit("b1", "b"),
    visit("b2", "b", controller.signal),
    visit("b3", "b"),
    visit("c1", "c"),
  ];
  expect([queue.taken, queue.length]).toEqual([1, 7]);
  controller.abort();
  await expect(visits[4]).rejects.toMatchObject({ code: "ABORTED" });
  for (let left = 6; left > 0; left--) {
    expect(queue.length).toBe(left);
    release();
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(order).toEqual(["a1", "b1", "c1", "a2", "b3", "a3"]);
  release();
  expect([queue.taken, queue.length]).toEqual([0, 0]);
});
