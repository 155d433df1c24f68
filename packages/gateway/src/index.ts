/** Public interface of the gateway package. */
export { type CacheMeasurement, measureCache } from './caches/measurement.ts';
export { builtInPairs, type LabelledPair } from './caches/pairs.ts';
export { MIN_SIMILARITY } from './caches/semantic.ts';
export {
  CARD_MAX_AGE_DAYS,
  type Card,
  type CardCheck,
  type Cards,
  cardFile,
  mergeCards,
  readCards,
  writeCard,
} from './cards.ts';
export { type Config, type ConfigIssue, checkConfig, MODE_PREFIX, parseConfig } from './config/config.ts';
export { expertWarnings } from './config/expert-warnings.ts';
export { sandboxConfig } from './config/sandbox.ts';
export { ConfigSchema } from './config/schema.ts';
export { type Price, priceUsd, type TokenCounts } from './cost.ts';
export { describeDecision } from './endpoints/route.ts';
export { connectProvider } from './experts.ts';
export { skillByKeywords } from './features/skill.ts';
export { featurizer, STRUCTURE_FEATURES } from './features/text.ts';
export { estimateTextTokens } from './features/tokens.ts';
export { createGateway, type Gateway } from './gateway.ts';
export {
  type Administration,
  administration,
  type Identity,
  memoryIdentity,
  openIdentity,
} from './identity/administration.ts';
export { AUDIT_FILE, type AuditRecord, type AuditReport, openAudit, verifyAudit } from './identity/audit.ts';
export { checkKeyFields, type KeyFields, type KeyRecord } from './identity/key-fields.ts';
export { knownSecrets } from './known-secrets.ts';
export { createLearning, estimatorOf, type Learned, type Learning, stateHash } from './learning.ts';
export type { Log } from './log.ts';
export { type LogOptions, lineLog } from './log-lines.ts';
export { type Budgets, userDigest } from './money/accounts.ts';
export {
  type Book,
  type BookOptions,
  type CallEntry,
  type CallKind,
  type Grouping,
  openBook,
  readUsage,
  type UsageQuery,
  type UsageRow,
} from './money/book.ts';
export { createLedger, GATEWAY_ITSELF, type Ledger, type RequestAccount } from './money/ledger.ts';
export { shownUsage, usageCsv, usageQuery } from './money/usage.ts';
export { extraAttemptsOf, type WorstCase, worstCaseOf } from './money/worst-case.ts';
export { type ProbeOptions, type ProbeResult, probeExpert, verdictOf } from './onboarding/run.ts';
export { createRuntime, type Decision, decide, type Runtime } from './pipeline.ts';
export { checks } from './probes/index.ts';
export type { ConnectProvider, Provider } from './providers/provider.ts';
export { promptId, readOutcomes } from './providers/replay.ts';
export { redact } from './redact.ts';
export { watchConfig } from './reload.ts';
export { answerOffline, type OfflineAnswer } from './sandbox-offline.ts';
export { type GatewayServer, serve } from './server.ts';
export { type JournalReport, journal, readJournal, verifyJournal } from './stores/journal.ts';
export { memory } from './stores/memory.ts';
export { fileResponses, type ResponseStore } from './stores/responses.ts';
export { fileStates, memoryStates, type SavedState, type StateStore } from './stores/states.ts';
export type { Bodies, Feedback, FeedbackRefusals, StoredTrace, TraceStore } from './stores/store.ts';
export { type ChatRequest, lastUserText } from './wire/chat.ts';
export { keptUserText } from './wire/kept-body.ts';
export { checkChatRequest, parseJsonBody } from './wire/request.ts';
