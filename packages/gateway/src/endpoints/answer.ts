/** A request of any dialect: read, decided, driven, and answered in the dialect's own form. */
import type { Delivery, Drive } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { milliseconds, timingHeaders, waitedMs } from '../http/overhead.ts';
import { sendError } from '../http/send.ts';
import { cutWhenStalled, sseWriter } from '../http/sse.ts';
import { toHttpError } from '../http-errors.ts';
import { ofPrincipal, requireModel } from '../identity/principal.ts';
import { type Decision, meantModel } from '../pipeline.ts';
import { redact } from '../redact.ts';
import type { Dialect, DialectStream } from '../wire/dialect.ts';
import { parseJsonBody } from '../wire/request.ts';
import type { EndpointContext, Exchange } from './endpoint.ts';
import { seedOf } from './seed.ts';

/** Answers one request. */
export async function answer(
  { gateway, log, pace }: EndpointContext,
  dialect: Dialect,
  { request, response, principal, notes }: Exchange,
): Promise<void> {
  const { clientStallMs, maxBodyBytes } = gateway.runtime.config.server;
  const body = await readBody(request, maxBodyBytes);
  const readMs = performance.now();
  const asked = dialect.read(parseJsonBody(body), { principal });
  const reading = asked instanceof Promise ? await asked : asked;
  const { request: chatRequest, notCarried } = reading;
  const writer = chatRequest.stream === true ? sseWriter(response, clientStallMs, pace) : undefined;
  let stream: DialectStream | undefined;
  const delivery: Delivery = {
    begin(expert, confidence, lost) {
      stream = reading.stream(contextOf(expert));
      writer!.begin([
        ...headersOf(exchange.traceId, exchange.decision, expert, undefined, confidence, notCarried, lost),
        ...cacheHeaders(exchange.drive),
        ...timingHeaders(startedMs - readMs),
      ]);
      void writer!.event(stream.begin());
    },
    chunk: (data, chunk) => writer!.event(stream!.chunk(data, chunk)),
  };
  const createdS = Math.floor(Date.now() / 1000);
  const contextOf = ({ expert }: LiveExpert) => ({ traceId: exchange.traceId, createdS, expert: expert.id });
  const seed = seedOf(request);
  requireModel(principal, meantModel(gateway.runtime, chatRequest.model));
  const said = ofPrincipal(principal, hintsOf(request.headers, chatRequest.user, chatRequest));
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
  const startedMs = performance.now();
  if (notes !== undefined) {
    notes.trace = exchange.traceId;
    notes.mode = exchange.decision.mode.name;
  }
  for (const [name, value] of exchange.limits) response.setHeader(name, value);
  let isOver = false;
  // `close` also comes after a whole answer: then nothing is left to cancel.
  response.on('close', () => {
    if (!isOver) exchange.drive.cancel();
  });
  const { result } = await exchange.done;
  isOver = true;
  const expertsMs = waitedMs(result.calls, result.cache);
  const ownMs = performance.now() - readMs - expertsMs;
  if (notes !== undefined && result.expert !== undefined) notes.expert = result.expert.expert.id;
  gateway.metrics.overhead(exchange.decision.mode.name, Math.max(0, ownMs) / 1000);
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
      sendError(response, { ...httpError, body: dialect.error(httpError) }, [
        ...headersOf(exchange.traceId, exchange.decision, result.expert, result.costUsd, undefined, notCarried, []),
        ...cacheHeaders(exchange.drive),
        ...timingHeaders(ownMs, expertsMs),
      ]);
    return;
  }
  if (writer !== undefined) {
    const last = stream!.end();
    const kept = reading.keep?.();
    if (kept !== undefined) await kept;
    writer.end(last, {
      'x-gw-cost-usd': plainNumber(result.costUsd),
      'x-gw-overhead-ms': milliseconds(ownMs),
      ...(result.confidence === undefined ? {} : { 'x-gw-confidence': result.confidence.toFixed(4) }),
    });
    cutWhenStalled(response, clientStallMs);
    return;
  }
  const { completion, expert } = result;
  const payload = Buffer.from(reading.whole(completion!.body, completion!.data, contextOf(expert!)));
  const kept = reading.keep?.();
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
    ...cacheHeaders(exchange.drive),
    ...timingHeaders(ownMs, expertsMs),
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

/** Nothing where the mode has no cache. */
function cacheHeaders({ cache }: Drive): string[] {
  if (cache === undefined) return [];
  const headers = ['x-gw-cache', cache.outcome];
  if (cache.ageMs !== undefined) headers.push('age', String(Math.floor(cache.ageMs / 1000)));
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
