/** Sends the spans of finished requests over OTLP/HTTP. Nothing waits for it: what has no room is dropped and counted. */
import { GatewrightError } from '@gatewright/kernel';
import type { HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { type FinishedRequest, numbersOf, type SpanFacts, spansOf } from './spans.ts';

/** Options, as in the configuration under `telemetry`. */
export interface TelemetryOptions {
  readonly otlp?: {
    readonly url?: string;
    readonly headersEnv?: string;
    readonly sampleRatio?: number;
    readonly propagate?: boolean;
    readonly queue?: number;
  };
  readonly serviceName?: string;
}

/** What became of finished requests since the start. */
export interface TelemetryCounts {
  readonly exported: number;
  /** There was no room to wait. */
  readonly dropped: number;
  /** Nobody took them. */
  readonly failed: number;
}

/** Takes finished requests. */
export interface Telemetry {
  readonly sampleRatio: number;
  /** Whether experts are told the trace. */
  readonly propagates: boolean;
  /** Queues a request, if its context is sampled. Never throws, never waits. */
  record(finished: FinishedRequest): void;
  counts(): TelemetryCounts;
  /** Sends what is waiting, for some seconds at most. */
  close(): Promise<void>;
}

/** Requests are sent together, at most this long after the first of them, milliseconds. */
const BATCH_MS = 1_000;
/** Requests of one message. */
const BATCH_REQUESTS = 256;
/** A collector that takes longer than this, in milliseconds, is not waited for. */
const EXPORT_TIMEOUT_MS = 5_000;
/** Time to send what is left when the gateway ends, milliseconds. */
const CLOSE_MS = 3_000;

/**
 * Telemetry where the configuration or the standard environment (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
 * `OTEL_EXPORTER_OTLP_ENDPOINT`) names a collector, else undefined.
 *
 * @throws {GatewrightError} `GW_OPTION` if the address is none, `GW_KEY_MISSING` if `headersEnv` is not set
 */
export function telemetryOf(
  options: TelemetryOptions | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Telemetry | undefined {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return undefined;
  const url = addressOf(options?.otlp?.url, env);
  if (url === undefined) return undefined;
  const { headersEnv, sampleRatio = 1, propagate = true, queue: most = 2_048 } = options?.otlp ?? {};
  const headers = headersOf(headersEnv, env);
  const serviceName = options?.serviceName ?? (env['OTEL_SERVICE_NAME'] || 'gatewright');
  let exporter: Promise<{ exporter: SpanExporter; resource: Resource }> | undefined;
  let queue: FinishedRequest[] = [];
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let exported = 0;
  let dropped = 0;
  let failed = 0;

  // Loaded with the first request that is sampled: whoever exports nothing pays nothing.
  const connect = async (): Promise<{ exporter: SpanExporter; resource: Resource }> => {
    const [{ OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
    return {
      exporter: new OTLPTraceExporter({ url, headers, timeoutMillis: EXPORT_TIMEOUT_MS, concurrencyLimit: 2 }),
      resource: resourceFromAttributes({ 'service.name': serviceName }),
    };
  };
  const send = async (): Promise<void> => {
    const batch = queue.slice(0, BATCH_REQUESTS);
    queue = queue.slice(BATCH_REQUESTS);
    try {
      exporter ??= connect();
      const { exporter: to, resource } = await exporter;
      const spans = batch.flatMap(spansOf).map((span) => readable(span, resource));
      const isTaken = await new Promise<boolean>((resolve) => to.export(spans, ({ code }) => resolve(code === 0)));
      if (isTaken) exported += batch.length;
      else failed += batch.length;
    } catch {
      failed += batch.length;
    }
  };
  const flush = (): void => {
    timer = undefined;
    sending ??= send().finally(() => {
      sending = undefined;
      if (queue.length > 0) schedule();
    });
  };
  const schedule = (): void => {
    if (sending !== undefined) return;
    // A full batch does not wait for the time.
    if (queue.length === BATCH_REQUESTS) {
      clearTimeout(timer);
      timer = undefined;
    }
    if (timer !== undefined) return;
    timer = setTimeout(flush, queue.length >= BATCH_REQUESTS ? 0 : BATCH_MS);
    timer.unref();
  };

  return {
    sampleRatio,
    propagates: propagate,
    record(finished) {
      if (!finished.context.isSampled) return;
      if (queue.length >= most) {
        dropped++;
        return;
      }
      queue.push({ ...finished, request: numbersOf(finished.request) });
      schedule();
    },
    counts: () => ({ exported, dropped, failed }),
    async close() {
      clearTimeout(timer);
      let cut: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        cut = setTimeout(resolve, CLOSE_MS);
      });
      const rest = async (): Promise<void> => {
        await sending;
        clearTimeout(timer);
        while (queue.length > 0) await send();
        await (await exporter?.catch(() => undefined))?.exporter.shutdown();
      };
      await Promise.race([rest().catch(() => {}), late]);
      clearTimeout(cut);
      clearTimeout(timer);
      // What is left when the time is up goes nowhere.
      dropped += queue.length;
      queue = [];
    },
  };
}

function addressOf(
  configured: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const common = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const url =
    configured ??
    (env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || (common ? `${common.replace(/\/+$/, '')}/v1/traces` : undefined));
  if (url === undefined) return undefined;
  const isUsable = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).username === '';
  if (isUsable) return url;
  // It may hold a password: it must not stand in the message.
  throw new GatewrightError('GW_OPTION', 'The address of the collector is not an http or https URL without a user.', {
    fix: 'For example http://127.0.0.1:4318/v1/traces; a key belongs into the variable that headersEnv names.',
    path: 'telemetry.otlp.url',
  });
}

/** `name=value,name=value`, values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it. */
function headersOf(
  name: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const text = name === undefined ? env['OTEL_EXPORTER_OTLP_HEADERS'] : env[name];
  if (name !== undefined && (text === undefined || text === ''))
    throw new GatewrightError('GW_KEY_MISSING', `The environment variable ${name} is not set.`, {
      fix: `Set it: export ${name}='name=value'`,
      path: 'telemetry.otlp.headersEnv',
    });
  const headers: Record<string, string> = {};
  for (const pair of (text ?? '').split(',')) {
    const equals = pair.indexOf('=');
    if (equals <= 0) continue;
    const value = pair.slice(equals + 1).trim();
    headers[pair.slice(0, equals).trim()] = /%[0-9a-f]{2}/i.test(value) ? decoded(value) : value;
  }
  return headers;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** `SpanKind` and `SpanStatusCode`, without loading their package at every start. */
const SERVER: SpanKind.SERVER = 1;
const CLIENT: SpanKind.CLIENT = 2;
const UNSET: SpanStatusCode.UNSET = 0;
const ERROR: SpanStatusCode.ERROR = 2;

function readable(span: SpanFacts, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentId, startMs, endMs, error } = span;
  const context = (id: string) => ({ traceId, spanId: id, traceFlags: 1 });
  return {
    name: span.name,
    kind: span.kind === 'server' ? SERVER : CLIENT,
    spanContext: () => context(spanId),
    ...(parentId === undefined
      ? {}
      : { parentSpanContext: { ...context(parentId), isRemote: span.kind === 'server' } }),
    startTime: highResolution(startMs),
    endTime: highResolution(endMs),
    duration: highResolution(endMs - startMs),
    status: error === undefined ? { code: UNSET } : { code: ERROR, message: error },
    attributes: { ...span.attributes },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'gatewright' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function highResolution(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1_000) * 1_000_000))];
}
