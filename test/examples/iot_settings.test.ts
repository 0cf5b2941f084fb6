// Settings of examples/iot, without a broker.

import fc from "fast-check";
import { expect, test } from "vitest";
// @ts-expect-error an example in JavaScript
import { readSettings, whyAway } from "../../examples/iot/broker.mjs";

test("a password may have any character, percent-encoded or not", () => {
  const login = fc.tuple(fc.string({ minLength: 1 }), fc.string());
  fc.assert(
    fc.property(login, ([user, password]) => {
      const url = `mqtts://${encodeURIComponent(user)}:${encodeURIComponent(password)}@broker.local:8883`;
      expect(readSettings({ MQTT_URL: url })).toMatchObject({
        url: "mqtts://broker.local:8883",
        options: { username: user, password },
      });
      const plain = readSettings({ MQTT_USERNAME: user, MQTT_PASSWORD: password });
      expect(plain.options).toMatchObject({ username: user, password });
    }),
  );
  expect(readSettings({ MQTT_URL: "mqtt://user:p#s/s@w:r?d@host" }).options).toMatchObject({ password: "p#s/s@w:r?d" });
  expect(readSettings({ MQTT_URL: "mqtt://user:100%@host" }).options).toMatchObject({ password: "100%" });
});

test("what cannot be is said in a sentence, without the password", () => {
  for (const MQTT_URL of ["broker.local", "broker.local:1883", "http://broker.local", "mqtt://", "mqtt://[bad"]) {
    expect(() => readSettings({ MQTT_URL })).toThrow("must be a URL such as mqtt://broker.local:1883");
  }
  expect(() => readSettings({ MQTT_URL: "mqqt://user:secret@host" })).toThrow("mqqt://user:…@host");
  expect(() => readSettings({ MQTT_CA: "/no/such.pem" })).toThrow("MQTT_CA names a certificate that cannot be read");
  expect(() => readSettings({ ZAGREUS_DEVICE: "a/b" })).toThrow("must be a name without");
});

test("why a broker is away has its reason, also behind several addresses", () => {
  const refused = new AggregateError([new Error("connect ECONNREFUSED ::1:1883")]);
  expect(whyAway(refused, "localhost")).toBe("no connection to the broker at localhost: connect ECONNREFUSED ::1:1883");
});
