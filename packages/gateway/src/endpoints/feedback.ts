/** `POST /v1/feedback`: what somebody thinks of a served answer. */
import { GatewrightError } from '@gatewright/kernel';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { speakerOf } from '../feedback-desk.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import { requireUser } from '../identity/principal.ts';
import { parseJsonBody } from '../wire/request.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Feedback. */
export const feedback: Endpoints = (context) => ({
  '/v1/feedback': scoped('feedback', { POST: (exchange) => take(context, exchange) }),
});

const feedbackValidator = Compile(
  Type.Object(
    {
      trace: Type.String({ minLength: 1, maxLength: 100 }),
      score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      correct: Type.Optional(Type.Boolean()),
      source: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
      user: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      comment: Type.Optional(Type.String({ maxLength: 2_000 })),
    },
    { additionalProperties: false },
  ),
);

async function take({ gateway }: EndpointContext, { request, response, principal }: Exchange): Promise<void> {
  const body = parseJsonBody(await readBody(request, 65_536));
  if (!feedbackValidator.Check(body)) {
    const [error] = feedbackValidator.Errors(body);
    throw new GatewrightError(
      'GW_REQUEST_TYPE',
      `The feedback is not as it should be: ${error?.instancePath.slice(1) || 'it'} ${error?.message}.`,
      {
        path: error?.instancePath.slice(1) ?? '',
        fix: 'Send {"trace": "tr_...", "score": 0..1} or {"trace": "tr_...", "correct": true}; "source", "user" and "comment" are optional.',
      },
    );
  }
  const { trace, score, correct, source = 'user', comment } = body;
  const user = requireUser(principal, body.user);
  if ((score === undefined) === (correct === undefined)) {
    throw new GatewrightError('GW_REQUEST_TYPE', 'Feedback has either a score or correct, one of them.', {
      path: 'score',
      fix: 'Send "score": 0..1, or "correct": true or false.',
    });
  }
  const { admitted, ...kept } = await gateway.feedback(
    {
      trace,
      score: score ?? (correct === true ? 1 : 0),
      source,
      ...(user === undefined ? {} : { user }),
      ...(comment === undefined ? {} : { comment }),
    },
    speakerOf(principal),
  );
  sendJson(response, 200, { object: 'gateway.feedback', status: admitted === true ? 'admitted' : 'refused', ...kept });
}
