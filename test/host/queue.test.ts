import { expect, test } from "vitest";
import { closed } from "../../host/core/errors";
import { Queue } from "../../host/core/queue";

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
