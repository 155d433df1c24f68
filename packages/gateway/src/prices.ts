/** The gateway's shadow prices: load and rate of each expert, and the spending of all, by the kernel's one update rule. */
import { type PriceRule, smoothedPrices, updatePrices } from '@gatewright/kernel';
import type { Config } from './config/config.ts';
import type { LiveExpert } from './experts.ts';

/** Prices in force, in units of quality. */
export interface PriceBook {
  /**
   * Price of one request to an expert: its load and rate prices, and the spending price times what this request costs
   * relative to the mean cost of a call.
   */
  priceOf(expert: number, costUsd: number): number;
  /** Brings prices up to date with the clock and the experts' counters. Cheap when nothing is due. */
  advance(nowMs: number): void;
  /** For metrics and the page: `[experts]` each. */
  readonly load: Float64Array;
  readonly rate: Float64Array;
  /** The one price of spending. */
  readonly spend: Float64Array;
}

/** One update a second: fast enough to follow a burst, slow enough that one request is not a trend. */
const PERIOD_MS = 1_000;
/** After a pause this many empty updates stand for all: prices have decayed by then. */
const MOST_UPDATES = 60;
/**
 * Requests and cents come in lumps: one call a minute is far over a second's share of it and then far under. Their rates
 * are means over about this many periods, so that a price follows the trend.
 */
const SMOOTHED_PERIODS = 30;

/**
 * A price book over the experts of one configuration.
 *
 * Capacities come from `capacity` of each expert and from `prices.spendUsdPerHour`; what has none stays at price 0.
 */
export function priceBook(experts: readonly LiveExpert[], config: Config['prices'], startMs: number): PriceBook {
  const rule: PriceRule = { stepSize: config.stepSize, cap: config.cap };
  const load = new Float64Array(experts.length);
  const loadCapacity = Float64Array.from(experts, ({ expert }) => expert.capacity?.concurrent ?? Infinity);
  const rateCapacity = Float64Array.from(
    experts,
    ({ expert }) => ((expert.capacity?.requestsPerMinute ?? Infinity) * PERIOD_MS) / 60_000,
  );
  const spendCapacity = Float64Array.of(((config.spendUsdPerHour ?? Infinity) * PERIOD_MS) / 3_600_000);
  const smoothed = { ...rule, smoothedPeriods: SMOOTHED_PERIODS };
  const rate = smoothedPrices(rateCapacity, smoothed);
  const spend = smoothedPrices(spendCapacity, smoothed);
  const isAnyLimited = [...loadCapacity, ...rateCapacity, ...spendCapacity].some((capacity) => capacity < Infinity);
  const used = new Float64Array(experts.length);
  const spent = new Float64Array(1);
  const started = new Float64Array(experts.length);
  let bookedUsd = totalCost(experts);
  let updatedMs = startMs;

  return {
    load,
    rate: rate.prices,
    spend: spend.prices,
    priceOf(expert, costUsd) {
      const own = load[expert]! + rate.prices[expert]!;
      if (spend.prices[0] === 0) return own;
      const meanUsd = meanCost(experts);
      return own + (meanUsd > 0 ? spend.prices[0]! * (costUsd / meanUsd) : 0);
    },
    advance(nowMs) {
      // A clock that was set back goes on from there.
      if (nowMs < updatedMs) updatedMs = nowMs;
      if (!isAnyLimited || nowMs - updatedMs < PERIOD_MS) return;
      const periods = Math.min(MOST_UPDATES, Math.floor((nowMs - updatedMs) / PERIOD_MS));
      updatedMs = nowMs;
      for (let period = 0; period < periods; period++) {
        // What happened since the last update is spread evenly over the periods that went by.
        for (let i = 0; i < experts.length; i++)
          used[i] = period === 0 ? Math.max(experts[i]!.peakInFlight, experts[i]!.inFlight) : experts[i]!.inFlight;
        updatePrices(load, used, loadCapacity, rule);
        for (let i = 0; i < experts.length; i++) started[i] = experts[i]!.startedSinceUpdate / periods;
        rate.update(started);
        spent[0] = (totalCost(experts) - bookedUsd) / periods;
        spend.update(spent);
      }
      bookedUsd = totalCost(experts);
      for (const live of experts) {
        live.peakInFlight = live.inFlight;
        live.startedSinceUpdate = 0;
      }
    },
  };
}

function totalCost(experts: readonly LiveExpert[]): number {
  let sum = 0;
  for (const live of experts) sum += live.costUsd;
  return sum;
}

function meanCost(experts: readonly LiveExpert[]): number {
  let calls = 0;
  for (const live of experts) calls += live.ok + live.failed + live.cancelled;
  return calls === 0 ? 0 : totalCost(experts) / calls;
}
