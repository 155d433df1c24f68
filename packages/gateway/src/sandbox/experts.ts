/**
 * The simulated experts. Each really solves the task in the text, then errs as often as its error model says, and is
 * as sure of itself as its confidence model says. `draft.ts` draws from these numbers; nothing else knows them.
 */
import type { Skill } from './family.ts';

/** How often an expert errs at a skill: a curve over the task's measured difficulty. */
export interface ErrorCurve {
  /** Probability of a wrong answer at difficulty 0. */
  readonly atEasiest: number;
  /** Probability of a wrong answer at difficulty 1. */
  readonly atHardest: number;
}

/** How a simulated expert behaves, and what it declares about itself. */
export interface ExpertProfile {
  readonly id: string;
  /** One line for people; says that the expert is simulated. */
  readonly summary: string;
  /** US dollars per million tokens. */
  readonly price: { readonly inputUsdPerMTok: number; readonly outputUsdPerMTok: number };
  /** Declared share of right answers, 0..1, on the mixed stream (`default`) and for each skill in it; measured. */
  readonly quality: Readonly<Record<'default' | Skill, number>>;
  /** Milliseconds to the first token. */
  readonly latencyMs: number;
  readonly tokensPerSecond: number;
  /** Longest request, tokens. */
  readonly contextTokens: number;
  readonly errors: Readonly<Record<Skill, ErrorCurve>>;
  /** Exponent of the difficulty in the error curves: above 1 the errors come late, below 1 early. */
  readonly bend: number;
  /** Samples drawn for one answer; above 1 the most frequent answer wins and the agreement is the confidence. */
  readonly votes: number;
  /**
   * How well the expert senses whether this very answer is right: the distance between its feelings about right and
   * wrong answers, in standard deviations (d'). 0 is no sense at all.
   */
  readonly insight: number;
  /** What its log-odds are multiplied by before it speaks: 1 is calibrated, above 1 too sure of itself. */
  readonly boldness: number;
  /** What it says before "Answer:". */
  readonly manner: string;
}

/** Probability of a wrong answer, 0..1, of one sample of the expert. `difficulty` is 0..1. */
export function errorProbability(expert: ExpertProfile, skill: Skill, difficulty: number): number {
  const { atEasiest, atHardest } = expert.errors[skill];
  return atEasiest + (atHardest - atEasiest) * difficulty ** expert.bend;
}

/** All simulated experts, cheapest first. */
export const sandboxExperts: readonly ExpertProfile[] = [
  {
    id: 'tiny',
    summary: 'Simulated expert: cheap and fast; right on easy tasks, errs steeply on harder ones.',
    price: { inputUsdPerMTok: 0.05, outputUsdPerMTok: 0.2 },
    quality: { default: 0.52, numbers: 0.5, text: 0.56, logic: 0.52 },
    latencyMs: 40,
    tokensPerSecond: 400,
    contextTokens: 8_000,
    errors: {
      numbers: { atEasiest: 0.02, atHardest: 0.9 },
      text: { atEasiest: 0.02, atHardest: 0.88 },
      logic: { atEasiest: 0.03, atHardest: 0.9 },
    },
    bend: 1,
    votes: 1,
    insight: 1,
    boldness: 1.1,
    manner: 'At a glance.',
  },
  {
    id: 'abacus',
    summary: 'Simulated expert: specialist for numbers, poor at anything else.',
    price: { inputUsdPerMTok: 0.25, outputUsdPerMTok: 1 },
    quality: { default: 0.62, numbers: 0.95, text: 0.39, logic: 0.42 },
    latencyMs: 90,
    tokensPerSecond: 250,
    contextTokens: 16_000,
    errors: {
      numbers: { atEasiest: 0.01, atHardest: 0.09 },
      text: { atEasiest: 0.3, atHardest: 0.95 },
      logic: { atEasiest: 0.25, atHardest: 0.9 },
    },
    bend: 1,
    votes: 1,
    insight: 0.9,
    boldness: 1.1,
    manner: 'I did the sum on the beads.',
  },
  {
    id: 'scribe',
    summary: 'Simulated expert: specialist for text, poor at anything else.',
    price: { inputUsdPerMTok: 0.25, outputUsdPerMTok: 1 },
    quality: { default: 0.56, numbers: 0.34, text: 0.94, logic: 0.45 },
    latencyMs: 90,
    tokensPerSecond: 250,
    contextTokens: 32_000,
    errors: {
      numbers: { atEasiest: 0.3, atHardest: 0.95 },
      text: { atEasiest: 0.01, atHardest: 0.09 },
      logic: { atEasiest: 0.25, atHardest: 0.85 },
    },
    bend: 1,
    votes: 1,
    insight: 0.9,
    boldness: 1.1,
    manner: 'I read the text letter by letter.',
  },
  {
    id: 'solid',
    summary: 'Simulated expert: a generalist of the middle, in price and in skill.',
    price: { inputUsdPerMTok: 0.5, outputUsdPerMTok: 2 },
    quality: { default: 0.78, numbers: 0.77, text: 0.8, logic: 0.78 },
    latencyMs: 160,
    tokensPerSecond: 150,
    contextTokens: 64_000,
    errors: {
      numbers: { atEasiest: 0.03, atHardest: 0.45 },
      text: { atEasiest: 0.03, atHardest: 0.42 },
      logic: { atEasiest: 0.03, atHardest: 0.45 },
    },
    bend: 1.3,
    votes: 1,
    insight: 1,
    boldness: 1,
    manner: 'I worked it out and looked it over once.',
  },
  {
    id: 'chorus',
    summary: 'Simulated expert: draws five samples and gives the most frequent; where it is unsure they disagree.',
    price: { inputUsdPerMTok: 1.2, outputUsdPerMTok: 5 },
    quality: { default: 0.86, numbers: 0.85, text: 0.87, logic: 0.86 },
    latencyMs: 260,
    tokensPerSecond: 120,
    contextTokens: 64_000,
    errors: {
      numbers: { atEasiest: 0.05, atHardest: 0.58 },
      text: { atEasiest: 0.05, atHardest: 0.62 },
      logic: { atEasiest: 0.05, atHardest: 0.58 },
    },
    bend: 1.2,
    votes: 5,
    insight: 1,
    boldness: 1,
    manner: 'We compared our five drafts and took the one most of us wrote.',
  },
  {
    id: 'sage',
    summary: 'Simulated expert: slow, expensive and strong everywhere, though not perfect.',
    price: { inputUsdPerMTok: 5, outputUsdPerMTok: 20 },
    quality: { default: 0.97, numbers: 0.97, text: 0.97, logic: 0.97 },
    latencyMs: 450,
    tokensPerSecond: 80,
    contextTokens: 128_000,
    errors: {
      numbers: { atEasiest: 0.005, atHardest: 0.06 },
      text: { atEasiest: 0.005, atHardest: 0.06 },
      logic: { atEasiest: 0.005, atHardest: 0.06 },
    },
    bend: 1.2,
    votes: 1,
    insight: 1.1,
    boldness: 0.9,
    manner: 'I went through it step by step, then checked the result a second way.',
  },
];
