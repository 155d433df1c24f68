export { anthropic } from './anthropic.ts';
export { gemini } from './gemini.ts';
export { ollama } from './ollama.ts';
export { openai } from './openai.ts';
export { replay } from './replay.ts';
export { sandbox } from './sandbox.ts';
