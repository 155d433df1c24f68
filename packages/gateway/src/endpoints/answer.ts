/** A request of any dialect: read, decided, driven, and answered in the dialect's own form. */
import type { Delivery } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { sendError } from '../http/send.ts';
import { cutWhenStalled, sseWriter } from '../http/sse.ts';
import { toHttpError } from '../http-errors.ts';
import type { Decision } from '../pipeline.ts';
import { redact } from '../redact.ts';
import type { Dialect, DialectStream } from '../wire/dialect.ts';
import { parseJsonBody } from '../wire/request.ts';
import type { EndpointContext, Exchange } from './endpoint.ts';
import { seedOf } from './seed.ts';

/** Answers one request. */
export async function answer(
  { gateway, log, pace }: EndpointContext,
  dialect: Dialect,
  { request, response, principal }: Exchange,
): Promise<void> {
  const { clientStallMs, maxBodyBytes } = gateway.runtime.config.server;
  const body = await readBody(request, maxBodyBytes);
  const asked = dialect.read(parseJsonBody(body));
  const reading = asked instanceof Promise ? await asked : asked;
  const { request: chatRequest, notCarried } = reading;
  const writer = chatRequest.stream === true ? sseWriter(response, clientStallMs, pace) : undefined;
  let stream: DialectStream | undefined;
  const delivery: Delivery = {
    begin(expert, confidence, lost) {
      stream = reading.stream(contextOf(expert));
      writer!.begin(headersOf(exchange.traceId, exchange.decision, expert, undefined, confidence, notCarried, lost));
      void writer!.event(stream.begin());
    },
    chunk: (data, chunk) => writer!.event(stream!.chunk(data, chunk)),
  };
  const createdS = Math.floor(Date.now() / 1000);
  const contextOf = ({ expert }: LiveExpert) => ({ traceId: exchange.traceId, createdS, expert: expert.id });
  const seed = seedOf(request);
  const said = hintsOf(request.headers, chatRequest.user);
  const fetched = gateway.prepare(chatRequest, said);
  const hints = fetched === undefined ? said : await fetched;
  if (response.destroyed) return;
  const exchange = gateway.chat({
    request: chatRequest,
    body,
    seed,
    delivery,
    hints,
    principal,
    dialect: dialect.name,
    headers: request.headers,
  });
  let isOver = false;
  // `close` also comes after a whole answer: then nothing is left to cancel.
  response.on('close', () => {
    if (!isOver) exchange.drive.cancel();
  });
  const { result } = await exchange.done;
  isOver = true;
  if (result.status === 'cancelled' || response.destroyed) {
    response.destroy();
    return;
  }
  if (result.status === 'error') {
    const httpError = toHttpError(result.failure, exchange.traceId);
    if (httpError.code === 'GW_INTERNAL')
      log('error', 'request failed', { trace: exchange.traceId, error: stackOf(result.failure) });
    if (writer?.hasBegun === true) writer.fail(stream!.fail(httpError));
    else
      sendError(
        response,
        { ...httpError, body: dialect.error(httpError) },
        headersOf(exchange.traceId, exchange.decision, result.expert, result.costUsd, undefined, notCarried, []),
      );
    return;
  }
  const kept = reading.keep?.();
  if (writer !== undefined) {
    const last = stream!.end();
    if (kept !== undefined) await kept;
    writer.end(last, {
      'x-gw-cost-usd': plainNumber(result.costUsd),
      ...(result.confidence === undefined ? {} : { 'x-gw-confidence': result.confidence.toFixed(4) }),
    });
    cutWhenStalled(response, clientStallMs);
    return;
  }
  const { completion, expert } = result;
  const payload = Buffer.from(reading.whole(completion!.body, completion!.data, contextOf(expert!)));
  if (kept !== undefined) await kept;
  response.writeHead(200, [
    'content-type',
    'application/json',
    'content-length',
    String(payload.length),
    ...headersOf(
      exchange.traceId,
      exchange.decision,
      expert,
      result.costUsd,
      result.confidence,
      notCarried,
      result.notCarried,
    ),
  ]);
  response.end(payload);
  cutWhenStalled(response, clientStallMs);
}

function headersOf(
  traceId: string,
  decision: Decision,
  expert: LiveExpert | undefined,
  costUsd: number | undefined,
  confidence: number | undefined,
  lostByDialect: readonly string[],
  lostByProvider: readonly string[],
): string[] {
  const headers = ['x-gw-trace', traceId, 'x-gw-mode', decision.mode.name];
  if (expert !== undefined) headers.push('x-gw-expert', expert.expert.id);
  if (costUsd !== undefined) headers.push('x-gw-cost-usd', plainNumber(costUsd));
  if (confidence !== undefined) headers.push('x-gw-confidence', confidence.toFixed(4));
  if (lostByDialect.length + lostByProvider.length > 0)
    headers.push('x-gw-not-carried', headerList([...lostByDialect, ...lostByProvider]));
  return headers;
}

/** Paths may hold what a client wrote: only what a header may hold gets through, and not without end. */
function headerList(paths: readonly string[]): string {
  return [...new Set(paths)]
    .map((path) => path.replace(/[^\w.[\]-]/g, '?').slice(0, 80))
    .slice(0, 20)
    .join(', ');
}

/** Without an exponent, which some clients do not read as a number. */
function plainNumber(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(12).replace(/0+$/, '').replace(/\.$/, '') : text;
}

function stackOf(error: unknown): string {
  // A stranger's message may hold anything.
  return redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
