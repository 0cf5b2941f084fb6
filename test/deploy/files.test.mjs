// examples/deploy: what its files say, by the linters and schemas of those who read them.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { load, loadAll, YAML11_SCHEMA } from "js-yaml";
import * as apps from "kubernetes-models/apps/v1";
import * as core from "kubernetes-models/v1";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { stagesOf } from "./sandbox.mjs";

const DEPLOY = fileURLToPath(new URL("../../examples/deploy/", import.meta.url));
const MONITORING = join(DEPLOY, "monitoring");
const read = (name) => readFileSync(join(DEPLOY, name), "utf8");
const temporary = () => mkdtempSync(join(tmpdir(), "zagreus-deploy-"));

test("systemd takes the unit", () => {
  const { status, stderr, error } = spawnSync("systemd-analyze", ["verify", join(DEPLOY, "zagreus.service")], {
    encoding: "utf8",
  });
  expect({ status, stderr, error }).toEqual({ status: 0, stderr: "", error: undefined });
});

describe("compose.yaml", () => {
  const compose = load(read("compose.yaml"), { schema: YAML11_SCHEMA });

  test("has the form that the specification's schema gives", () => {
    // The schema comes with the specification's own parser.
    const { Dir } = JSON.parse(
      execFileSync("go", ["mod", "download", "-json", "github.com/compose-spec/compose-go/v2@v2.16.2"], {
        cwd: temporary(),
      }),
    );
    const ajv = formats(new Ajv({ strict: false, allErrors: true }));
    const validate = ajv.compile(JSON.parse(readFileSync(join(Dir, "schema/compose-spec.json"), "utf8")));
    validate(compose);
    expect(validate.errors).toBe(null);
    validate({ ...compose, services: { serve: { portz: [] } } });
    expect(validate.errors).not.toBe(null);
  });

  test("names stages, files and volumes that are there, and writes to nothing else", () => {
    const stages = stagesOf(join(DEPLOY, "Dockerfile"));
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
      if (service.build) expect(stages.has(service.build.target), name).toBe(true);
      for (const [source, , mode] of service.volumes.map((volume) => volume.split(":"))) {
        if (source.startsWith("./")) expect([existsSync(join(DEPLOY, source)), mode], source).toEqual([true, "ro"]);
        else expect(compose.volumes, source).toHaveProperty(source);
      }
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });
});

describe("kubernetes.yaml", () => {
  const objects = loadAll(read("kubernetes.yaml"));
  const KINDS = { ...core, ...apps };

  test("has the form that Kubernetes' schemas give", () => {
    const forms = objects.map((object) => new KINDS[object.kind](object));
    for (const form of forms) form.validate();
    expect(forms.map(({ kind }) => kind)).toEqual(["PersistentVolumeClaim", "Deployment", "Service"]);
    expect(() => new apps.Deployment({ metadata: { name: "a" }, spec: { replicas: "1" } }).validate()).toThrow();
  });

  test("has no field that Kubernetes does not know: the schemas allow them, the types do not", () => {
    expect(typeErrors(objects)).toEqual([]);
    expect(typeErrors([{ ...objects[2], spec: { ...objects[2].spec, prots: [] } }])).toEqual([
      expect.stringContaining("does not exist in type 'IServiceSpec'"),
    ]);
  });

  /** What TypeScript says of the objects as literals of Kubernetes' types. */
  function typeErrors(literals) {
    const packages = { v1: Object.keys(core), "apps/v1": Object.keys(apps) };
    const from = (kind) => Object.keys(packages).find((name) => packages[name].includes(kind));
    const lines = literals.map(
      (object, i) =>
        `import type { I${object.kind} as T${i} } from "kubernetes-models/${from(object.kind)}";\nexport const o${i}: T${i} = ${JSON.stringify(object)};`,
    );
    const file = join(temporary(), "objects.mts");
    writeFileSync(file, lines.join("\n"));
    symlinkSync(fileURLToPath(new URL("node_modules", import.meta.url)), join(file, "../node_modules"));
    const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], module: ts.ModuleKind.ESNext };
    const program = ts.createProgram([file], { ...options, moduleResolution: ts.ModuleResolutionKind.Bundler });
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  }

  test("fits together: labels, ports, volumes", () => {
    const [claim, { spec }, service] = objects;
    const { labels } = spec.template.metadata;
    expect([spec.selector.matchLabels, service.spec.selector]).toEqual([labels, labels]);
    const { containers, volumes } = spec.template.spec;
    const [container] = containers;
    const ports = container.ports.map(({ name }) => name);
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"])
      expect(container[probe].httpGet).toEqual({ path: "/health", port: ports[0] });
    expect(service.spec.ports.map(({ targetPort }) => targetPort)).toEqual(ports);
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.map(({ name }) => name).sort());
    expect(volumes.flatMap(({ persistentVolumeClaim: wanted }) => wanted?.claimName ?? [])).toEqual([
      claim.metadata.name,
    ]);
    const written = container.args
      .filter((word) => word.startsWith("/"))
      .concat(container.env.flatMap(({ value }) => value ?? []));
    for (const path of written)
      expect(
        container.volumeMounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`)),
        path,
      ).toBe(true);
  });
});

describe("Prometheus and Grafana", () => {
  const promtool = (...args) => execFileSync("promtool", args, { encoding: "utf8", cwd: MONITORING });

  test("promtool takes the configuration and its rules, and each alert fires when it should", () => {
    promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml");
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml");
    promtool("test", "rules", fileURLToPath(new URL("alerts.test.yml", import.meta.url)));
    const { groups } = load(read("monitoring/alerts.yml"));
    const { tests } = load(readFileSync(new URL("alerts.test.yml", import.meta.url), "utf8"));
    const names = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    for (const { alert_rule_test: asked } of tests) expect(asked.map(({ alertname }) => alertname)).toEqual(names);
  });

  test("what the dashboard asks is PromQL, and its panels do not overlap", () => {
    const { panels } = JSON.parse(read("monitoring/dashboard.json"));
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replace(/\$__\w+/g, "5m")));
    const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
    const file = join(temporary(), "dashboard.yml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    expect(promtool("check", "rules", file)).toContain(`SUCCESS: ${expressions.length} rules found`);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});
