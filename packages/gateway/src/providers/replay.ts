/**
 * Recorded outcomes as an expert: for tests, for comparing policies, for showing a decision again without paying for it.
 * What was not recorded is a typed failure, never an invention.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { GatewrightError, OptionError, onlyOptions } from '@gatewright/kernel';
import { lastUserText } from '../wire/chat.ts';
import { type Answer, answerCall } from './answer.ts';
import { ProviderFailure } from './failure.ts';
import type { ConnectProvider } from './provider.ts';

/** One recorded outcome. */
export interface RecordedOutcome {
  /** Graded quality, 0..1. */
  readonly score: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  /** The recorded answer; undefined where only its score was kept. */
  text: string | undefined;
  /** The text was cut when it was recorded. */
  isTruncated: boolean;
}

/** Outcomes of one source, by model and then by prompt id. */
export type RecordedOutcomes = ReadonlyMap<string, ReadonlyMap<string, RecordedOutcome>>;

/** Options of `replay`, as in the configuration. */
export interface ReplayOptions {
  /** Folder with `outcomes.csv.gz` and `responses.jsonl.gz`. */
  readonly directory: string;
  /** Which source's prompts, e.g. `zeroeval`. */
  readonly source: string;
  /** Model name as recorded. */
  readonly model: string;
}

/**
 * Answers with what `model` answered to the same prompt when it was recorded: its text, its tokens, its cost. The prompt
 * is the text of the last user message, compared exactly.
 *
 * @throws {OptionError} if an option is missing or the folder does not hold the two files
 */
export function replay(options: ReplayOptions): ConnectProvider {
  onlyOptions(options, ['directory', 'source', 'model']);
  for (const name of ['directory', 'source', 'model'] as const) {
    if (typeof options[name] !== 'string' || options[name] === '')
      throw new OptionError(
        name,
        'a text that is not empty',
        options[name],
        'Name the folder, the source and the model of the recorded outcomes.',
      );
  }
  const { directory, source, model } = options;
  for (const file of [OUTCOMES, RESPONSES]) {
    if (!existsSync(join(directory, file)))
      throw new OptionError(
        'directory',
        `a folder that holds ${file}`,
        directory,
        'Name the folder with the recorded outcomes.',
      );
  }
  return (context) => {
    const key = `replay\0${directory}\0${source}`;
    // One reading serves all experts of the same folder and source, whatever their number.
    const loaded =
      (context.shared.get(key) as Promise<RecordedOutcomes> | undefined) ?? readOutcomes(directory, source);
    context.shared.set(key, loaded);
    loaded.catch(() => {}); // told to every call, below

    return {
      start(call, sink) {
        return answerCall(call, sink, async () => {
          const outcomes = await loaded.catch((cause: unknown) => {
            throw miss(`the recorded outcomes cannot be read (${cause instanceof Error ? cause.message : cause})`);
          });
          return recordedAnswer(outcomes.get(model)?.get(promptId(source, lastUserText(call.body.messages))), model);
        });
      },
      close: () => Promise.resolve(),
    };
  };
}

const OUTCOMES = 'outcomes.csv.gz';
const RESPONSES = 'responses.jsonl.gz';

/** Id of a prompt in the recorded data: its source and the first 12 hex digits of the SHA-1 of its text. */
export function promptId(source: string, prompt: string): string {
  return `${source}:${createHash('sha1').update(prompt).digest('hex').slice(0, 12)}`;
}

/**
 * Reads the outcomes of one source with their answers, line by line.
 *
 * @throws {GatewrightError} `GW_REPLAY_FORMAT` if a line does not have the columns of the format
 */
export async function readOutcomes(directory: string, source: string): Promise<RecordedOutcomes> {
  const models = new Map<string, Map<string, RecordedOutcome>>();
  let header: string | undefined;
  for await (const line of linesOf(join(directory, OUTCOMES))) {
    if (header === undefined) {
      header = line;
      if (header !== HEADER) throw formatError(`its columns are ${JSON.stringify(header.slice(0, 200))}`);
      continue;
    }
    if (!line.startsWith(`${source}:`)) continue;
    const cells = line.split(',');
    if (cells.length !== 8) throw formatError(`a row has ${cells.length} columns`);
    const [id, model, score, inputTokens, outputTokens, costUsd] = cells as [string, string, ...string[]];
    let byPrompt = models.get(model);
    if (byPrompt === undefined) {
      byPrompt = new Map();
      models.set(model, byPrompt);
    }
    byPrompt.set(id, {
      score: Number(score),
      inputTokens: Number(inputTokens),
      outputTokens: Number(outputTokens),
      costUsd: Number(costUsd),
      text: undefined,
      isTruncated: false,
    });
  }
  for await (const line of linesOf(join(directory, RESPONSES))) {
    if (!line.startsWith(`{"prompt_id": "${source}:`)) continue;
    const {
      prompt_id: id,
      model,
      response,
      truncated,
    } = JSON.parse(line) as { prompt_id: string; model: string; response: string; truncated?: number };
    const outcome = models.get(model)?.get(id);
    if (outcome === undefined) continue;
    outcome.text = response;
    outcome.isTruncated = truncated !== undefined;
  }
  return models;
}

const HEADER = 'prompt_id,model,score,input_tokens,output_tokens,cost_usd,cost_kind,has_response';

function recordedAnswer(outcome: RecordedOutcome | undefined, model: string): Answer {
  if (outcome === undefined) throw miss(`${model} was never asked this prompt`);
  if (outcome.text === undefined) throw miss(`what ${model} answered was not kept, only its score`);
  return {
    model,
    choices: [{ text: outcome.text, finishReason: outcome.isTruncated ? 'length' : 'stop' }],
    promptTokens: outcome.inputTokens,
    completionTokens: outcome.outputTokens,
    costUsd: outcome.costUsd,
  };
}

function miss(why: string): ProviderFailure {
  return new ProviderFailure('GW_REPLAY_MISS', `There is no recorded answer: ${why}.`, {
    fix: 'Ask a prompt that was recorded, word for word.',
    elsewhere: true,
    status: 404,
  });
}

function formatError(why: string): GatewrightError {
  return new GatewrightError('GW_REPLAY_FORMAT', `${OUTCOMES} is not in the known format: ${why}.`, {
    fix: `The first line must be ${HEADER}.`,
  });
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const unzipped = createGunzip();
  file.on('error', (error) => unzipped.destroy(error));
  yield* createInterface({ input: file.pipe(unzipped), crlfDelay: Infinity });
}
