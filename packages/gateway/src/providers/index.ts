export { openai } from './openai.ts';
export { replay } from './replay.ts';
export { sandbox } from './sandbox.ts';
