import {
  type Config,
  createRuntime,
  expertWarnings,
  extraAttemptsOf,
  type WorstCase,
  worstCaseOf,
} from '@gatewright/gateway';
import { isGatewrightError } from '@gatewright/kernel';
import { type Command, EXIT, parse, table, usd } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** `gatewright check`: is the configuration sound? */
export const check: Command = {
  name: 'check',
  summary: 'Validate a configuration without starting anything.',
  help: `Usage: gatewright check [FILE] [--json]

Reads the file (default gatewright.yaml, else the sandbox) and tells everything that is wrong with it, each with its
line, its path and the fix; also whether the environment variables that hold keys are set. Calls nobody.
Exit code 0 when it could be served, 3 when it could not.

Example: gatewright check gatewright.yaml`,

  async run(argv, io) {
    const { values, positionals } = parse('check', argv, { json: { type: 'boolean', default: false } }, { max: 1 });
    try {
      const { config, path } = loadConfig(positionals[0]);
      const runtime = createRuntime(config, io.env, Date.now());
      const modes = [...runtime.modes.values()].filter(({ name }) => name !== 'pinned');
      const worstOf = ({ experts, composition, continueAttempts }: (typeof modes)[number]) =>
        worstCaseOf(
          experts.map(({ expert }) => expert),
          composition,
          extraAttemptsOf({ continueAttempts }),
        );
      const warnings = [...runtime.cards.warnings, ...expertWarnings(config)];
      if (values.json) {
        io.print(
          JSON.stringify({
            status: 'ok',
            config: path ?? 'sandbox',
            hash: config.hash,
            experts: config.experts.map(({ id }) => id),
            catalog: Object.fromEntries(
              config.experts.flatMap(({ id, catalog }) => (catalog === undefined ? [] : [[id, catalog]])),
            ),
            warnings,
            modes: modes.map(({ name }) => name),
            worstCase: Object.fromEntries(modes.map((mode) => [mode.name, worstOf(mode)])),
          }),
        );
      } else {
        io.print(`${path ?? 'The sandbox'} is sound (${config.hash}).`);
        io.print('');
        for (const line of table(
          ['mode', 'policy', 'composition', 'experts', 'most calls', 'most cost'],
          modes.map((mode) => [
            mode.name,
            mode.policySpec.use,
            mode.compositionSpec.use,
            mode.experts.length,
            worstOf(mode).calls,
            shownWorst(worstOf(mode), mode.maxCostUsd),
          ]),
        ))
          io.print(line);
        for (const line of catalogLines(config)) io.print(line);
        for (const warning of warnings) io.note(`warning: ${warning}`);
      }
      await Promise.all(runtime.experts.map(({ provider }) => provider.close()));
      return EXIT.ok;
    } catch (error) {
      if (!isGatewrightError(error) || error.code === 'GW_USAGE') throw error;
      if (!values.json) throw error;
      io.print(
        JSON.stringify({
          status: 'refused',
          code: error.code,
          message: error.message,
          fix: error.fix,
          issues: error.facts['issues'] ?? [{ path: error.path ?? '', message: error.message, fix: error.fix }],
        }),
      );
      return EXIT.config;
    }
  },
};

/** What one request may come to; marked where experts do not say how long they answer, and where the mode stops it earlier. */
function shownWorst({ costUsd, isAssumed }: WorstCase, maxCostUsd = Infinity): string {
  if (maxCostUsd < costUsd) return `${usd(maxCostUsd)} (of ${usd(costUsd)})`;
  return `${isAssumed && costUsd > 0 ? 'about ' : ''}${usd(costUsd)}`;
}

/** What the configuration leaves to the catalogue, and what that says. */
function catalogLines({ experts }: Config): string[] {
  const taken = experts.flatMap(({ id, catalog, price, contextTokens }) =>
    catalog === undefined
      ? []
      : [
          [
            id,
            catalog.model,
            catalog.fields.includes('price') ? `${price.inputUsdPerMTok} / ${price.outputUsdPerMTok}` : '',
            catalog.fields.includes('contextTokens') ? `${contextTokens}` : '',
            catalog.from,
          ],
        ],
  );
  if (taken.length === 0) return [];
  return ['', ...table(['expert', 'known as', 'USD per MTok in / out', 'context', 'from'], taken)];
}
