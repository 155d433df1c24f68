/**
 * Decides whether an answer arrived whole: the text is the one that the upstream sent, a finish reason and the usage
 * are there, and a stream ended with `[DONE]`. A gateway that is fast because it drops something must not win.
 */
import type { AnswerKind } from './traffic.ts';

/** Takes a body piece by piece and says in the end what is wrong with it. */
export interface AnswerCheck {
  feed(text: string): void;
  /** Undefined when the answer is whole, else what is missing, in few words. */
  failure(): string | undefined;
}

/** Only the fields that the check looks at; everything may be absent in a bad answer. */
interface AnswerShape {
  readonly choices?: readonly {
    readonly message?: { readonly content?: unknown };
    readonly delta?: { readonly content?: unknown };
    readonly finish_reason?: unknown;
  }[];
  readonly usage?: unknown;
  readonly error?: unknown;
}

/** A fresh check for one answer of the given kind. */
export function checkAnswer(kind: AnswerKind, expectedText: string): AnswerCheck {
  return kind === 'json' ? checkJson(expectedText) : checkStream(expectedText);
}

function checkJson(expectedText: string): AnswerCheck {
  let body = '';
  return {
    feed(text) {
      body += text;
    },
    failure() {
      const answer = parse(body);
      if (answer === undefined) return 'body is not JSON';
      const choice = answer.choices?.[0];
      if (choice?.message?.content !== expectedText) return 'text differs';
      if (typeof choice.finish_reason !== 'string') return 'no finish reason';
      return answer.usage ? undefined : 'no usage';
    },
  };
}

function checkStream(expectedText: string): AnswerCheck {
  let rest = '';
  let received = '';
  let isFinished = false;
  let hasUsage = false;
  let isDone = false;
  let problem: string | undefined;

  function takeLine(line: string): void {
    if (!line.startsWith('data:')) return; // Comments, event names and the blank line between events.
    const data = line.slice(5).trim();
    if (isDone) problem ??= 'data after [DONE]';
    if (data === '[DONE]') {
      isDone = true;
      return;
    }
    const event = parse(data);
    if (event === undefined) {
      problem ??= 'event is not JSON';
      return;
    }
    if (event.error) problem ??= 'error event';
    const choice = event.choices?.[0];
    if (typeof choice?.delta?.content === 'string') received += choice.delta.content;
    if (typeof choice?.finish_reason === 'string') isFinished = true;
    if (event.usage) hasUsage = true;
  }

  return {
    feed(text) {
      rest += text;
      let start = 0;
      for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', start)) {
        takeLine(rest.slice(start, end));
        start = end + 1;
      }
      rest = rest.slice(start);
    },
    failure() {
      if (problem !== undefined) return problem;
      if (!isDone) return 'stream ended without [DONE]';
      if (received !== expectedText) return 'text differs';
      if (!isFinished) return 'no finish reason';
      return hasUsage ? undefined : 'no usage';
    },
  };
}

function parse(text: string): AnswerShape | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
