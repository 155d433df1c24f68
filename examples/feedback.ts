/**
 * Feedback: tell the gateway whether a served answer was right. It is kept beside the answer's trace.
 * You will see a task asked and graded, the feedback admitted and found again, and feedback refused for a trace that
 * does not exist. Takes less than a second; needs no key.
 *
 *     node examples/feedback.ts
 */
import { checkConfig, createGateway, memory, sandboxConfig, serve } from '@gatewright/gateway';
import { gradeAnswer, makeTasks } from '@gatewright/gateway/sandbox';

const config = checkConfig({ ...sandboxConfig(), server: { port: 0 }, seed: 1 });
const server = await serve(createGateway({ config, store: memory(), env: {} }), {});

function post(path: string, body: unknown): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const [task] = makeTasks({ seed: 3, count: 1 });
const response = await post('/v1/chat/completions', {
  model: 'gw/auto',
  messages: [{ role: 'user', content: task!.prompt }],
});
const answer = (await response.json()) as { choices: { message: { content: string } }[] };
const text = answer.choices[0]?.message.content ?? '';
const trace = response.headers.get('x-gw-trace');
const isCorrect = gradeAnswer(task!, text);
console.log(
  `${task!.prompt}\n${response.headers.get('x-gw-expert')}: ${text}\nGraded: ${isCorrect ? 'right' : 'wrong'}`,
);

const admitted = await post('/v1/feedback', { trace, correct: isCorrect, source: 'verifier' });
console.log(`\nFeedback: ${((await admitted.json()) as { status: string }).status}`);

const stored = (await (await fetch(`${server.url}/v1/traces/${trace}`)).json()) as {
  feedback: { score: number; source: string }[];
};
for (const { score, source } of stored.feedback) console.log(`In the trace: score ${score} from ${source}`);

const refused = await post('/v1/feedback', { trace: 'tr_nobody', correct: true });
console.log(`For another trace: ${((await refused.json()) as { error: { code: string } }).error.code}`);

await server.close();
