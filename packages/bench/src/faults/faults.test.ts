import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matrixCases, runMatrix } from './matrix.ts';
import { DIALECTS } from './observe.ts';
import { renderMatrix } from './report.ts';
import { gatewrightTarget } from './targets.ts';

test('every fault, in every format, whole and streamed, at the first and the second expert, ends as it should', async () => {
  const cells = matrixCases(DIALECTS);
  assert.ok(cells.length >= 150, `${cells.length} cells`);
  const results = await runMatrix(gatewrightTarget(), cells, { concurrency: 6, isStopped: () => false, onResult() {} });
  assert.equal(results.length, cells.length);
  const wrong = results.filter(({ isRight }) => !isRight);
  assert.deepEqual(wrong, [], renderMatrix([{ target: 'gatewright', results }]));
});

test('the matrix would tell: a gateway that sends every answer as it comes is wrong in many cells', async () => {
  // No gateway at all: the client asks the first expert itself.
  const direct = {
    name: 'direct',
    dialects: ['chat'] as const,
    connect: (experts: readonly string[]) =>
      Promise.resolve({
        address: { baseUrl: experts[0]!, headers: {}, model: 'm' },
        close: () => Promise.resolve(),
      }),
  };
  const cells = matrixCases(['chat']).filter(
    ({ place, fault }) => place === 'first' && /^(cut|reset|error)/.test(fault),
  );
  const results = await runMatrix(direct, cells, { concurrency: 6, isStopped: () => false, onResult() {} });
  const right = results.filter(({ isRight }) => isRight).length;
  assert.ok(right < results.length / 4, `${right} of ${results.length} are right`);
  assert.match(renderMatrix([{ target: 'direct', results }]), /cutAfterContent stream +WRONG: cut 200, not told/);
});
