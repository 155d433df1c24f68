/**
 * A scripted expert that does what the request asks for, in OpenAI's format: it calls the offered tools, answers their
 * results, follows a JSON schema, streams. For clients that run loops of tools.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the expert found out, said as text and as data. */
export const WEATHER = { city: 'Paris', degrees: 21 };
export const WEATHER_TEXT = 'It is 21 degrees in Paris.';

/** One request's body as the expert got it. */
// biome-ignore lint/suspicious/noExplicitAny: a parsing seam, and every read of it is checked by a test
export type ToolExpertRequest = Record<string, any>;

/** An expert that listens. */
export interface ToolExpert {
  /** As for `baseUrl`. */
  readonly url: string;
  readonly requests: ToolExpertRequest[];
  close(): Promise<void>;
}

interface Said {
  readonly content: string | null;
  readonly tool_calls?: readonly { id: string; type: 'function'; function: { name: string; arguments: string } }[];
}

const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 8,
  total_tokens: 28,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};

/** Starts one on a free port. */
export async function toolExpert(): Promise<ToolExpert> {
  const requests: ToolExpertRequest[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as ToolExpertRequest;
      requests.push(body);
      const said = whatToSay(body);
      if (body['stream'] === true) stream(response, body, said);
      else whole(response, said);
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function whatToSay(body: ToolExpertRequest): Said {
  const { messages, tools, tool_choice: choice, response_format: format } = body;
  const last = messages.at(-1);
  if (last.role === 'tool') return { content: WEATHER_TEXT };
  if (Array.isArray(tools) && tools.length > 0 && choice !== 'none') {
    const named = choice?.function?.name;
    const offered =
      named === undefined ? tools[0] : tools.find((tool: ToolExpertRequest) => tool['function'].name === named);
    const isBoth =
      named === undefined && body['parallel_tool_calls'] !== false && JSON.stringify(last.content).includes('both');
    const cities = isBoth ? ['Paris', 'Rome'] : ['Paris'];
    return {
      content: null,
      tool_calls: cities.map((city, index) => ({
        id: `call_${index}_${messages.length}`,
        type: 'function',
        function: {
          name: offered.function.name,
          arguments: JSON.stringify(argumentsFor(offered.function.parameters, city)),
        },
      })),
    };
  }
  if (format?.type === 'json_schema' || format?.type === 'json_object') return { content: JSON.stringify(WEATHER) };
  return { content: WEATHER_TEXT };
}

/** Only what the schema asks for: strict clients refuse more. */
function argumentsFor(parameters: ToolExpertRequest | undefined, city: string): object {
  const properties = Object.keys(parameters?.['properties'] ?? { city: {} });
  const known: Record<string, unknown> = { ...WEATHER, city };
  return Object.fromEntries(properties.map((name) => [name, known[name] ?? 'something']));
}

function whole(response: ServerResponse, said: Said): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      id: 'chatcmpl-tools',
      object: 'chat.completion',
      created: 1_760_000_000,
      model: 'tool-model',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', refusal: null, annotations: [], ...said },
          logprobs: null,
          finish_reason: said.tool_calls === undefined ? 'stop' : 'tool_calls',
        },
      ],
      usage: USAGE,
      service_tier: 'default',
      system_fingerprint: 'fp_tools',
    }),
  );
}

function stream(response: ServerResponse, body: ToolExpertRequest, said: Said): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const asksUsage = body['stream_options']?.include_usage === true;
  const head = { id: 'chatcmpl-tools', object: 'chat.completion.chunk', created: 1_760_000_000, model: 'tool-model' };
  const send = (delta: object, finish: string | null = null): void => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    response.write(`data: ${JSON.stringify({ ...head, choices, ...(asksUsage ? { usage: null } : {}) })}\n\n`);
  };
  send({ role: 'assistant', content: said.tool_calls === undefined ? '' : null, refusal: null });
  for (const piece of said.content?.match(/.{1,6}/gs) ?? []) send({ content: piece });
  for (const [index, call] of (said.tool_calls ?? []).entries()) {
    send({
      tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } }],
    });
    for (const piece of call.function.arguments.match(/.{1,7}/gs) ?? [])
      send({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  send({}, said.tool_calls === undefined ? 'stop' : 'tool_calls');
  if (asksUsage) response.write(`data: ${JSON.stringify({ ...head, choices: [], usage: USAGE })}\n\n`);
  response.end('data: [DONE]\n\n');
}
