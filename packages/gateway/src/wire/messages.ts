/** Anthropic's Messages: requests into the one form, answers and streams out of it. */
import { estimatePromptTokens } from '../features/tokens.ts';
import type { HttpError } from '../http-errors.ts';
import type { Dialect, DialectReading } from './dialect.ts';
import { messageOf } from './messages-answer.ts';
import { readMessagesRequest } from './messages-request.ts';
import { messagesStream } from './messages-stream.ts';

/**
 * `POST /v1/messages`.
 *
 * @param betas of one request's header `anthropic-beta`: an expert that speaks the format is told them again
 */
export function messages(betas: readonly string[] = []): Dialect {
  return {
    name: 'messages',
    read(body): DialectReading {
      const request = readMessagesRequest(body, betas);
      return {
        request,
        // All of it stays with the request for an expert that speaks the format; any other tells what it loses.
        notCarried: [],
        whole: (completion, _, context) => JSON.stringify(messageOf(completion, context)),
        stream: (context) =>
          messagesStream(
            context,
            () => estimatePromptTokens(request.messages, request.tools),
            (error) => `event: error\ndata: ${messagesError(error)}\n\n`,
          ),
      };
    },
    error: messagesError,
  };
}

/** The body of an error as Anthropic's clients read it, with the gateway's own code inside. */
export function messagesError({ status, error }: HttpError): string {
  return JSON.stringify({
    type: 'error',
    error: { type: errorType(status), message: error.message, gateway: error.gateway },
    request_id: error.gateway['trace'] ?? null,
  });
}

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function errorType(status: number): string {
  return TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
