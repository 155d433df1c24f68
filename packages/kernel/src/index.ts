/** Public interface of the kernel. Pure: no I/O, no clock, no chance that is not passed in. */
export { type Assignment, type AssignmentBuilder, assignmentBuilder, expertLoad } from './assignment.ts';
export * as calibration from './calibration/index.ts';
export {
  type Amounts,
  type CalendarWindow,
  type CapacityLedger,
  calendarStartMs,
  capacityLedger,
  type ResourceLimit,
} from './capacity-ledger.ts';
export {
  CHAIN_START,
  type ChainFault,
  type ChainRecord,
  type ChainVerifier,
  chainVerifier,
  type Digest,
  type SealedLine,
  sealLine,
} from './chain.ts';
export {
  type AnswerView,
  type Call,
  type Composition,
  type GateRecord,
  type HeldOutError,
  type Outcome,
  type RankedExpert,
  type RecordedCall,
  type Replay,
  replay,
  type Step,
  type Steps,
  type Verdict,
} from './compositions/composition.ts';
export * as compositions from './compositions/index.ts';
export type { VotingCascadeOptions } from './compositions/voting-cascade.ts';
export type { Confidence } from './confidence/confidence.ts';
export type { AnswerExtractor } from './confidence/extract/extractor.ts';
export * as extractors from './confidence/extract/index.ts';
export * as confidence from './confidence/index.ts';
export { type TokenConfidence, tokenConfidence } from './confidence/token-confidence.ts';
export {
  type ErrorDetails,
  GatewrightError,
  isGatewrightError,
  nearestName,
  OptionError,
  ShapeError,
  UnknownNameError,
  WITHHELD,
} from './errors.ts';
export { type CostExample, type CostModel, costModel } from './estimators/cost.ts';
export { createEstimator } from './estimators/create.ts';
export { type Declared, type DeclaredQuality, declaredQuality } from './estimators/declared.ts';
export {
  type Estimate,
  type Estimator,
  type EstimatorState,
  type Example,
  type Features,
  type FitProgress,
  fitAll,
  type Observation,
  requireScore,
  requireState,
  TEXT_FEATURES,
} from './estimators/estimator.ts';
export * as estimators from './estimators/index.ts';
export type { IrtEstimator } from './estimators/irt.ts';
export {
  type Ability,
  type Item,
  type ItemResponse,
  itemChance,
  nextProbe,
  placeExpert,
} from './estimators/probing.ts';
export {
  type Admission,
  type FeedbackTrust,
  type FeedbackTrustOptions,
  type FeedbackTrustState,
  feedbackTrust,
  type Standing,
  type Vote,
} from './feedback/index.ts';
export {
  type AdaptiveProbe,
  adaptiveProbe,
  dialBank,
  type ProbeBank,
  type ProbeEstimate,
} from './learners/adaptive-probe.ts';
export { type GroupOutcome, type GroupRegret, type GroupReport, groupRegret } from './learners/group-regret.ts';
export { type LengthRank, lengthRank } from './learners/length-rank.ts';
export { type Choice, type Offer, type Preference, type Preferences, preferences } from './learners/preference.ts';
export * as metrics from './metrics/index.ts';
export {
  choiceProbabilities,
  clippedIps,
  doublyRobust,
  type EstimateOptions,
  estimateDifference,
  estimateValue,
  ips,
  type LoggedDecision,
  type OffPolicyEstimate,
  type OffPolicyEstimator,
  type OffPolicySample,
  type OffPolicySampleBuilder,
  offPolicySample,
  type RewardModel,
  selfNormalisedIps,
  type Verdict as OffPolicyVerdict,
} from './off-policy/index.ts';
export { numberOption, onlyOptions } from './options.ts';
export { type Packed, pack, unpack } from './packed.ts';
export { brokenFlag } from './policies/flags.ts';
export * as policies from './policies/index.ts';
export {
  type Candidate,
  orderBy,
  type Policy,
  type PolicyContext,
  type PolicyRead,
  type RequestFacts,
  requireCandidates,
  type Selection,
} from './policies/policy.ts';
export { hashText, type Random, seededRandom } from './random.ts';
export { create, type Factories, type Spec } from './registry.ts';
export { type ScoreTable, scoreTable, termsOf } from './score.ts';
export { decideInShadow, type ShadowedDecision, type ShadowRecord, shadowSeed } from './shadow.ts';
export { type PriceRule, priceRule, type SmoothedPrices, smoothedPrices, updatePrices } from './shadow-price.ts';
export { rank, type Scores, selectTopK } from './top-k.ts';
export {
  type AttemptRecord,
  type CacheRecord,
  type CallRecord,
  type DecisionTrace,
  type EstimatorRecord,
  type Removal,
  type ReplayedDecision,
  replayCalls,
  replayDecision,
  TRACE_VERSION,
  type TraceVersion,
} from './trace.ts';
export * as voting from './voting/index.ts';
