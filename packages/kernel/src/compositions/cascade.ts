import { type AcceptanceClaim, type StatedError, statedError } from '../calibration/acceptance-claim.ts';
import type { CalibratorState } from '../calibration/calibration.ts';
import { restoreCalibrator } from '../calibration/restore-calibrator.ts';
import { OptionError } from '../errors.ts';
import { numberOption, onlyOptions } from '../options.ts';
import type { Composition, GateRecord, Outcome, Step } from './composition.ts';

/**
 * Asks the experts in order and escalates while the answer is not trusted. The client sees nothing of an answer before
 * it is accepted. The last expert's answer stands; where the last one fails, or any of them refuses the request for
 * everybody, the most trusted whole answer so far does.
 *
 * An answer without a confidence is not trusted: a threshold that nobody measures would be a promise without cover.
 *
 * With `prefixTokens` the decision falls on the first tokens of the answer: an accepted one streams on from there, a
 * rejected one is dropped without paying for the rest of it. With `prefixMs` it falls then at the latest, on what has come by
 * then: an answer of which nothing has come has no confidence, and is escalated.
 *
 * With `accept` instead of `minConfidence` the threshold is one that calibration data supports, and every gate record says
 * what is promised of the accepted answers. A promise without such data is refused.
 *
 * @throws {OptionError} if `minConfidence` is outside 0..1, or another option is not a whole number of at least 1; if both or
 *   neither of `minConfidence` and `accept` are given
 * @throws {UnknownNameError} `GW_UNKNOWN_NAME` if `calibrator` is of no known method
 * @throws {GatewrightError} `GW_CALIBRATION_STATE` if it is damaged; `GW_ACCEPT_UNCALIBRATED` or `GW_ACCEPT_TOO_FEW` if `accept`
 *   promises more than its data can show
 * @see Chen, Zaharia, Zou 2023, "FrugalGPT", arXiv:2305.05176, section 3 (LLM cascade). There a learned scorer judges
 *   the answer; here its confidence is whatever the expert's answer carries, and the fallback to the most trusted
 *   answer is ours.
 */
export function cascade(options: {
  /** Least confidence at which an answer is accepted, 0..1. Promises nothing. */
  minConfidence?: number;
  /**
   * The threshold that `accept` of the calibration chose, with its promise. In the place of `minConfidence`. Its data must be
   * answers as they reach these gates: a later expert sees only what the ones before it could not answer, so a promise from
   * its answers to everything says nothing here.
   */
  accept?: AcceptanceClaim;
  /**
   * Snapshot of the calibrator that turns the confidence into the chance of being right before it is compared. It is in every
   * trace: `platt` has two numbers, an isotonic one may have hundreds. Default: the confidence as it is.
   */
  calibrator?: CalibratorState;
  /** Most experts asked. Default: all that are ranked. */
  attempts?: number;
  /** Decide after this many content tokens. Default: on the whole answer. */
  prefixTokens?: number;
  /** Decide after this many milliseconds, if the prefix is not there by then. Only with `prefixTokens`. Default: wait for it. */
  prefixMs?: number;
}): Composition {
  onlyOptions(options, ['minConfidence', 'accept', 'calibrator', 'attempts', 'prefixTokens', 'prefixMs']);
  const { minConfidence, stated } = gateOf(options);
  const calibrator = options.calibrator === undefined ? undefined : restoreCalibrator(options.calibrator);
  const attempts =
    options.attempts === undefined
      ? Infinity
      : numberOption('attempts', options.attempts, { min: 1, whole: true }, 'Leave it out to allow all.');
  const prefixTokens =
    options.prefixTokens === undefined
      ? undefined
      : numberOption(
          'prefixTokens',
          options.prefixTokens,
          { min: 1, whole: true },
          'Leave it out to judge whole answers.',
        );

  const prefixMs = prefixMsOf(options.prefixMs, prefixTokens);

  return {
    needsConfidence: true,
    maxCalls: (ranked) => Math.min(attempts, ranked),
    *start(ranked) {
      const last = Math.min(attempts, ranked) - 1;
      const gates: GateRecord[] = [];
      let mostTrusted: Outcome | undefined;
      for (let rank = 0; ; rank++) {
        const isLast = rank === last;
        const [outcome] = yield firstStep(rank, isLast, prefixTokens, prefixMs);
        if (outcome!.status === 'error' || outcome!.status === 'cancelled') {
          if (outcome!.released) return { rank, gates, reason: 'failed after a part of the answer was out' };
          const isRefused = outcome!.elsewhere === false;
          if (!isLast && !isRefused) continue;
          if (mostTrusted !== undefined) {
            return {
              rank: mostTrusted.rank,
              gates,
              reason: 'escalation failed; the most trusted answer so far stands',
            };
          }
          if (isRefused) return { rank, gates, reason: 'refused; another expert would refuse it too' };
          if (gates.length > 0) return { rank, gates, reason: 'escalation failed; the answers before it were dropped' };
          return { rank, gates, reason: `all ${rank + 1} asked failed` };
        }
        if (isLast) {
          if (outcome!.status === 'open') yield { kind: 'resume', rank };
          return {
            rank,
            gates,
            reason:
              rank === 0
                ? 'only one expert to ask'
                : `escalated ${rank} ${rank === 1 ? 'time' : 'times'}; the last answer stands`,
          };
        }

        const { confidence: measured } = outcome!;
        const confidence = measured === undefined || calibrator === undefined ? measured : calibrator.apply(measured);
        const passed = confidence !== undefined && confidence >= minConfidence;
        gates.push({
          rank,
          signal: outcome!.status === 'open' ? 'prefix-confidence' : 'confidence',
          value: confidence,
          threshold: minConfidence,
          passed,
          ...(stated === undefined ? {} : { statedError: stated }),
        });
        if (passed) {
          if (outcome!.status === 'open') yield { kind: 'resume', rank };
          return { rank, gates, reason: `trusted at ${confidence.toFixed(3)} of ${minConfidence}` };
        }
        if (outcome!.status === 'open') yield { kind: 'drop', rank };
        else if (mostTrusted === undefined || (outcome!.confidence ?? -1) > (mostTrusted.confidence ?? -1))
          mostTrusted = outcome!;
      }
    },
  };
}

function gateOf(options: { minConfidence?: number; accept?: AcceptanceClaim }): {
  minConfidence: number;
  stated?: StatedError;
} {
  const { minConfidence, accept } = options;
  if (accept === undefined)
    return {
      minConfidence: numberOption('minConfidence', minConfidence, { min: 0, max: 1 }, 'Confidence is 0..1; try 0.8.'),
    };
  if (minConfidence !== undefined)
    throw new OptionError(
      'minConfidence',
      'left out where accept is given',
      minConfidence,
      'A gate has one threshold: keep accept for one with a promise, minConfidence for one without.',
    );
  const stated = statedError(accept);
  return {
    minConfidence: numberOption('accept.threshold', accept.threshold, { min: 0, max: 1 }, 'Confidence is 0..1.'),
    stated,
  };
}

function prefixMsOf(prefixMs: number | undefined, prefixTokens: number | undefined): number | undefined {
  if (prefixMs === undefined) return undefined;
  if (prefixTokens === undefined)
    throw new OptionError(
      'prefixMs',
      'left out without prefixTokens',
      prefixMs,
      'Say how long a prefix is: prefixTokens.',
    );
  return numberOption('prefixMs', prefixMs, { min: 1 }, 'Leave it out to wait for the tokens.');
}

/** Nobody stands behind the last expert, so there is nothing to wait for: its answer may stream. */
function firstStep(
  rank: number,
  isLast: boolean,
  prefixTokens: number | undefined,
  prefixMs: number | undefined,
): Step {
  if (isLast) return { kind: 'all', calls: [{ rank, release: 'content' }] };
  const call = { rank, release: 'accept' } as const;
  if (prefixTokens === undefined) return { kind: 'all', calls: [call] };
  return { kind: 'open', call, tokens: prefixTokens, ...(prefixMs === undefined ? {} : { ms: prefixMs }) };
}
