import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ProviderAnswer, ProviderContext } from './provider.ts';
import { promptId, readOutcomes, replay } from './replay.ts';

const HEADER = 'prompt_id,model,score,input_tokens,output_tokens,cost_usd,cost_kind,has_response';
const asked = promptId('exam', 'What is 6 x 7?');
const scored = promptId('exam', 'Why?');
const foreign = promptId('other', 'What is 6 x 7?');

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function folder(rows: readonly string[], responses: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-'));
  folders.push(directory);
  writeFileSync(join(directory, 'outcomes.csv.gz'), gzipSync(`${rows.join('\n')}\n`));
  writeFileSync(join(directory, 'responses.jsonl.gz'), gzipSync(`${responses.join('\n')}\n`));
  return directory;
}

const response = (id: string, model: string, text: string, more = ''): string =>
  `{"prompt_id": "${id}", "model": "${model}", "response": ${JSON.stringify(text)}${more}}`;

const recorded = (): string =>
  folder(
    [
      HEADER,
      `${asked},strong,1,12,34,0.005,metered,1`,
      `${asked},weak,0,12,3,0.0001,metered,1`,
      `${scored},strong,0.5,5,6,0.001,metered,0`,
      `${foreign},strong,1,1,1,1,metered,1`,
    ],
    [
      response(asked, 'strong', 'It is 42.'),
      response(asked, 'weak', 'It is 4', ', "truncated": 1'),
      response(asked, 'unknown', 'x'),
      response(foreign, 'strong', 'no'),
    ],
  );

const context = (): ProviderContext => ({
  timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
  env: {},
  shared: new Map(),
});

function ask(directory: string, model: string, text: string, shared = context()): Promise<ProviderAnswer> {
  const provider = replay({ directory, source: 'exam', model })(shared);
  const body = { model: 'x', messages: [{ role: 'user', content: text }] };
  return provider.start({ body, stream: false, traceId: 'tr_1', seed: 1 }, { onChunk() {} }).answer;
}

test('answers a recorded prompt with the recorded text, tokens and cost', async () => {
  const directory = recorded();
  const { completion, usage, costUsd } = await ask(directory, 'strong', 'What is 6 x 7?');
  assert.equal(completion!.body.choices[0]!.message.content, 'It is 42.');
  assert.equal(completion!.body.choices[0]!.finish_reason, 'stop');
  assert.deepEqual([usage!.prompt_tokens, usage!.completion_tokens, costUsd], [12, 34, 0.005]);
});

test('an answer that was cut when it was recorded says so', async () => {
  const { completion } = await ask(recorded(), 'weak', 'What is 6 x 7?');
  assert.equal(completion!.body.choices[0]!.finish_reason, 'length');
});

test('what was not recorded is a miss, never an invention', async () => {
  const directory = recorded();
  const misses: readonly (readonly [model: string, text: string, says: RegExp])[] = [
    ['strong', 'What is 6 x 8?', /never asked this prompt/],
    ['strong', 'what is 6 x 7?', /never asked this prompt/],
    ['nobody', 'What is 6 x 7?', /nobody was never asked/],
    ['strong', 'Why?', /only its score/],
  ];
  for (const [model, text, says] of misses)
    await assert.rejects(ask(directory, model, text), { code: 'GW_REPLAY_MISS', message: says, elsewhere: true });
});

test('experts of one configuration share one reading', async () => {
  const directory = recorded();
  const shared = context();
  await ask(directory, 'strong', 'What is 6 x 7?', shared);
  rmSync(join(directory, 'outcomes.csv.gz'));
  writeFileSync(join(directory, 'outcomes.csv.gz'), '');
  assert.equal((await ask(directory, 'weak', 'What is 6 x 7?', shared)).costUsd, 0.0001);
  assert.equal(shared.shared.size, 1);
});

test('reads the outcomes of one source only', async () => {
  const outcomes = await readOutcomes(recorded(), 'exam');
  assert.deepEqual([...outcomes.keys()], ['strong', 'weak']);
  assert.deepEqual([...outcomes.get('strong')!.keys()], [asked, scored]);
  assert.equal(outcomes.get('strong')!.get(scored)!.text, undefined);
});

test('files in another form are a typed error, and a miss for whoever asks', async () => {
  const rows: readonly (readonly string[])[] = [['a,b,c'], [HEADER, `${asked},strong,1`]];
  for (const lines of rows) {
    const directory = folder(lines, []);
    await assert.rejects(readOutcomes(directory, 'exam'), { code: 'GW_REPLAY_FORMAT' });
    await assert.rejects(ask(directory, 'strong', 'What is 6 x 7?'), { code: 'GW_REPLAY_MISS' });
  }
  const broken = recorded();
  writeFileSync(join(broken, 'outcomes.csv.gz'), 'this is not gzip');
  await assert.rejects(ask(broken, 'strong', 'What is 6 x 7?'), { code: 'GW_REPLAY_MISS', message: /cannot be read/ });
  const cut = recorded();
  writeFileSync(join(cut, 'responses.jsonl.gz'), gzipSync('{"prompt_id": "exam:1", "mod'));
  await assert.rejects(ask(cut, 'strong', 'What is 6 x 7?'), { code: 'GW_REPLAY_MISS' });
});

test('options are checked when the configuration is read', () => {
  const directory = recorded();
  assert.throws(() => replay({ directory: '/nowhere', source: 'exam', model: 'm' }), {
    code: 'GW_OPTION',
    path: 'directory',
  });
  assert.throws(() => replay({ directory, source: '', model: 'm' }), { code: 'GW_OPTION', path: 'source' });
  assert.throws(() => replay({ directory, source: 'exam' } as never), { code: 'GW_OPTION', path: 'model' });
  assert.throws(() => replay({ directory, source: 'exam', model: 'm', sorce: 1 } as never), { code: 'GW_OPTION' });
});
