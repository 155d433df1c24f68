/** What a simulated expert decides to say and how sure it is of it. Pure: the same call gives the same drafts. */
import { hashText, type Random, seededRandom } from '@gatewright/kernel';
import { type ExpertProfile, errorProbability } from './experts.ts';
import { families, type SolvedTask, solveTask } from './families/index.ts';

/** One answer before it becomes tokens. */
export interface Draft {
  /** What the expert says before its answer; the whole text when it cannot solve the task. */
  readonly lead: string;
  /** The answer; undefined when the expert cannot parse the task. */
  readonly answer: string | undefined;
  /** How sure the expert is that the answer is right, 0..1. An imperfect signal, and sometimes a very wrong one. */
  readonly belief: number;
  /** What else it might have said, likeliest first, with what is left of its belief: masses add up to `1 - belief`. */
  readonly alternatives: readonly { readonly text: string; readonly mass: number }[];
}

/** How sure an expert is of a text that it cannot solve. */
const UNSOLVED_BELIEF = 0.2;
/** A belief of 0 or 1 has no logarithm or no doubt; neither is believable. */
const LOWEST_BELIEF = 0.03;
const HIGHEST_BELIEF = 0.995;

/**
 * Draws `count` answers to a prompt.
 *
 * Deterministic given prompt, expert, seed and index. An expert of one vote draws each by itself. An expert of several
 * votes gives the most frequent of its samples when asked for one answer, and the samples themselves when asked for
 * more; its belief is the share of its samples that agree.
 *
 * @param seed whole number; its lowest 32 bits count
 * @param count at least 1
 */
export function draftAnswers(expert: ExpertProfile, prompt: string, seed: number, count: number): Draft[] {
  const solved = solveTask(prompt);
  if (solved === undefined) return Array.from({ length: count }, () => unsolvedDraft(expert));
  const chance = errorProbability(expert, solved.family.skill, solved.solution.difficulty);
  const randomOf = (index: number): Random => seededRandom(hashText(`${expert.id} ${index} ${prompt}`, seed));
  if (expert.votes === 1) {
    return Array.from({ length: count }, (_, i) => soloDraft(expert, solved, chance, randomOf(i)));
  }
  const samples = Array.from({ length: Math.max(expert.votes, count) }, (_, i) =>
    sampleAnswer(solved, chance, randomOf(i)),
  );
  const jitter = randomOf(-1);
  if (count === 1) return [votedDraft(expert, solved, samples, mostFrequent(samples), jitter)];
  return samples.slice(0, count).map((answer) => votedDraft(expert, solved, samples, answer, jitter));
}

function soloDraft(expert: ExpertProfile, solved: SolvedTask, chance: number, random: Random): Draft {
  const answer = sampleAnswer(solved, chance, random);
  const isRight = answer === solved.solution.answer;
  // Evidence about this very draw, normal around plus or minus d'^2/2 with deviation d': added to the prior log-odds it
  // is exactly Bayes' rule. Boldness then bends what would be perfectly calibrated.
  const evidence = ((isRight ? 1 : -1) * expert.insight ** 2) / 2 + expert.insight * normal(random);
  const prior = Math.log((1 - chance) / chance);
  const belief = clampBelief(1 / (1 + Math.exp(-expert.boldness * (prior + evidence))));
  const others = [...(isRight ? [] : [solved.solution.answer]), ...solved.solution.distractors];
  return { lead: `${expert.manner} Answer:`, answer, belief, alternatives: share(others, answer, 1 - belief) };
}

function votedDraft(
  expert: ExpertProfile,
  solved: SolvedTask,
  samples: readonly string[],
  answer: string,
  jitter: Random,
): Draft {
  const votes = votesFor(samples, answer);
  // One vote more than there are: even full agreement leaves some doubt. The jitter keeps equal votes apart.
  const belief = clampBelief((votes + 0.5) / (samples.length + 1) + 0.04 * (jitter.next() - 0.5));
  const heard = [...new Set(samples)].sort((a, b) => votesFor(samples, b) - votesFor(samples, a));
  const others = [...heard, solved.solution.answer, ...solved.solution.distractors];
  return { lead: `${expert.manner} Answer:`, answer, belief, alternatives: share(others, answer, 1 - belief) };
}

function votesFor(samples: readonly string[], answer: string): number {
  return samples.filter((sample) => sample === answer).length;
}

/** One try: right, or one of the distractors, the likelier the earlier it is listed. */
function sampleAnswer(solved: SolvedTask, chance: number, random: Random): string {
  const { answer, distractors } = solved.solution;
  if (random.next() >= chance) return answer;
  let at = 0;
  while (at < distractors.length - 1 && random.next() < 0.5) at++;
  return distractors[at]!;
}

/** Ties go to the answer drawn first. */
function mostFrequent(samples: readonly string[]): string {
  return samples.reduce(
    (best, sample) => (votesFor(samples, sample) > votesFor(samples, best) ? sample : best),
    samples[0]!,
  );
}

/** Divides `mass` between the other answers, each half as likely as the one before. */
function share(others: readonly string[], answer: string, mass: number): { text: string; mass: number }[] {
  const texts = [...new Set(others)].filter((other) => other !== answer);
  const total = 2 - 2 ** (1 - texts.length);
  return texts.map((text, i) => ({ text, mass: (mass * 2 ** -i) / total }));
}

function unsolvedDraft(expert: ExpertProfile): Draft {
  const names = families.map((family) => family.name).join(', ');
  const [first, second] = ['arithmetic', 'sorting'].map(
    (name) => families.find((family) => family.name === name)?.example,
  );
  const lead =
    `I am a simulated expert (${expert.id}) and can only solve small tasks with one right answer: ${names}. ` +
    `Try "${first ?? families[0]?.example}" or "${second ?? families[1]?.example}".`;
  return { lead, answer: undefined, belief: UNSOLVED_BELIEF, alternatives: [] };
}

function clampBelief(belief: number): number {
  return Math.min(HIGHEST_BELIEF, Math.max(LOWEST_BELIEF, belief));
}

/** A standard normal number (Box and Muller 1958). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
