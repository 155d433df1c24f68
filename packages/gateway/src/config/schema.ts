/**
 * The shape of `gatewright.yaml`, once: its types, its validation and the published JSON Schema all come from here.
 * What a policy, a composition or a provider makes of its own options is checked by its factory, not here.
 */
import Type, { type Static } from 'typebox';
import { CACHE_SCOPES } from '../caches/cache.ts';
import { BudgetsSchema } from '../money/accounts.ts';

const closed = { additionalProperties: false } as const;

/**
 * What an expert's capability list may name. `samples` is more than one choice per request (`n`). Those from `jsonSchema`
 * on came later: they are asked for only where some expert of the configuration names them (`features/needs.ts`).
 */
export const CAPABILITIES = [
  'tools',
  'json',
  'vision',
  'logprobs',
  'samples',
  'jsonSchema',
  'parallelTools',
  'audio',
  'files',
  'reasoning',
  'prefill',
] as const;

/** Those of `CAPABILITIES` that count only where some expert names them. */
export const LATER_CAPABILITIES = CAPABILITIES.slice(CAPABILITIES.indexOf('jsonSchema'));

/** One of `CAPABILITIES`. */
export type Capability = (typeof CAPABILITIES)[number];

/** How private a request is, from what anybody may read to what few may. */
export const PRIVACY = ['public', 'internal', 'confidential'] as const;

/** One of `PRIVACY`. */
export type Privacy = (typeof PRIVACY)[number];

/** An expert by id, or all of a provider as `provider:openai`. */
const Selector = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,109}$' });

const Plugin = (what: string, example: string) =>
  Type.Object(
    { use: Type.String({ description: `Name of the ${what}.` }) },
    { description: `A ${what} and its options, e.g. ${example}` },
  );

const Milliseconds = (description: string) => Type.Number({ minimum: 1, maximum: 3_600_000, description });

const Usd = (description: string) => Type.Number({ minimum: 0, description });
const InputUsd = Usd('USD per million prompt tokens.');
const OutputUsd = Usd('USD per million completion tokens.');
/** Kinds of tokens that some providers charge apart. */
const otherRates = {
  cachedInputUsdPerMTok: Type.Optional(
    Usd('USD per million prompt tokens read from a cache. Default: the input price.'),
  ),
  cacheWriteUsdPerMTok: Type.Optional(
    Usd('USD per million prompt tokens written to a cache. Default: the input price.'),
  ),
  cacheWrite1hUsdPerMTok: Type.Optional(
    Usd('USD per million prompt tokens written to a cache for an hour. Default: as other writes.'),
  ),
  reasoningUsdPerMTok: Type.Optional(Usd('USD per million tokens of thought. Default: the output price.')),
  audioInputUsdPerMTok: Type.Optional(Usd('USD per million prompt tokens of sound. Default: the input price.')),
  audioOutputUsdPerMTok: Type.Optional(Usd('USD per million completion tokens of sound. Default: the output price.')),
};

const Price = Type.Object(
  {
    inputUsdPerMTok: InputUsd,
    outputUsdPerMTok: OutputUsd,
    ...otherRates,
    requestUsd: Type.Optional(Usd('USD for each request beside its tokens. Default 0.')),
    above: Type.Optional(
      Type.Array(
        Type.Object(
          {
            promptTokens: Type.Integer({ minimum: 0, description: 'Holds for prompts longer than this.' }),
            inputUsdPerMTok: Type.Optional(InputUsd),
            outputUsdPerMTok: Type.Optional(OutputUsd),
            ...otherRates,
          },
          closed,
        ),
        {
          description: 'Other prices for long prompts; the largest promptTokens that is exceeded holds for all tokens.',
        },
      ),
    ),
  },
  { ...closed, description: 'What the expert charges. Default: the catalogue, else nothing.' },
);

const Timeouts = Type.Object(
  {
    connectMs: Type.Optional(Milliseconds('To an open connection. Default 5000.')),
    firstByteMs: Type.Optional(Milliseconds('From the request to the first byte of the answer. Default 60000.')),
    firstContentMs: Type.Optional(
      Milliseconds(
        'Of a stream, from the request to its first content: comments, pings and the role are none. Default 300000.',
      ),
    ),
    idleMs: Type.Optional(
      Milliseconds('Between two parts of an answer; of a stream, between two with content. Default 30000.'),
    ),
    totalMs: Type.Optional(Milliseconds('For one call in all. Default 600000.')),
  },
  { ...closed, description: 'How long a call may take, milliseconds.' },
);

const Retries = Type.Object(
  {
    attempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10,
        description: 'Most attempts of one call, the first among them. 1: no retries. Default 2.',
      }),
    ),
    baseMs: Type.Optional(
      Milliseconds('Largest wait before the first retry, doubled for each one after it. Default 250.'),
    ),
    maxMs: Type.Optional(
      Milliseconds('Longest wait; who asks for more by Retry-After is not asked again. Default 2000.'),
    ),
  },
  { ...closed, description: 'How a failed call is made again where nobody else is left to ask.' },
);

const Breaker = Type.Object(
  {
    failuresInARow: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Opens after this many failures one after another. Default 3.' }),
    ),
    failureRate: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'Opens when this share of the calls in the window failed. Default 0.5.',
      }),
    ),
    windowMs: Type.Optional(Milliseconds('Length of the window. Default 30000.')),
    minimumCalls: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Calls in the window before its share counts. Default 20.' }),
    ),
    openMs: Type.Optional(
      Milliseconds('How long it stays open the first time; doubled each time the probes fail. Default 1000.'),
    ),
    longestOpenMs: Type.Optional(
      Milliseconds('Longest time it stays open by itself; Retry-After may say longer. Default 60000.'),
    ),
    probes: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Calls let through at a time while it is half open. Default 1.' }),
    ),
  },
  { ...closed, description: 'When an expert is left alone, and how it comes back.' },
);

const Expert = Type.Object(
  {
    id: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$',
      description: 'Name of the expert: what clients may ask for as `model`, what traces show.',
    }),
    provider: Plugin('provider', '{ use: openai, baseUrl: "http://127.0.0.1:8000/v1", model: my-model }'),
    kind: Type.Optional(
      Type.Enum(['chat', 'embedding'], {
        description:
          'What it makes: answers, or vectors for /v1/embeddings. Modes hold experts of kind chat only. Default chat.',
      }),
    ),
    catalog: Type.Optional(
      Type.Union([Type.Literal(false), Type.String({ pattern: '^[a-z0-9-]+/.+$' })], {
        description:
          'Whose price and context window hold where none is declared, as PROVIDER/MODEL; false for nobody. Default: found by baseUrl and model.',
      }),
    ),
    price: Type.Optional(Price),
    residency: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }), {
        minItems: 1,
        uniqueItems: true,
        description:
          'Every region in which it may keep or process what it is sent, e.g. eu. A request that demands regions reaches it only if it names all of these.',
      }),
    ),
    privacy: Type.Optional(
      Type.Enum(PRIVACY, { description: 'The most private requests it may be given. Default public.' }),
    ),
    quality: Type.Optional(
      Type.Union(
        [Type.Number({ minimum: 0, maximum: 1 }), Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 1 }))],
        { description: 'Declared share of acceptable answers, 0..1; or one per skill beside `default`. Default 0.5.' },
      ),
    ),
    latencyMs: Type.Optional(
      Type.Number({ minimum: 0, description: 'Usual time to the whole answer. Default: learned from the calls.' }),
    ),
    outputTokens: Type.Optional(
      Type.Number({
        minimum: 1,
        description: 'Usual length of an answer, for cost estimates. Default: learned from the calls.',
      }),
    ),
    maxOutputTokens: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Longest answer it gives, for what is reserved before a call. Default: what the context leaves, else 32768.',
      }),
    ),
    contextTokens: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Context window. Default: the catalogue, else not limited.' }),
    ),
    capabilities: Type.Optional(
      Type.Array(Type.Enum(CAPABILITIES), {
        uniqueItems: true,
        description: 'What requests to this expert may need. Default: tools, json, samples.',
      }),
    ),
    capacity: Type.Optional(
      Type.Object(
        {
          concurrent: Type.Optional(Type.Integer({ minimum: 1, description: 'Calls it handles well at a time.' })),
          requestsPerMinute: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, description: 'Requests a minute it allows.' }),
          ),
        },
        { ...closed, description: 'Above it the shadow price of the expert rises, so that scores turn elsewhere.' },
      ),
    ),
    attributes: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Type.Number({ minimum: 0, maximum: 1 }), {
        ...closed,
        description: 'What soft flags weigh against it, 0 (none) to 1 (most), e.g. size or verbosity.',
      }),
    ),
    grants: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), {
        uniqueItems: true,
        description: 'Hard flags it satisfies, e.g. privacy. A request with such a flag reaches no expert without it.',
      }),
    ),
    card: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'File that `gatewright probe` wrote: what the expert failed at there is not asked of it.',
      }),
    ),
    timeouts: Type.Optional(Timeouts),
    retries: Type.Optional(Retries),
    breaker: Type.Optional(Breaker),
  },
  { ...closed, description: 'Somebody who can answer a request: a model behind a provider.' },
);

const CacheScope = Type.Optional(
  Type.Enum(CACHE_SCOPES, {
    description:
      'Who may be given an answer: whoever sends the same key, keys of the same project, or everybody. Default key.',
  }),
);

const ExactCache = {
  ttlMs: Type.Optional(
    Type.Number({
      minimum: 1,
      maximum: 2_592_000_000,
      description: 'How long an answer may be given. Default 600000.',
    }),
  ),
  scope: CacheScope,
  onlyDeterministic: Type.Optional(Type.Boolean({ description: 'Only requests with temperature 0. Default true.' })),
};

const Mode = Type.Object(
  {
    summary: Type.Optional(Type.String({ description: 'One sentence for people.' })),
    experts: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        uniqueItems: true,
        description: 'Ids of the experts it may use. Default: all.',
      }),
    ),
    deny: Type.Optional(
      Type.Array(Selector, {
        uniqueItems: true,
        description: 'Experts it never uses: ids, or provider:NAME for all of a provider. Default: none.',
      }),
    ),
    estimator: Type.Optional(
      Type.String({
        description:
          'Name under `estimators` of what predicts quality. Default: the declared quality, and nothing is learned.',
      }),
    ),
    cache: Type.Optional(
      Type.Union([Type.Literal(false), Type.Object(ExactCache, closed)], {
        description: 'Of this mode in place of `cache.exact`; false: none.',
      }),
    ),
    maxCostUsd: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'All calls of one request together may not come to more, USD. Default: not limited.',
      }),
    ),
    continueAttempts: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 5,
        description: 'How often a text that broke off may be continued. Default: `resilience.continueAttempts`.',
      }),
    ),
    policy: Plugin('policy', '{ use: bestOf, weights: { quality: 1, cost: 0.3 } }'),
    shadow: Type.Optional(
      Type.Object(
        { use: Type.String({ description: 'Name of the policy.' }) },
        { description: 'A second policy that decides every request too, is traced, and never acts. Default: none.' },
      ),
    ),
    composition: Plugin('composition', '{ use: fallback, attempts: 3 }'),
    confidence: Type.Optional(
      Type.Object(
        { use: Type.String({ description: 'Name of the measure.' }) },
        {
          description:
            'How sure an answer is, e.g. { use: firstTokenEntropy, topLogprobs: 5 }. Default: the geometric mean of the token probabilities.',
        },
      ),
    ),
  },
  { ...closed, description: 'A way to route: who comes first (policy) and how the ranking is used (composition).' },
);

const Cache = Type.Object(
  {
    exact: Type.Optional(
      Type.Object(
        {
          ...ExactCache,
          maxBytes: Type.Optional(
            Type.Integer({ minimum: 65_536, description: 'Memory for answers. Default 67108864.' }),
          ),
        },
        { ...closed, description: 'Answers to the very same request. Default: none are kept.' },
      ),
    ),
    semantic: Type.Optional(
      Type.Object(
        {
          measurement: Type.String({
            minLength: 1,
            description: 'File that `gatewright cache --out` wrote: how often a wrong answer would be given.',
          }),
          maxFalseHitRate: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: 0.2,
              description: 'Start only if the upper bound of the measured rate is below this. Default 0.01.',
            }),
          ),
          minSimilarity: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Share of words in common that a hit must have. Default 0.5.',
            }),
          ),
          entries: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100_000, description: 'Questions remembered. Default 10000.' }),
          ),
        },
        { ...closed, description: 'Answers to other words of the same question. Needs `exact`. Default: none.' },
      ),
    ),
  },
  { ...closed, description: 'Whether finished answers are given again. Default: never.' },
);

const Telemetry = Type.Object(
  {
    otlp: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(
            Type.String({
              description:
                'Where spans go, whole address. Default OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces.',
            }),
          ),
          headersEnv: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
              description: 'Environment variable with headers for it, as name=value,name=value.',
            }),
          ),
          sampleRatio: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Share of requests without a sampled parent that are exported. Default 1.',
            }),
          ),
          propagate: Type.Optional(Type.Boolean({ description: 'Send `traceparent` to experts. Default true.' })),
          queue: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100_000,
              description: 'Requests that wait to be exported. Default 2048.',
            }),
          ),
        },
        { ...closed, description: 'Spans over OTLP/HTTP.' },
      ),
    ),
    serviceName: Type.Optional(
      Type.String({ minLength: 1, description: 'Default OTEL_SERVICE_NAME, else gatewright.' }),
    ),
  },
  { ...closed, description: 'Spans for other programs. Default: only where OTEL_EXPORTER_OTLP_ENDPOINT is set.' },
);

const Logs = Type.Object(
  {
    format: Type.Optional(Type.Enum(['text', 'json'], { description: 'Default text.' })),
    level: Type.Optional(
      Type.Enum(['info', 'warn', 'error'], { description: 'What is less is left out. Default info.' }),
    ),
    requests: Type.Optional(Type.Boolean({ description: 'One line for each request. Default false.' })),
  },
  { ...closed, description: 'What the gateway says of itself, on standard error.' },
);

/** The whole file. */
export const ConfigSchema = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this format.' }),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 4294967295,
        description: 'Seed of all random choices. Default: drawn at start.',
      }),
    ),
    server: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(Type.String({ minLength: 1, description: 'Address to listen on. Default 127.0.0.1.' })),
          port: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 65535, description: 'Port, 0 for any free one. Default 4180.' }),
          ),
          apiKeyEnv: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
              description:
                'Environment variable with the key (or keys, separated by commas) that clients must send. Default GATEWRIGHT_API_KEY.',
            }),
          ),
          verifierKeyEnv: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
              description:
                'Environment variable with the key (or keys) whose feedback of source verifier or judge is taken as right. Default GATEWRIGHT_VERIFIER_KEY.',
            }),
          ),
          maxBodyBytes: Type.Optional(
            Type.Integer({ minimum: 1024, description: 'Largest request body. Default 20971520.' }),
          ),
          maxConnections: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Open connections at a time. Default 20000.' }),
          ),
          clientStallMs: Type.Optional(Milliseconds('How long a client may stop reading its answer. Default 60000.')),
          drainMs: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 3_600_000,
              description:
                'How long requests are still taken after SIGTERM, while /readyz says 503: longer than whoever sends them takes to notice. Default 200.',
            }),
          ),
          graceMs: Type.Optional(Milliseconds('How long requests under way may go on after that. Default 10000.')),
        },
        { ...closed, description: 'Where and how to listen.' },
      ),
    ),
    admin: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(
            Type.String({
              minLength: 1,
              description: 'Address to listen on. Default 127.0.0.1; beyond loopback an admin key must exist.',
            }),
          ),
          port: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 65535, description: 'Port, 0 for any free one. Default 4190.' }),
          ),
          tokenEnv: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
              description:
                'Environment variable with a token that opens it too, beside virtual keys of role admin. Default GATEWRIGHT_ADMIN_TOKEN.',
            }),
          ),
        },
        { ...closed, description: 'A listener of its own for whoever manages the gateway. Default: there is none.' },
      ),
    ),
    storage: Type.Optional(
      Type.Object(
        {
          directory: Type.Optional(
            Type.String({ minLength: 1, description: 'Folder of the journal. Default .gatewright.' }),
          ),
          keepBytes: Type.Optional(
            Type.Integer({ minimum: 1_048_576, description: 'Oldest traces go above this size. Default 1073741824.' }),
          ),
          bodies: Type.Optional(
            Type.Boolean({ description: 'Keep the text of requests and answers too. Default false.' }),
          ),
          responses: Type.Optional(
            Type.Boolean({
              description:
                'Keep the text of /v1/responses for previous_response_id, unless a request says store: false. Default true.',
            }),
          ),
        },
        { ...closed, description: 'Where traces and feedback are kept.' },
      ),
    ),
    timeouts: Type.Optional(Timeouts),
    retries: Type.Optional(Retries),
    breaker: Type.Optional(Breaker),
    resilience: Type.Optional(
      Type.Object(
        {
          retryShare: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Most retries, as a share of all calls. Default 0.1.',
            }),
          ),
          continueAttempts: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 5,
              description: 'How often a text that broke off may be continued where it stopped. Default 1.',
            }),
          ),
          hedgeShare: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Most second calls of a race, as a share of all calls. Default 0.1.',
            }),
          ),
          hedgeUsdPerHour: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              description: 'What second calls of races may cost an hour, USD. Default: not limited.',
            }),
          ),
          outlierFactor: Type.Optional(
            Type.Number({
              exclusiveMinimum: 1,
              description:
                'An expert whose median time to first content is above so many times the median of the pool is left alone. Default: nobody is.',
            }),
          ),
          outlierShare: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Largest share of the pool that is left alone as too slow. Default 0.3.',
            }),
          ),
        },
        { ...closed, description: 'What the whole pool may spend on extra calls, and who is too slow for it.' },
      ),
    ),
    feedback: Type.Optional(
      Type.Object(
        {
          floor: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Weight of a voter who is no better than chance. Default 0.05.',
            }),
          ),
          largestShare: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: 1,
              description:
                'Largest share of the evidence on one expert and skill that one voter may have, where voters are many. Default 0.1.',
            }),
          ),
          votesPerDay: Type.Optional(
            Type.Number({ minimum: 1, description: 'Votes a day that count of one named user. Default 200.' }),
          ),
        },
        { ...closed, description: 'How much a vote on an answer counts.' },
      ),
    ),
    cards: Type.Optional(
      Type.Object(
        {
          directory: Type.String({
            minLength: 1,
            description: 'Folder of cards, one EXPERT.json each, for experts that name no `card`.',
          }),
          maxAgeDays: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, description: 'Older cards are not believed. Default 30.' }),
          ),
        },
        { ...closed, description: 'Where the cards lie that `gatewright probe` writes. Default: no cards are read.' },
      ),
    ),
    prices: Type.Optional(
      Type.Object(
        {
          stepSize: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              description: 'Price change a second per unit of relative excess. Default 0.05.',
            }),
          ),
          cap: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              description: 'Highest price of one resource, in units of quality. Default 0.5.',
            }),
          ),
          spendUsdPerHour: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              description: 'Spending above this rate makes dear experts score lower. Default: not limited.',
            }),
          ),
        },
        { ...closed, description: 'The shadow prices of load, rate and spending.' },
      ),
    ),
    skills: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[a-z][a-z0-9-]*$' }),
        Type.Object(
          {
            keywords: Type.Array(Type.String({ minLength: 1 }), {
              description:
                'Words or signs, any case; the skill with the most hits wins. With none, it is for requests that name it (x-gw-task).',
            }),
          },
          closed,
        ),
        { ...closed, description: 'Kinds of requests that experts may be differently good at.' },
      ),
    ),
    estimators: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[a-z][a-z0-9-]*$' }),
        Type.Object(
          {
            use: Type.String({ description: 'Name of the estimator.' }),
            state: Type.Optional(
              Type.String({ minLength: 1, description: 'File that `gatewright train` wrote: what it knows at first.' }),
            ),
          },
          { description: 'An estimator and its options, e.g. { use: anchored, of: { use: logistic } }' },
        ),
        {
          ...closed,
          description: 'What predicts the quality of each expert for a request, learning from feedback, by name.',
        },
      ),
    ),
    embeddings: Type.Optional(
      Type.Object(
        {
          baseUrl: Type.String({ description: 'Up to and without /embeddings.' }),
          model: Type.String({ minLength: 1, description: "The server's own name of the model." }),
          apiKeyEnv: Type.Optional(Type.String({ description: 'Environment variable that holds the key.' })),
          timeoutMs: Type.Optional(
            Type.Integer({ minimum: 1, description: 'A decision waits so long, then goes without. Default 300.' }),
          ),
          cacheBytes: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Bytes of vectors and texts kept. Default 33554432.' }),
          ),
          maxCharacters: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Characters of a text that are sent. Default 8192.' }),
          ),
        },
        {
          ...closed,
          description: 'An OpenAI-compatible embeddings endpoint, for estimators of kind `embedding`. Default: none.',
        },
      ),
    ),
    cache: Type.Optional(Cache),
    budgets: Type.Optional(BudgetsSchema),
    telemetry: Type.Optional(Telemetry),
    logs: Type.Optional(Logs),
    experts: Type.Array(Expert, { minItems: 1, description: 'The pool.' }),
    modes: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), Mode, {
        ...closed,
        description: 'Modes by name; a client asks for `gw/<name>`. Default: auto and cascade.',
      }),
    ),
    aliases: Type.Optional(
      Type.Record(Type.String({ pattern: '^[^\\s]{1,200}$' }), Type.String({ minLength: 1 }), {
        ...closed,
        description:
          'Names that clients bring along -> mode (`gw/<name>`) or expert; `*` stands for any characters. Default: none.',
      }),
    ),
  },
  {
    ...closed,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Gatewright configuration',
    description: 'gatewright.yaml: the experts behind the gateway and the modes in which requests are routed to them.',
  },
);

/** The file as it stands, after validation. */
export type ConfigFile = Static<typeof ConfigSchema>;
/** One expert as it stands in the file. */
export type ExpertConfig = Static<typeof Expert>;
/** One mode as it stands in the file. */
export type ModeConfig = Static<typeof Mode>;
