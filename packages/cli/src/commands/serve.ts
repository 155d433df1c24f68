import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import {
  type Config,
  createGateway,
  fileResponses,
  fileStates,
  type GatewayServer,
  journal,
  knownSecrets,
  lineLog,
  serve as listen,
  openBook,
  openIdentity,
  watchConfig,
} from '@gatewright/gateway';
import { isGatewrightError } from '@gatewright/kernel';
import { type Command, EXIT, numberFlag, parse } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** When nobody chose a port and the usual one is taken, the next free one of this many is as good. */
const PORTS_TO_TRY = 10;

/**
 * How far the heap may grow over what is alive before it is collected as a whole. On a large machine V8 lets a small heap
 * grow fourfold, and resident memory climbs for hundreds of thousands of requests though nothing leaks.
 */
const HEAP_GROWTH_PERCENT = 20;

/** `gatewright serve`: the gateway itself. */
export const serve: Command = {
  name: 'serve',
  summary: 'Start the gateway (with no configuration: the sandbox of simulated experts).',
  help: `Usage: gatewright serve [--config FILE] [--host ADDRESS] [--port N] [--store FOLDER] [--json] [--quiet]

Starts the OpenAI-compatible gateway. Without --config it takes gatewright.yaml of this folder; without
one it serves the sandbox: simulated experts in this process that solve small verifiable tasks.
The file is watched: a sound change is in force at once, a bad one is refused with its reasons.

  --config FILE    configuration (see: gatewright init, gatewright schema)
  --host ADDRESS   where to listen; beyond loopback an API key is required
  --port N         port, 0 for any free one
  --store FOLDER   folder of traces and feedback
  --json           one JSON line when ready, log lines as JSON
  --quiet          no banner

Example: gatewright serve --port 4180`,

  async run(argv, io) {
    const { values } = parse('serve', argv, {
      config: { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string' },
      store: { type: 'string' },
      json: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    });
    const startedMs = performance.now();
    setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
    const loaded = loadConfig(values.config);
    const port =
      values.port === undefined
        ? undefined
        : numberFlag('serve', 'port', values.port, 0, { min: 0, max: 65535, whole: true });
    let secrets: readonly string[] = [];
    const adapt = (config: Config): Config => {
      secrets = knownSecrets(config, io.env);
      return {
        ...config,
        server: {
          ...config.server,
          ...(values.host === undefined ? {} : { host: values.host }),
          ...(port === undefined ? {} : { port }),
        },
        storage: { ...config.storage, ...(values.store === undefined ? {} : { directory: values.store }) },
      };
    };
    const config = adapt(loaded.config);
    const { log, close: endLog } = lineLog((line) => io.note(line), {
      format: values.json ? 'json' : (config.logs?.format ?? 'text'),
      level: config.logs?.level ?? 'info',
      secrets: () => secrets,
    });

    const { directory, keepBytes } = config.storage;
    const store = journal({ directory, keepBytes });
    let server: GatewayServer;
    let stopWatching = (): void => {};
    try {
      const gateway = createGateway({
        config,
        store,
        states: fileStates(join(directory, 'estimators')),
        identity: openIdentity(directory),
        book: openBook(join(directory, 'ledger.sqlite'), { keepDays: config.budgets?.keepDays }),
        responses: fileResponses(join(directory, 'responses.sqlite')),
        env: io.env,
      });
      server = await listenSomewhere(config, port !== undefined || loaded.path !== undefined, (attempt) => {
        gateway.reconfigure(attempt);
        return listen(gateway, io.env, log);
      });
      const { cards, learning, memory } = gateway.runtime;
      const { lost } = gateway.ledger.entries.stats;
      if (lost > 0)
        log(
          'warn',
          `${lost} calls were under way when the gateway was killed; they are booked as what was reserved for them`,
        );
      for (const warning of [...cards.warnings, ...learning.warnings, ...memory.warnings]) log('warn', warning);
      if (loaded.path !== undefined) stopWatching = watchConfig(loaded.path, gateway, log, adapt);
    } catch (error) {
      await store.close();
      throw error;
    }

    if (values.json)
      io.print(
        JSON.stringify({
          event: 'ready',
          url: server.url,
          port: server.port,
          config: loaded.path ?? 'sandbox',
          configHash: config.hash,
          ...(server.adminUrl === undefined ? {} : { admin: server.adminUrl }),
          store: directory,
        }),
      );
    else if (!values.quiet)
      for (const line of banner(server, config, loaded.path, performance.now() - startedMs)) io.print(line);

    await stopped(io.stop);
    stopWatching();
    if (!values.quiet) io.note('\nStopping: requests under way may finish (Ctrl-C again ends at once).');
    await server.close(undefined, config.server.drainMs);
    endLog();
    return EXIT.ok;
  },
};

async function listenSomewhere(
  config: Config,
  isChosen: boolean,
  start: (config: Config) => Promise<GatewayServer>,
): Promise<GatewayServer> {
  for (let attempt = 0; ; attempt++) {
    const port = config.server.port === 0 ? 0 : config.server.port + attempt;
    try {
      return await start({ ...config, server: { ...config.server, port } });
    } catch (error) {
      const mayTryNext =
        !isChosen && attempt + 1 < PORTS_TO_TRY && isGatewrightError(error) && error.code === 'GW_PORT_IN_USE';
      if (!mayTryNext) throw error;
    }
  }
}

function banner(server: GatewayServer, config: Config, path: string | undefined, tookMs: number): string[] {
  const isSandbox = path === undefined;
  const modes = Object.keys(config.modes).map((name) => `gw/${name}`);
  const model = modes[0] ?? config.experts[0]!.id;
  return [
    '',
    `Gatewright routes to ${config.experts.length} experts${isSandbox ? ' of the sandbox (simulated, in this process: nothing leaves this machine)' : ` of ${path}`}. Ready in ${Math.round(tookMs)} ms.`,
    '',
    `  API     ${server.url}/v1`,
    `  Page    ${server.url}/`,
    ...(server.adminUrl === undefined ? [] : [`  Admin   ${server.adminUrl}/admin/v1`]),
    `  Modes   ${modes.join(' ')}`,
    `  Traces  ${config.storage.directory}${config.storage.bodies ? ' (with the text of requests and answers)' : ' (without the text of requests and answers)'}`,
    '',
    'Try it:',
    `  curl ${server.url}/v1/chat/completions -H 'content-type: application/json' \\`,
    `    -d '{"model":"${model}","messages":[{"role":"user","content":"What is 17 * (23 + 4) - 5?"}]}'`,
    '',
    ...(isSandbox
      ? [
          'Send it some traffic:          npx gatewright sandbox traffic --rps 5',
          'Put your own endpoints behind: npx gatewright init   (writes gatewright.yaml; edit it, start again)',
          '',
        ]
      : []),
  ];
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
