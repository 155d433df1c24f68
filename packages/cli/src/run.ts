/** From argv to an exit code. Pure but for what `io` does. */
import { isGatewrightError, UnknownNameError } from '@gatewright/kernel';
import { type Command, type CommandIo, EXIT } from './command.ts';
import * as commands from './commands/index.ts';

/** Codes of errors -> exit codes; what is not listed is 1. */
const EXIT_OF: Readonly<Record<string, number>> = {
  GW_USAGE: EXIT.usage,
  GW_UNKNOWN_COMMAND: EXIT.usage,
  GW_CONFIG: EXIT.config,
  GW_CONFIG_FILE: EXIT.config,
  GW_KEY_MISSING: EXIT.config,
  GW_CACHE_MEASUREMENT: EXIT.config,
  GW_UNSAFE_BIND: EXIT.config,
  GW_OPTION: EXIT.config,
  GW_KEY_FIELD: EXIT.usage,
  GW_STATE_FILE: EXIT.config,
  GW_ESTIMATOR_STATE: EXIT.config,
  GW_UNREACHABLE: EXIT.unreachable,
};

/** Runs a command line. @returns the exit code; never rejects */
export async function runCommandLine(argv: readonly string[], io: CommandIo): Promise<number> {
  const [verb, ...rest] = argv;
  const asJson = argv.includes('--json');
  try {
    if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
      const asked = verb === 'help' ? rest[0] : undefined;
      for (const line of asked === undefined ? overview() : [commandNamed(asked).help]) io.print(line);
      return EXIT.ok;
    }
    if (verb === '--version' || verb === '-v') {
      io.print(VERSION);
      return EXIT.ok;
    }
    const command = commandNamed(verb);
    if (rest.includes('--help') || rest.includes('-h')) {
      io.print(command.help);
      return EXIT.ok;
    }
    return await command.run(rest, io);
  } catch (error) {
    if (!isGatewrightError(error)) {
      io.note(`gatewright: a defect: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      return EXIT.internal;
    }
    if (asJson)
      io.note(
        JSON.stringify({
          error: {
            code: error.code,
            message: error.message,
            fix: error.fix,
            ...(error.path === undefined ? {} : { path: error.path }),
            ...error.facts,
          },
        }),
      );
    else io.note(`gatewright: ${error.message}${error.fix === '' ? '' : `\n  ${error.fix}`}   [${error.code}]`);
    return EXIT_OF[error.code] ?? (error.code.startsWith('GW_DATA_') ? EXIT.config : EXIT.negative);
  }
}

/** Version of the command and of everything in the repository. */
export const VERSION = '0.1.0';

function commandNamed(name: string): Command {
  const command = Object.hasOwn(commands, name) ? (commands as Readonly<Record<string, Command>>)[name] : undefined;
  if (command === undefined)
    throw new UnknownNameError('command', name, Object.keys(commands), { code: 'GW_UNKNOWN_COMMAND' });
  return command;
}

function overview(): string[] {
  const list: Command[] = Object.values(commands);
  return [
    `Gatewright ${VERSION} routes each request to the expert that should answer it, and shows why.`,
    '',
    'Usage: gatewright <command> [options]      gatewright <command> --help',
    '',
    ...list.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`),
    '',
    'Exit codes: 0 done; 1 a check found something, or it failed; 2 wrong usage; 3 configuration or data refused;',
    '            4 no gateway there; 70 a defect.',
  ];
}
