/** Answers of Gemini's `generateContent` and `streamGenerateContent` in the one form. */
import type { ChatChoice, ChatChunk, ChatChunkChoice, ChatCompletion, TokenLogprob, Usage } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import { SIGNATURE_FORMAT } from './gemini-request.ts';
import type { AnswerFormat, Emit, StreamTranslator } from './http-call.ts';
import { isObject, malformed, parsedObject, truncated } from './upstream-failures.ts';

/** What the translation of one answer knows of its call. */
export interface GeminiAnswerContext {
  readonly traceId: string;
  /** The model's name, where the answer does not say it. */
  readonly model: string;
  /** Seconds since 1970, where the answer does not say them. */
  readonly createdS: () => number;
  /** Whether a blocked prompt is the expert's answer, or a failure after which another expert is asked. */
  readonly blocked: 'answer' | 'elsewhere';
  /** An error object that came in place of an answer. */
  failure(error: Record<string, unknown>): ProviderFailure;
}

/** Ends at the model's own will, by what OpenAI calls them. Whatever is not listed is `stop`. */
const FINISH: Readonly<Record<string, string>> = {
  MAX_TOKENS: 'length',
  CONTINUATION: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
};

/** Ends that are the model's failure: without any content there is no answer. */
const FAILED = [
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MALFORMED_RESPONSE',
  'NO_IMAGE',
  'IMAGE_OTHER',
  'OTHER',
];

/** Fields of a candidate that the one form has no place for, by their names in `extra_content.google`. */
const EXTRAS: Readonly<Record<string, string>> = {
  citationMetadata: 'citation_metadata',
  groundingMetadata: 'grounding_metadata',
  urlContextMetadata: 'url_context_metadata',
  safetyRatings: 'safety_ratings',
  finishMessage: 'finish_message',
};

/** A whole answer. */
export function geminiWhole(text: string, context: GeminiAnswerContext): ReturnType<AnswerFormat['whole']> {
  const answer = parsedObject(text, 'the answer');
  if (isObject(answer['error'])) throw context.failure(answer['error']);
  const usage = usageOf(answer['usageMetadata']);
  const candidates = candidatesOf(answer);
  const choices: ChatChoice[] = candidates.map((candidate, i) => choiceOf(candidate, i, context, usage));
  if (choices.length === 0) {
    const reason = blockReason(answer);
    if (reason === undefined) throw malformed('the answer has no candidates');
    if (context.blocked === 'elsewhere') throw blockedPrompt(reason, usage);
    choices.push({
      index: 0,
      message: { role: 'assistant', content: null, refusal: refusalText(reason) },
      finish_reason: 'content_filter',
      native_finish_reason: reason,
      logprobs: null,
    });
  }
  const body: ChatCompletion = {
    id: idOf(answer, context),
    object: 'chat.completion',
    created: createdOf(answer, context),
    model: modelOf(answer, context),
    choices,
    ...(usage === undefined ? {} : { usage }),
  };
  return { completion: { data: JSON.stringify(body), body }, usage };
}

/** One candidate of a stream. */
interface StreamedCandidate {
  readonly index: number;
  readonly said: Said;
  finishReason: string | undefined;
  extra: Record<string, unknown> | undefined;
  hasRole: boolean;
}

/** A stream: events of the same form as a whole answer, each with what is new. */
export function geminiStream(emit: Emit, context: GeminiAnswerContext): StreamTranslator {
  const candidates = new Map<number, StreamedCandidate>();
  let head: Pick<ChatChunk, 'id' | 'object' | 'created' | 'model'> | undefined;
  let usage: Usage | undefined;
  let block: string | undefined;
  let hasContent = false;
  const send = (choice: ChatChunkChoice): void => emit({ ...head!, choices: [choice] });
  const begin = (candidate: StreamedCandidate): { role?: string } => {
    if (candidate.hasRole) return {};
    candidate.hasRole = true;
    return { role: 'assistant' };
  };
  return {
    event(data) {
      const answer = parsedObject(data, 'an event of the stream');
      if (isObject(answer['error'])) throw context.failure(answer['error']);
      head ??= {
        id: idOf(answer, context),
        object: 'chat.completion.chunk',
        created: createdOf(answer, context),
        model: modelOf(answer, context),
      };
      usage = usageOf(answer['usageMetadata']) ?? usage;
      block = blockReason(answer) ?? block;
      for (const [i, candidate] of candidatesOf(answer).entries()) {
        const index = indexOf(candidate, i);
        let known = candidates.get(index);
        if (known === undefined) {
          known = { index, said: nothingSaid(), finishReason: undefined, extra: undefined, hasRole: false };
          candidates.set(index, known);
        }
        const delta = deltaOf(candidate, known.said, context, index);
        const logprobs = logprobsOf(candidate['logprobsResult']);
        if (delta !== undefined || logprobs !== null) {
          hasContent = true;
          send({
            index,
            delta: { ...begin(known), ...delta },
            finish_reason: null,
            ...(logprobs === null ? {} : { logprobs }),
          });
        }
        const reason = finishReasonOf(candidate);
        known.finishReason = reason ?? known.finishReason;
        if (reason !== undefined) hasContent = true;
        known.extra = extraOf(candidate) ?? known.extra;
      }
    },
    end() {
      if (candidates.size === 0 && block !== undefined) {
        if (context.blocked === 'elsewhere') throw blockedPrompt(block, usage);
        send({ index: 0, delta: { role: 'assistant', refusal: refusalText(block) }, finish_reason: null });
        send({ index: 0, delta: {}, finish_reason: 'content_filter', native_finish_reason: block });
      } else {
        if (candidates.size === 0) throw truncated('the connection closed before a candidate');
        for (const { finishReason, said } of candidates.values()) {
          if (finishReason === undefined) throw truncated('the connection closed before a finish reason');
          if (isFailed(finishReason, said)) throw failedAnswer(finishReason, usage);
        }
        for (const candidate of candidates.values()) {
          // Some models say a finish reason with every event: only the last one is the end.
          send({
            index: candidate.index,
            delta: begin(candidate),
            finish_reason: openaiFinish(candidate.finishReason!, candidate.said),
            native_finish_reason: candidate.finishReason,
            ...(candidate.extra === undefined ? {} : { extra_content: { google: candidate.extra } }),
          });
        }
      }
      if (usage !== undefined) emit({ ...head!, choices: [], usage });
      return { usage };
    },
    get hasContent() {
      return hasContent;
    },
    // Nothing in the format says that no event follows: the connection's end does.
    isWhole: false,
    get usage() {
      return usage;
    },
  };
}

/** What a candidate has said so far. */
interface Said {
  calls: number;
  details: number;
  hasContent: boolean;
}

function nothingSaid(): Said {
  return { calls: 0, details: 0, hasContent: false };
}

function choiceOf(
  candidate: Record<string, unknown>,
  position: number,
  context: GeminiAnswerContext,
  usage: Usage | undefined,
): ChatChoice {
  const said = nothingSaid();
  const index = indexOf(candidate, position);
  const delta = deltaOf(candidate, said, context, index) ?? {};
  const finishReason = finishReasonOf(candidate);
  if (finishReason !== undefined && isFailed(finishReason, said)) throw failedAnswer(finishReason, usage);
  const extra = extraOf(candidate);
  const { tool_calls: calls, content, ...rest } = delta;
  return {
    index,
    message: {
      role: 'assistant',
      content: typeof content === 'string' ? content : calls === undefined ? '' : null,
      ...rest,
      ...(Array.isArray(calls) ? { tool_calls: calls.map(({ index: _, ...call }: { index: number }) => call) } : {}),
    },
    finish_reason: openaiFinish(finishReason ?? 'STOP', said),
    ...(finishReason === undefined ? {} : { native_finish_reason: finishReason }),
    logprobs: logprobsOf(candidate['logprobsResult']),
    ...(extra === undefined ? {} : { extra_content: { google: extra } }),
  };
}

/** What a candidate's parts say, as fields of a delta; undefined if they say nothing. */
function deltaOf(
  candidate: Record<string, unknown>,
  said: Said,
  context: GeminiAnswerContext,
  index: number,
): Record<string, unknown> | undefined {
  const content = candidate['content'];
  if (!isObject(content) || !Array.isArray(content['parts'])) return undefined;
  let text = '';
  let thoughts = '';
  let signature: string | undefined;
  const calls: Record<string, unknown>[] = [];
  const details: Record<string, unknown>[] = [];
  const seal = (data: string, id?: unknown): void =>
    void details.push({
      type: 'reasoning.encrypted',
      data,
      ...(id === undefined ? {} : { id }),
      format: SIGNATURE_FORMAT,
      index: said.details++,
    });
  const images: Record<string, unknown>[] = [];
  for (const part of content['parts']) {
    if (!isObject(part)) continue;
    const signed = typeof part['thoughtSignature'] === 'string' ? part['thoughtSignature'] : undefined;
    if (isObject(part['functionCall'])) {
      const call = callOf(part['functionCall'], signed, said, context, index);
      calls.push(call);
      if (signed !== undefined) seal(signed, call['id']);
      continue;
    }
    signature = signed ?? signature;
    if (typeof part['text'] === 'string') {
      if (part['thought'] === true) thoughts += part['text'];
      else text += part['text'];
    } else if (isObject(part['executableCode'])) text += fenced('python', part['executableCode']['code']);
    else if (isObject(part['codeExecutionResult'])) text += fenced('', part['codeExecutionResult']['output']);
    else if (isObject(part['inlineData'])) {
      const { mimeType, data } = part['inlineData'];
      images.push({ type: 'image_url', image_url: { url: `data:${String(mimeType)};base64,${String(data)}` } });
    }
  }
  if (signature !== undefined) seal(signature);
  if (text !== '' || images.length > 0 || calls.length > 0) said.hasContent = true;
  if (text === '' && thoughts === '' && signature === undefined && calls.length + images.length === 0) return undefined;
  return {
    ...(text === '' ? {} : { content: text }),
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(images.length === 0 ? {} : { images }),
    ...(signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } }),
  };
}

function callOf(
  call: Record<string, unknown>,
  signature: string | undefined,
  said: Said,
  { traceId }: GeminiAnswerContext,
  index: number,
): Record<string, unknown> {
  const number = said.calls++;
  const own = call['id'];
  return {
    index: number,
    // The Developer API gives none: made of the trace, it is unique in a conversation.
    id: typeof own === 'string' && own !== '' ? own : `call_${traceId.slice(3)}_${index}_${number}`,
    type: 'function',
    function: {
      name: typeof call['name'] === 'string' ? call['name'] : '',
      arguments: JSON.stringify(isObject(call['args']) ? call['args'] : {}),
    },
    ...(signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } }),
  };
}

function fenced(language: string, text: unknown): string {
  return typeof text === 'string' ? `\n\`\`\`${language}\n${text}\n\`\`\`\n` : '';
}

function openaiFinish(reason: string, said: Said): string {
  const finish = FINISH[reason] ?? 'stop';
  return finish === 'stop' && said.calls > 0 ? 'tool_calls' : finish;
}

function isFailed(reason: string, said: Said): boolean {
  return !said.hasContent && FAILED.includes(reason);
}

function failedAnswer(reason: string, usage: Usage | undefined): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', `The expert ended without an answer: ${reason}.`, {
    fix: 'Ask again or ask another expert; simplify the tools if it repeats.',
    elsewhere: true,
    upstream: { message: 'The model ended without an answer.', code: reason },
    usage,
  });
}

function blockedPrompt(reason: string, usage: Usage | undefined): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_BLOCKED', `The expert's filter blocks the prompt: ${reason}.`, {
    fix: 'Change the prompt, or the safetySettings in params of this expert.',
    elsewhere: true,
    upstream: { message: refusalText(reason), code: reason },
    usage,
  });
}

function refusalText(reason: string): string {
  return `The prompt was blocked by the provider's filter (${reason}).`;
}

function usageOf(counted: unknown): Usage | undefined {
  if (!isObject(counted)) return undefined;
  const count = (name: string): number => {
    const value = counted[name];
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
  };
  if (typeof counted['promptTokenCount'] !== 'number') return undefined;
  // What tools said goes back in as prompt, and is counted apart.
  const prompt = count('promptTokenCount') + count('toolUsePromptTokenCount');
  const thoughts = count('thoughtsTokenCount');
  const completion = count('candidatesTokenCount') + thoughts;
  const heard = soundOf(counted['promptTokensDetails']) - soundOf(counted['cacheTokensDetails']);
  const spoken = soundOf(counted['candidatesTokensDetails']);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: count('cachedContentTokenCount'),
      // Of the sound, what a cache held is among the cached.
      ...(heard > 0 ? { audio_tokens: heard } : {}),
    },
    completion_tokens_details: { reasoning_tokens: thoughts, ...(spoken > 0 ? { audio_tokens: spoken } : {}) },
  };
}

/** Tokens of sound in a list of counts by modality. */
function soundOf(counts: unknown): number {
  if (!Array.isArray(counts)) return 0;
  let tokens = 0;
  for (const entry of counts)
    if (isObject(entry) && entry['modality'] === 'AUDIO' && typeof entry['tokenCount'] === 'number')
      tokens += entry['tokenCount'];
  return tokens;
}

function logprobsOf(result: unknown): { content: TokenLogprob[] } | null {
  if (!isObject(result) || !Array.isArray(result['chosenCandidates'])) return null;
  const tops = Array.isArray(result['topCandidates']) ? result['topCandidates'] : [];
  const content: TokenLogprob[] = [];
  for (const [i, chosen] of result['chosenCandidates'].entries()) {
    const token = tokenOf(chosen);
    if (token === undefined) continue;
    const likeliest: unknown = isObject(tops[i]) ? tops[i]['candidates'] : undefined;
    content.push({
      ...token,
      top_logprobs: Array.isArray(likeliest) ? likeliest.flatMap((entry: unknown) => tokenOf(entry) ?? []) : [],
    });
  }
  return content.length === 0 ? null : { content };
}

function tokenOf(entry: unknown): { token: string; logprob: number; bytes: null } | undefined {
  if (!isObject(entry)) return undefined;
  const { token, logProbability } = entry;
  // A probability of one is a logarithm of 0, which the wire leaves out.
  const logprob = logProbability ?? 0;
  if (typeof token !== 'string' || typeof logprob !== 'number') return undefined;
  return { token, logprob, bytes: null };
}

function extraOf(candidate: Record<string, unknown>): Record<string, unknown> | undefined {
  let extra: Record<string, unknown> | undefined;
  for (const name in EXTRAS) {
    if (candidate[name] === undefined) continue;
    extra ??= {};
    extra[EXTRAS[name]!] = candidate[name];
  }
  return extra;
}

function candidatesOf(answer: Record<string, unknown>): Record<string, unknown>[] {
  const { candidates } = answer;
  if (candidates === undefined || candidates === null) return [];
  if (!Array.isArray(candidates) || !candidates.every(isObject))
    throw malformed('the candidates are not a list of objects');
  return candidates;
}

function indexOf(candidate: Record<string, unknown>, position: number): number {
  const { index } = candidate;
  return typeof index === 'number' && Number.isInteger(index) && index >= 0 ? index : position;
}

function finishReasonOf(candidate: Record<string, unknown>): string | undefined {
  const reason = candidate['finishReason'];
  return typeof reason === 'string' && reason !== '' && reason !== 'FINISH_REASON_UNSPECIFIED'
    ? reason.slice(0, 64)
    : undefined;
}

function blockReason(answer: Record<string, unknown>): string | undefined {
  const feedback = answer['promptFeedback'];
  const reason = isObject(feedback) ? feedback['blockReason'] : undefined;
  return typeof reason === 'string' && reason !== '' ? reason.slice(0, 64) : undefined;
}

function idOf(answer: Record<string, unknown>, { traceId }: GeminiAnswerContext): string {
  const id = answer['responseId'];
  return typeof id === 'string' && id !== '' ? id : `chatcmpl-${traceId}`;
}

function modelOf(answer: Record<string, unknown>, { model }: GeminiAnswerContext): string {
  const version = answer['modelVersion'];
  return typeof version === 'string' && version !== '' ? version : model;
}

function createdOf(answer: Record<string, unknown>, { createdS }: GeminiAnswerContext): number {
  const time = typeof answer['createTime'] === 'string' ? Date.parse(answer['createTime']) : Number.NaN;
  return Number.isFinite(time) ? Math.floor(time / 1000) : createdS();
}
