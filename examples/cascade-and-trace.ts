/**
 * A cascade asks the cheapest expert first and escalates while the answer is not trusted. Its trace shows every step.
 * You will see three calls, the gates between them, and what each call cost. Takes about two seconds; needs no key.
 *
 *     node examples/cascade-and-trace.ts
 */
import { checkConfig, createGateway, memory, sandboxConfig, serve } from '@gatewright/gateway';
import type { DecisionTrace } from '@gatewright/kernel';

const config = checkConfig({ ...sandboxConfig(), server: { port: 0 } });
const server = await serve(createGateway({ config, store: memory(), env: {} }), {});

const response = await fetch(`${server.url}/v1/chat/completions`, {
  method: 'POST',
  // The seed fixes every random choice, so that this run repeats.
  headers: { 'content-type': 'application/json', 'x-gw-seed': '7' },
  body: JSON.stringify({
    model: 'gw/cascade',
    messages: [{ role: 'user', content: 'What is 3141 * (59 + 26) - 535 / 5?' }],
  }),
});
const answer = (await response.json()) as { choices: { message: { content: string } }[] };
console.log(`${response.headers.get('x-gw-expert')}: ${answer.choices[0]?.message.content}`);

const traceId = response.headers.get('x-gw-trace');
const trace = (await (await fetch(`${server.url}/v1/traces/${traceId}`)).json()) as DecisionTrace;
console.log(`\nTrace ${trace.id}: ${trace.result.reason}`);
for (const { rank, expert, costUsd, latencyMs } of trace.calls) {
  console.log(`  asked ${expert.padEnd(6)} ${costUsd.toFixed(7)} USD, ${Math.round(latencyMs)} ms`);
  for (const gate of trace.gates.filter((entry) => entry.rank === rank)) {
    const verdict = gate.passed ? 'trusted' : 'escalated';
    console.log(`    gate: ${gate.signal} ${gate.value?.toFixed(3)}, threshold ${gate.threshold}: ${verdict}`);
  }
}
console.log(`Together ${trace.result.costUsd.toFixed(7)} USD.`);

await server.close();
