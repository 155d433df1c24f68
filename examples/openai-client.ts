/**
 * OpenAI's own client, unchanged, against a gateway of the sandbox's simulated experts.
 * You will see one whole answer and one stream, each with the expert that gave it. Takes about a second; needs no key.
 *
 *     node examples/openai-client.ts
 */
import { checkConfig, createGateway, memory, sandboxConfig, serve } from '@gatewright/gateway';
import OpenAI from 'openai';

const config = checkConfig({ ...sandboxConfig(), server: { port: 0 }, seed: 1 });
const server = await serve(createGateway({ config, store: memory(), env: {} }), {});

// These two settings are all that changes in a program that uses the client already.
const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused' });
const model = 'gw/auto';

const { data, response } = await client.chat.completions
  .create({ model, messages: [{ role: 'user', content: 'What is 17 * (23 + 4) - 5?' }] })
  .withResponse();
console.log(`${response.headers.get('x-gw-expert')} answers: ${data.choices[0]?.message.content}`);
console.log(`It cost ${response.headers.get('x-gw-cost-usd')} USD.`);

const { data: stream, response: begun } = await client.chat.completions
  .create({ model, stream: true, messages: [{ role: 'user', content: 'Reverse the word gateway' }] })
  .withResponse();
process.stdout.write(`${begun.headers.get('x-gw-expert')} streams: `);
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
process.stdout.write('\n');

await server.close();
