/**
 * A policy of your own, compared with the ones that ship: the same tasks, the same experts, no HTTP, no waiting.
 * You will see accuracy, cost and latency of four policies over 500 tasks with known answers. Takes about two seconds;
 * needs no key.
 *
 *     node examples/own-policy.ts
 */
import { answerOffline, checkConfig, createRuntime, decide, sandboxConfig } from '@gatewright/gateway';
import { gradeAnswer, makeTasks } from '@gatewright/gateway/sandbox';
import {
  compositions,
  orderBy,
  type Policy,
  policies,
  replay,
  requireCandidates,
  seededRandom,
} from '@gatewright/kernel';

/** The cheapest candidate whose quality is at most `slack` below the best one's; the best ones behind it. */
function nearBest({ slack }: { slack: number }): Policy {
  return {
    select(candidates) {
      requireCandidates(candidates);
      const worth = candidates.map(({ quality, price }) => quality - price);
      const byWorth = orderBy(candidates, (_, index) => 0 - worth[index]!);
      const byCost = orderBy(candidates, ({ costUsd }) => costUsd);
      const chosen = byCost.find((index) => worth[index]! >= worth[byWorth[0]!]! - slack)!;
      return {
        ranked: [chosen, ...byWorth.filter((index) => index !== chosen)],
        terms: candidates.map(({ quality, price }) => ({ quality, price: 0 - price })),
        propensity: 1,
        reason: `cheapest within ${slack} of the best`,
      };
    },
  };
}

const compared: Record<string, Policy> = {
  'nearBest 0.05': nearBest({ slack: 0.05 }),
  'cheapestAbove 0.7': policies.cheapestAbove({ minQuality: 0.7 }),
  bestOf: policies.bestOf(),
  random: policies.random(),
};

const runtime = createRuntime(checkConfig(sandboxConfig()), {}, 0);
const tasks = makeTasks({ seed: 1, count: 500 });

console.log('policy             accuracy  USD per task  mean ms');
for (const [name, policy] of Object.entries(compared)) {
  let correct = 0;
  let costUsd = 0;
  let latencyMs = 0;
  for (const [seed, task] of tasks.entries()) {
    // The gateway's own features and constraints make the candidates; only the policy is another one.
    const request = { model: 'gw/auto', messages: [{ role: 'user', content: task.prompt }] };
    const { candidates } = decide(runtime, request, seed, 0);
    const { ranked } = policy.select(candidates, { random: seededRandom(seed) });
    const { expert, latencyMs: usualMs } = candidates[ranked[0]!]!;
    const answer = await answerOffline(expert, task.prompt, seed);
    // `single` asks nobody but the first; a cascade would need the answers of those behind it too.
    const played = replay(compositions.single(), ranked.length, () => ({
      status: 'ok',
      confidence: undefined,
      costUsd: answer.costUsd,
      latencyMs: usualMs,
    }));
    if (gradeAnswer(task, answer.text)) correct++;
    costUsd += played.costUsd;
    latencyMs += played.outcomes[0]!.latencyMs;
  }
  const share = `${((correct / tasks.length) * 100).toFixed(1)}%`;
  const cost = (costUsd / tasks.length).toFixed(7);
  const mean = (latencyMs / tasks.length).toFixed(0);
  console.log(`${name.padEnd(18)} ${share.padStart(8)}  ${cost.padStart(12)}  ${mean.padStart(7)}`);
}
