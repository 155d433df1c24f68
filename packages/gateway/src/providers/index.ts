export { openai } from './openai.ts';
export { replay } from './replay.ts';
