/** Every endpoint of the gateway's own listener. */
export { chat } from './chat.ts';
export { embeddings } from './embeddings.ts';
export { feedback } from './feedback.ts';
export { messages } from './messages.ts';
export { models } from './models.ts';
export { page } from './page.ts';
export { preferences } from './preferences.ts';
export { responses } from './responses.ts';
export { route } from './route.ts';
export { status } from './status.ts';
export { traces } from './traces.ts';
export { usage } from './usage.ts';
