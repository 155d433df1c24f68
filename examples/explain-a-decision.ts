/**
 * Why this expert? POST /v1/route decides as the served request would and calls nobody.
 * You will see the terms of every candidate's score for two kinds of requests, and an expert taken out by a constraint.
 * Takes less than a second; needs no key.
 *
 *     node examples/explain-a-decision.ts
 */
import { checkConfig, createGateway, memory, sandboxConfig, serve } from '@gatewright/gateway';

const config = checkConfig({ ...sandboxConfig(), server: { port: 0 }, seed: 1 });
const server = await serve(createGateway({ config, store: memory(), env: {} }), {});

/** The parts of the answer that are printed here; docs/http.md has all of it. */
interface RouteAnswer {
  readonly expert: string;
  readonly reason: string;
  readonly features: { readonly skill: string };
  readonly ranked: readonly {
    readonly expert: string;
    readonly score: number;
    readonly terms: Record<string, number>;
  }[];
  readonly removed: readonly { readonly expert: string; readonly constraint: string; readonly detail: string }[];
}

async function explain(prompt: string): Promise<void> {
  const response = await fetch(`${server.url}/v1/route`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gw/auto', messages: [{ role: 'user', content: prompt }] }),
  });
  const { expert, reason, features, ranked, removed } = (await response.json()) as RouteAnswer;
  const shown = prompt.length > 60 ? `${prompt.slice(0, 57)}...` : prompt;
  console.log(`\n${shown}\n  -> ${expert} (${reason}; skill ${features.skill})`);
  for (const { expert: id, score, terms } of ranked) {
    const sum = Object.entries(terms).map(([name, value]) => `${name} ${value.toFixed(3)}`);
    console.log(`  ${id.padEnd(7)} ${score.toFixed(3)} = ${sum.join(' + ')}`);
  }
  for (const { expert: id, constraint, detail } of removed) console.log(`  not ${id} (${constraint}): ${detail}`);
}

await explain('What is 17 * 23 + 4?');
await explain('Reverse the word gateway');
await explain(`Sort: ${'pear, apple, fig, '.repeat(2_000)}`);

await server.close();
