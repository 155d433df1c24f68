/** W3C Trace Context: who called us in which trace, and what the experts are told. */
import { hash } from 'node:crypto';

/** Where a request stands in a trace that others may be part of. */
export interface TraceContext {
  /** 32 hex digits, not all 0. */
  readonly traceId: string;
  /** Span of whoever called us, 16 hex digits; undefined where nobody said. */
  readonly parentId: string | undefined;
  /** Of the request's own span. */
  readonly spanId: string;
  /** Whether its spans are exported. */
  readonly isSampled: boolean;
}

/** Version 00, and any later one with more behind it (W3C Trace Context, section 3.2). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * The context of a request. Ids come from the id of our own trace: nothing has to be kept to find them again.
 *
 * @param header `traceparent` as received; what is not one is left alone
 * @param gatewayTraceId `tr_...`
 * @param sampleRatio share of requests without a caller's word that are sampled, 0..1
 */
export function traceContext(
  header: string | string[] | undefined,
  gatewayTraceId: string,
  sampleRatio: number,
): TraceContext {
  const digest = hash('sha256', gatewayTraceId, 'hex');
  const spanId = nonZero(digest.slice(32, 48));
  const [, version, traceId, parentId, flags, rest] = (typeof header === 'string' && TRACEPARENT.exec(header)) || [];
  if (traceId === undefined || (version === '00' && rest !== undefined)) {
    // As samplers of other programs do: the same trace id, the same answer everywhere.
    const isSampled = Number.parseInt(digest.slice(24, 32), 16) < sampleRatio * 0x1_0000_0000;
    return { traceId: nonZero(digest.slice(0, 32)), parentId: undefined, spanId, isSampled };
  }
  return { traceId, parentId, spanId, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

/** Id of the span of a call. @param order of the calls of a request, from 0, as they were started */
export function callSpanId(gatewayTraceId: string, order: number): string {
  return nonZero(hash('sha256', `${gatewayTraceId}/${order}`, 'hex').slice(0, 16));
}

/** The header that an expert gets: its caller is the span of the call. */
export function traceparentOf({ traceId, isSampled }: TraceContext, spanId: string): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

function nonZero(hex: string): string {
  return /^0+$/.test(hex) ? `${hex.slice(1)}1` : hex;
}
