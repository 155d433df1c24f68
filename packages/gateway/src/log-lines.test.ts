import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LogOptions, lineLog } from './log-lines.ts';

const KEY = 'sk-canary-0123456789abcdef';

function record(options: LogOptions = {}): {
  lines: string[];
  at: { ms: number };
  log: ReturnType<typeof lineLog>['log'];
  close(): void;
} {
  const lines: string[] = [];
  const at = { ms: Date.UTC(2026, 0, 2, 3, 4, 5) };
  const { log, close } = lineLog(
    (text) => lines.push(...text.split('\n')),
    options,
    () => at.ms,
  );
  return { lines, at, log, close };
}

describe('log lines', () => {
  test('as text and as JSON say the same', () => {
    const text = record();
    text.log('warn', 'the disk is full', { path: '/tmp/x', left: 3, why: 'no space' });
    assert.deepEqual(text.lines, ['2026-01-02T03:04:05.000Z warn the disk is full path=/tmp/x left=3 why="no space"']);
    const json = record({ format: 'json' });
    json.log('warn', 'the disk is full', { path: '/tmp/x', left: 3, why: 'no space' });
    assert.deepEqual(JSON.parse(json.lines[0]!), {
      time: '2026-01-02T03:04:05.000Z',
      level: 'warn',
      message: 'the disk is full',
      path: '/tmp/x',
      left: 3,
      why: 'no space',
    });
  });

  test('leave out what is below the level', () => {
    const { lines, log } = record({ level: 'warn' });
    log('info', 'a');
    log('warn', 'b');
    log('error', 'c');
    assert.deepEqual(
      lines.map((line) => line.slice(-1)),
      ['b', 'c'],
    );
  });

  test('hold no secret, by its look, its value or its name', () => {
    const secret = 'correct horse battery staple';
    const error = new Error(`refused ${KEY}`);
    const circle: Record<string, unknown> = { apiKey: 'plain-looking' };
    circle['self'] = circle;
    for (const format of ['text', 'json'] as const) {
      const { lines, log } = record({ format, secrets: [secret] });
      log('error', `with ${KEY} and ${secret}`, {
        error,
        authorization: 'plain-looking',
        'x-api-key': 'plain-looking',
        access_token: ['plain-looking'],
        clientSecret: { deep: 'plain-looking' },
        nested: { list: [{ password: 'plain-looking', note: `Bearer ${KEY}` }], [KEY]: 1 },
        circle,
        prompt_tokens: 12,
        big: 7n,
      });
      const [line] = lines;
      for (const leak of [KEY, secret, 'plain-looking'])
        assert.ok(!line!.includes(leak), `${format}: ${leak} in ${line}`);
      assert.ok(line!.includes('12'), 'counts are no secrets');
    }
  });

  test('stay one line, and steer no terminal', () => {
    for (const format of ['text', 'json'] as const) {
      const { lines, log } = record({ format });
      log('info', 'a\nb\u001b[2J\u2028c', { 'x\ny': 'd\r\ne\u0007' });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.ok(!/[\u0000-\u001f]/.test(lines[0]!), JSON.stringify(lines[0]));
    }
  });

  test('a field cannot stand for the line itself', () => {
    const { lines, log } = record({ format: 'json' });
    log('info', 'real', { message: 'false', level: 'error', time: 'never' });
    const { level, message } = JSON.parse(lines[0]!);
    assert.deepEqual([level, message], ['info', 'real']);
  });

  test('of the same thing are bounded, counted, and told later; requests are not', () => {
    const { lines, at, log, close } = record({ format: 'json' });
    for (let i = 0; i < 1_000; i++) log('error', 'request failed', { i });
    assert.equal(lines.length, 20);
    for (let i = 0; i < 100; i++) log('info', 'request', { i });
    assert.equal(lines.length, 120);
    log('error', 'something else');
    assert.equal(lines.length, 121);
    at.ms += 10_000;
    log('error', 'request failed');
    assert.equal(JSON.parse(lines.at(-1)!).held_back, 980);
    for (let i = 0; i < 30; i++) log('error', 'request failed');
    close();
    assert.equal(JSON.parse(lines.at(-1)!).held_back, 11);
  });

  test('for requests share a write, and come before whatever is said after them', () => {
    const { lines, log, close } = record({ format: 'json' });
    log('info', 'request', { i: 1 });
    log('info', 'request', { i: 2 });
    assert.deepEqual(lines, []);
    log('warn', 'the disk is full');
    log('info', 'request', { i: 3 });
    close();
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).i ?? 'disk'),
      [1, 2, 'disk', 3],
    );
  });

  test('of ever new messages do not fill the memory, and a huge one is cut', () => {
    const { lines, log } = record({ format: 'json' });
    for (let i = 0; i < 10_000; i++) log('info', `message ${i}`);
    assert.equal(lines.length, 10_000);
    log('info', 'x'.repeat(1_000_000), { y: 'y'.repeat(1_000_000), many: Array.from({ length: 10_000 }, () => 'z') });
    assert.ok(lines.at(-1)!.length < 10_000);
  });
});
