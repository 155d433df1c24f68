/** `POST /v1/chat/completions`. */
import { chatCompletions } from '../wire/chat-completions.ts';
import { answer } from './answer.ts';
import { type Endpoints, scoped } from './endpoint.ts';

/** Chat Completions. */
export const chat: Endpoints = (context) => {
  const dialect = chatCompletions();
  return {
    '/v1/chat/completions': scoped('chat', { POST: (exchange) => answer(context, dialect, exchange) }, dialect.error),
  };
};
