/** A request of any dialect: read, decided, driven, and answered in the dialect's own form. */
import type { Delivery, Drive } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { milliseconds, timingHeaders, waitedMs } from '../http/overhead.ts';
import { sendError } from '../http/send.ts';
import { cutWhenStalled, sseWriter } from '../http/sse.ts';
import { toHttpError } from '../http-errors.ts';
import { requireModels } from '../identity/allowed-models.ts';
import { ofPrincipal } from '../identity/principal.ts';
import type { Decision } from '../pipeline.ts';
import { ProviderFailure } from '../providers/failure.ts';
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
  const said = ofPrincipal(principal, hintsOf(request.headers, chatRequest.user, chatRequest));
  requireModels(gateway.runtime, principal, chatRequest.model, said.requires?.models);
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
  const fail = (failure: unknown): void => {
    const httpError = toHttpError(failure, exchange.traceId);
    if (httpError.code === 'GW_INTERNAL')
      log('error', 'request failed', { trace: exchange.traceId, error: stackOf(failure) });
    if (writer?.hasBegun === true) writer.fail(stream!.fail(httpError));
    else
      sendError(response, { ...httpError, body: dialect.error(httpError) }, [
        ...headersOf(exchange.traceId, exchange.decision, result.expert, result.costUsd, undefined, notCarried, []),
        ...cacheHeaders(exchange.drive),
        ...timingHeaders(ownMs, expertsMs),
      ]);
  };
  if (result.status === 'error') {
    fail(result.failure);
    return;
  }
  if (writer !== undefined) {
    const last = written(() => stream!.end());
    if (last instanceof ProviderFailure) {
      fail(last);
      return;
    }
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
  const whole = written(() => reading.whole(completion!.body, completion!.data, contextOf(expert!)));
  if (whole instanceof ProviderFailure) {
    fail(whole);
    return;
  }
  const payload = Buffer.from(whole);
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

/** JSON.parse takes deeper nesting than JSON.stringify: an expert's answer may be one that only its own format can tell. */
function written(write: () => string): string | ProviderFailure {
  try {
    return write();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return new ProviderFailure('GW_UPSTREAM_MALFORMED', 'The answer is nested too deeply to be told in this format.', {
      fix: 'Ask another expert, or this one over its own format.',
      elsewhere: true,
      cause,
    });
  }
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

/** More than these are counted. */
const MOST_PATHS = 20;

/** Paths may hold what a client wrote: only what a header may hold gets through, and not without end. */
function headerList(paths: readonly string[]): string {
  const all = [...new Set(paths)];
  const shown = all.slice(0, MOST_PATHS).map((path) => path.slice(0, 80).replace(/[^\w.[\]-]/g, '?'));
  return all.length <= MOST_PATHS ? shown.join(', ') : `${shown.join(', ')}, +${all.length - MOST_PATHS}`;
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
