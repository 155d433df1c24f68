/** `POST /v1/chat/completions`. */
import { chatCompletions } from '../wire/chat-completions.ts';
import { answer } from './answer.ts';
import { closed, type Endpoints } from './endpoint.ts';

/** Chat Completions. */
export const chat: Endpoints = (context) => {
  const dialect = chatCompletions();
  return {
    '/v1/chat/completions': closed({ POST: (exchange) => answer(context, dialect, exchange) }, dialect.error),
  };
};
