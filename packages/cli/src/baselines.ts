/** What simple strategies would have come to on the same sandbox tasks: computed offline from the same experts and seeds. */

import { answerOffline } from '@gatewright/gateway';
import { gradeAnswer, sandboxExperts, type Task } from '@gatewright/gateway/sandbox';

/** A strategy to compare with. */
export interface Baseline {
  readonly name: string;
  /** 0..1 */
  readonly accuracy: number;
  readonly costPerTaskUsd: number;
  readonly detail: string;
}

/**
 * Always the cheapest expert, always the strongest one, and the oracle, which for each task asks the cheapest expert that
 * gets it right (the cheapest of all where nobody does).
 *
 * @param sent the tasks with the seeds that were sent with them: the same seed gives the same answer
 * @param experts ids of the sandbox experts that the gateway offers
 */
export async function baselines(
  sent: readonly { task: Task; seed: number }[],
  experts: readonly string[],
): Promise<Baseline[]> {
  const profiles = sandboxExperts.filter(({ id }) => experts.includes(id));
  const results = new Map<string, { isCorrect: boolean; costUsd: number }[]>();
  for (const { id } of profiles) {
    const list: { isCorrect: boolean; costUsd: number }[] = [];
    for (const { task, seed } of sent) {
      const { text, costUsd } = await answerOffline(id, task.prompt, seed);
      list.push({ isCorrect: gradeAnswer(task, text), costUsd });
    }
    results.set(id, list);
  }
  const costOf = (id: string): number => results.get(id)!.reduce((sum, { costUsd }) => sum + costUsd, 0);
  const ids = [...results.keys()].sort((a, b) => costOf(a) - costOf(b));
  // The strongest by what is declared of it, not by how it did here: a baseline may not look at the answers.
  const strongest = [...profiles].sort((a, b) => b.quality.default - a.quality.default)[0]!.id;
  const oracle = sent.map((_, i) => {
    const right = ids.filter((id) => results.get(id)![i]!.isCorrect);
    return (right.length === 0 ? ids : right)
      .map((id) => results.get(id)![i]!)
      .sort((a, b) => a.costUsd - b.costUsd)[0]!;
  });
  return [
    baseline('always cheapest', results.get(ids[0]!)!, ids[0]!),
    baseline('always strongest', results.get(strongest)!, strongest),
    baseline('oracle', oracle, 'knows the answers'),
  ];
}

function baseline(name: string, results: readonly { isCorrect: boolean; costUsd: number }[], detail: string): Baseline {
  return {
    name,
    accuracy: results.filter(({ isCorrect }) => isCorrect).length / results.length,
    costPerTaskUsd: results.reduce((sum, { costUsd }) => sum + costUsd, 0) / results.length,
    detail,
  };
}
