/** The dashboard asks for nothing that the gateway does not say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startGateway } from './helpers.ts';

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

const dashboard = JSON.parse(
  readFileSync(new URL('../../../docs/dashboards/grafana.json', import.meta.url), 'utf8'),
) as Dashboard;

/** Metric and label names of an expression: what stands before a brace or a bracket, and inside of them. */
const METRIC = /\b(?:gatewright|gen_ai|process)_[a-z_]+/g;

test('every metric of the dashboard is in the registry, with the labels that it is asked for', async () => {
  const gate = await startGateway({
    experts: [{ id: 'a', provider: { use: 'openai', baseUrl: 'http://127.0.0.1:9/v1', model: 'm' } }],
    cache: { exact: {} },
  });
  const text = await gate.gateway.metrics.text();
  const labels = new Map<string, readonly string[]>(
    gate.gateway.metrics.names().map(({ name, labels: of }) => [name, of]),
  );
  await gate.close();
  const known = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  let asked = 0;
  for (const { title, type, targets = [] } of dashboard.panels) {
    assert.ok(type === 'row' || targets.length > 0, title);
    for (const { expr, legendFormat } of targets) {
      const bare = expr.replace(/\{[^}]*\}/g, (selector) => selector.replace(METRIC, ''));
      const names = [...new Set(bare.match(METRIC))].filter((name) => !labelsKnown(name, labels));
      assert.ok(names.length > 0, `${title}: ${expr}`);
      const has = new Set<string>(['le']);
      for (const name of names) {
        asked++;
        const base = known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '');
        assert.ok(known.has(base), `${title}: there is no ${name}`);
        assert.ok(base === name || known.get(base) === 'histogram', `${title}: ${base} is no histogram`);
        for (const label of labels.get(base) ?? []) has.add(label);
      }
      const used = [
        ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(',').map((label) => label.trim())),
        ...[...expr.matchAll(/[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
        ...[...legendFormat.matchAll(/\{\{([a-z_]+)\}\}/g)].map(([, label]) => label!),
      ];
      for (const label of used) assert.ok(has.has(label), `${title}: no label ${label} in ${expr}`);
    }
  }
  assert.ok(asked > 40, String(asked));
});

/** `gen_ai_request_model` is a label, not a metric. */
function labelsKnown(name: string, labels: ReadonlyMap<string, readonly string[]>): boolean {
  return [...labels.values()].some((of) => of.includes(name));
}

test('its panels do not overlap', () => {
  const taken = new Set<string>();
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      assert.ok(x < 24, title);
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${title} overlaps at ${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
});
