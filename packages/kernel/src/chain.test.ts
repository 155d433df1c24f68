import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHAIN_START, type ChainFault, chainVerifier, type SealedLine, sealLine } from './chain.ts';

const digest = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

const bodies = [
  { answer: 42 },
  'Grüße, 世界 😀 \u2028 \ufffd',
  null,
  { text: 'a "quoted"\nline, \\ and ,"hash":"0"}', list: [1, 2, { deep: true }] },
  { seq: 0, prev: 'x', hash: 'y' },
] as const;

function chainOf(values: readonly unknown[]): SealedLine[] {
  const lines: SealedLine[] = [];
  for (const [index, value] of values.entries()) {
    lines.push(sealLine(digest, lines.at(-1)?.hash ?? CHAIN_START, index + 1, 'trace', JSON.stringify(value)));
  }
  return lines;
}

/** The faults of a whole file, in order; none means that the chain holds. */
function faultsOf(lines: readonly string[], previous = CHAIN_START): ChainFault['kind'][] {
  const verifier = chainVerifier(digest, previous);
  return lines.flatMap((line) => verifier.check(line).fault?.kind ?? []);
}

const sealed = chainOf(bodies);
const lines = sealed.map(({ line }) => line);

test('writes the lines of the documented form', () => {
  const open = `{"seq":1,"prev":"${'0'.repeat(64)}","kind":"trace","body":{"answer":42}`;
  // SHA-256 of that text, computed apart from this code.
  const hash = '136acdc1587055167dbe68c41c0034254d81d73224e1c07d99e26afa030aaf89';
  assert.deepEqual(sealed[0], { line: `${open},"hash":"${hash}"}`, hash });
  assert.equal(JSON.parse(lines[1]!).prev, hash);
});

test('holds as it was written and gives every record back', () => {
  const verifier = chainVerifier(digest, CHAIN_START);
  assert.equal(verifier.head(), CHAIN_START);
  for (const [index, { line, hash }] of sealed.entries()) {
    assert.deepEqual(verifier.check(line), { record: { ...JSON.parse(line) } });
    assert.deepEqual(JSON.parse(line).body, bodies[index]);
    assert.equal(verifier.head(), hash);
  }
});

test('holds for any JSON bodies and any kind', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.jsonValue()), { maxLength: 6 }), (records) => {
      const verifier = chainVerifier(digest, CHAIN_START);
      for (const [index, [kind, body]] of records.entries()) {
        const bodyJson = JSON.stringify(body);
        const { line } = sealLine(digest, verifier.head(), index, kind, bodyJson);
        assert.ok(!line.includes('\n'));
        // Through bytes, as a store does it.
        const { record, fault } = verifier.check(Buffer.from(line, 'utf8').toString('utf8'));
        assert.equal(fault, undefined);
        assert.deepEqual([record?.seq, record?.kind, JSON.stringify(record?.body)], [index, kind, bodyJson]);
      }
    }),
    { seed: 20260101, numRuns: 200 },
  );
});

test('shows any single byte that is flipped, anywhere, in any way', () => {
  const stored = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const isSound = (bytes: Uint8Array): boolean => {
    let text: string;
    try {
      text = strict.decode(bytes);
    } catch {
      return false;
    }
    const parts = text.split('\n');
    return parts.pop() === '' && faultsOf(parts).length === 0 && parts.length === lines.length;
  };
  assert.ok(isSound(stored));
  for (let at = 0; at < stored.length; at++) {
    for (const mask of [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff]) {
      stored[at]! ^= mask;
      assert.ok(!isSound(stored), `byte ${at} with ${mask.toString(16)} flipped goes unseen`);
      stored[at]! ^= mask;
    }
  }
  assert.ok(isSound(stored));
});

test('shows a flipped byte also by the chain alone, without help from the decoder', () => {
  for (const [index, line] of lines.entries()) {
    const bytes = Buffer.from(line, 'utf8');
    for (let at = 0; at < bytes.length; at++) {
      bytes[at]! ^= 0x01;
      const changed = lines.with(index, bytes.toString('utf8'));
      assert.notDeepEqual(faultsOf(changed), [], `byte ${at} of line ${index}`);
      bytes[at]! ^= 0x01;
    }
  }
});

test('says what is wrong and where', () => {
  const [a, b, c, d, e] = lines as [string, string, string, string, string];
  const other = sealLine(digest, sealed[1]!.hash, 3, 'trace', '"other"').line;
  const outOfStep = sealLine(digest, sealed[1]!.hash, 9, 'trace', 'null').line;
  const cases: [string, readonly string[], ChainFault['kind'][]][] = [
    ['altered body: the next line does not follow it', [a, b.replace('Gr', 'gr'), c, d, e], ['altered', 'broken']],
    ['altered last line', [a, b, c, d, e.replace('"x"', '"z"')], ['altered']],
    ['first line taken out', [b, c, d, e], ['broken']],
    ['line taken out', [a, b, d, e], ['broken']],
    ['lines swapped', [a, c, b, d, e], ['broken', 'broken', 'broken']],
    ['line twice', [a, b, b, c, d, e], ['broken']],
    ['sound line put in', [a, b, other, c, d, e], ['broken']],
    ['sound line in place of another', [a, b, other, d, e], ['broken']],
    ['number out of step', [a, b, outOfStep], ['broken']],
    ['nonsense put in', [a, b, 'nonsense', c, d, e], ['unreadable']],
    ['empty line put in', [a, b, '', c], ['unreadable']],
    ['line cut short', [a, b.slice(0, -1), c], ['unreadable', 'broken']],
    ['upper-case hash', [a, b.replace(/[0-9a-f]{64}"}$/, (hash) => hash.toUpperCase())], ['unreadable']],
    ['carriage return', [a, `${b}\r`], ['unreadable']],
    ['end cut off: the chain alone cannot show it', [a, b, c], []],
  ];
  for (const [name, given, expected] of cases) assert.deepEqual(faultsOf(given), expected, name);
});

test('refuses what hashes right but is no record', () => {
  const sealedAs = (open: string): string => `${open},"hash":"${digest(open)}"}`;
  const prev = `"prev":"${CHAIN_START}"`;
  const cases = [
    '{"seq":1,not json',
    `{"seq":1.5,${prev},"kind":"trace","body":1`,
    `{"seq":"1",${prev},"kind":"trace","body":1`,
    '{"seq":1,"prev":1,"kind":"trace","body":1',
    `{"seq":1,${prev},"kind":null,"body":1`,
    '[1',
  ];
  for (const open of cases) assert.deepEqual(faultsOf([sealedAs(open)]), ['unreadable'], open);
});

test('keeps its place over a line that it cannot use', () => {
  const verifier = chainVerifier(digest, CHAIN_START);
  verifier.check(lines[0]!);
  const fault = verifier.check(lines[1]!.replace('Gr', 'gr'));
  assert.deepEqual([fault.record, fault.fault?.kind], [undefined, 'altered']);
  assert.equal(verifier.head(), sealed[0]!.hash);
  assert.equal(verifier.check(lines[1]!).fault, undefined);
});

test('hands over a line that does not follow, and goes on from it', () => {
  const verifier = chainVerifier(digest, CHAIN_START);
  const { record, fault } = verifier.check(lines[2]!);
  assert.deepEqual([record?.seq, fault?.kind], [3, 'broken']);
  assert.match(fault!.detail, /record 3 follows/);
  assert.equal(verifier.head(), sealed[2]!.hash);
  assert.equal(verifier.check(lines[3]!).fault, undefined);
});

test('begins in the middle where it is told to', () => {
  assert.deepEqual(faultsOf(lines.slice(2), sealed[1]!.hash), []);
  assert.deepEqual(faultsOf(lines.slice(2), sealed[0]!.hash), ['broken']);
});

test('accepts whatever the first line names where nothing is known of it, and checks from there', () => {
  const verifier = chainVerifier(digest, undefined);
  assert.equal(verifier.head(), CHAIN_START);
  for (const line of lines.slice(2)) assert.equal(verifier.check(line).fault, undefined);
  assert.equal(verifier.check(lines[1]!).fault?.kind, 'broken');
});
