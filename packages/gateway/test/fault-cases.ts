/** The ways in which an expert can fail, and what is to come of each: one table for the tests and for comparisons. */
import type { Behaviour } from './upstream.ts';

/** One fault in one form. */
export interface FaultCase {
  readonly fault: Behaviour | 'refused';
  readonly form: 'json' | 'stream';
  /** `gateway.code` of the error, and the code in the trace. */
  readonly code: string;
  /** HTTP status of the error, where it is not too late for one. */
  readonly status: number;
  /** Whom the gateway may ask after it. `late`: the client has seen content, nobody. */
  readonly next: 'other' | 'nobody' | 'late';
  /** `error.code` where it is the upstream's own. */
  readonly wireCode?: string;
  readonly upstreamStatus?: number;
}

const both = (row: Omit<FaultCase, 'form'>): FaultCase[] => [
  { ...row, form: 'json' },
  { ...row, form: 'stream' },
];

/** Every fault in every form that it has. */
export const FAULT_CASES: readonly FaultCase[] = [
  ...both({ fault: 'rateLimited', code: 'GW_UPSTREAM_RATE_LIMIT', status: 429, next: 'other', upstreamStatus: 429 }),
  ...both({ fault: 'status500', code: 'GW_UPSTREAM_STATUS', status: 502, next: 'other', upstreamStatus: 500 }),
  ...both({ fault: 'status503', code: 'GW_UPSTREAM_STATUS', status: 502, next: 'other', upstreamStatus: 503 }),
  ...both({ fault: 'status529', code: 'GW_UPSTREAM_STATUS', status: 502, next: 'other', upstreamStatus: 529 }),
  ...both({ fault: 'status404', code: 'GW_UPSTREAM_STATUS', status: 502, next: 'other', upstreamStatus: 404 }),
  ...both({ fault: 'redirect', code: 'GW_UPSTREAM_STATUS', status: 502, next: 'other', upstreamStatus: 302 }),
  ...both({ fault: 'unauthorized', code: 'GW_UPSTREAM_AUTH', status: 502, next: 'other', upstreamStatus: 401 }),
  ...both({
    fault: 'status400',
    code: 'GW_UPSTREAM_REJECTED',
    wireCode: 'bad_top_p',
    status: 400,
    next: 'nobody',
    upstreamStatus: 400,
  }),
  ...both({
    fault: 'status413',
    code: 'GW_UPSTREAM_REJECTED',
    wireCode: 'too_long',
    status: 413,
    next: 'nobody',
    upstreamStatus: 413,
  }),
  ...both({
    fault: 'status422',
    code: 'GW_UPSTREAM_REJECTED',
    wireCode: 'unprocessable',
    status: 422,
    next: 'nobody',
    upstreamStatus: 422,
  }),
  ...both({ fault: 'endless400', code: 'GW_UPSTREAM_REJECTED', status: 400, next: 'nobody', upstreamStatus: 400 }),
  ...both({ fault: 'cut400', code: 'GW_UPSTREAM_REJECTED', status: 400, next: 'nobody', upstreamStatus: 400 }),
  ...both({ fault: 'refused', code: 'GW_UPSTREAM_CONNECT', status: 502, next: 'other' }),
  ...both({ fault: 'reset', code: 'GW_UPSTREAM_RESET', status: 502, next: 'other' }),
  ...both({ fault: 'silent', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'other' }),
  ...both({ fault: 'html', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' }),
  ...both({ fault: 'brokenJson', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' }),
  ...both({ fault: 'noChoices', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' }),
  ...both({ fault: 'errorIn200', code: 'GW_UPSTREAM_ERROR_EVENT', status: 502, next: 'other' }),
  { fault: 'emptyJson', form: 'json', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' },
  { fault: 'resetMidJson', form: 'json', code: 'GW_UPSTREAM_RESET', status: 502, next: 'other' },
  { fault: 'shortJson', form: 'json', code: 'GW_UPSTREAM_RESET', status: 502, next: 'other' },
  { fault: 'stallMidJson', form: 'json', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'other' },
  { fault: 'invalidUtf8', form: 'json', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' },
  { fault: 'oversized', form: 'json', code: 'GW_UPSTREAM_TOO_LARGE', status: 502, next: 'other' },
  { fault: 'jsonForStream', form: 'stream', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'other' },
  { fault: 'errorFirst', form: 'stream', code: 'GW_UPSTREAM_ERROR_EVENT', status: 502, next: 'other' },
  { fault: 'cutAtOnce', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'other' },
  { fault: 'cutBeforeContent', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'other' },
  { fault: 'resetBeforeContent', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'other' },
  { fault: 'stallBeforeContent', form: 'stream', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'other' },
  { fault: 'heartbeats', form: 'stream', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'other' },
  { fault: 'rolesOnly', form: 'stream', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'other' },
  { fault: 'errorAfterHeartbeats', form: 'stream', code: 'GW_UPSTREAM_ERROR_EVENT', status: 502, next: 'other' },
  { fault: 'heartbeatsAfterContent', form: 'stream', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'late' },
  { fault: 'endlessLine', form: 'stream', code: 'GW_UPSTREAM_TOO_LARGE', status: 502, next: 'other' },
  { fault: 'errorMiddle', form: 'stream', code: 'GW_UPSTREAM_ERROR_EVENT', status: 502, next: 'late' },
  { fault: 'brokenEventLater', form: 'stream', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'late' },
  { fault: 'stallAfterContent', form: 'stream', code: 'GW_UPSTREAM_TIMEOUT', status: 504, next: 'late' },
  { fault: 'cutAfterContent', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'late' },
  { fault: 'resetAfterContent', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'late' },
  { fault: 'doneWithoutFinish', form: 'stream', code: 'GW_UPSTREAM_TRUNCATED', status: 502, next: 'late' },
  { fault: 'invalidUtf8', form: 'stream', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'late' },
  { fault: 'cutCharacter', form: 'stream', code: 'GW_UPSTREAM_MALFORMED', status: 502, next: 'late' },
  { fault: 'oversized', form: 'stream', code: 'GW_UPSTREAM_TOO_LARGE', status: 502, next: 'late' },
];
