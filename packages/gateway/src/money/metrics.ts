/** Metrics of the ledger. Labels are kinds of accounts, windows, and projects of the configuration: nothing that a client names. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Ledger } from './ledger.ts';

/** Adds them to a registry. They are read from the ledger when somebody asks. */
export function ledgerMetrics(registry: Registry, { stats, entries }: Pick<Ledger, 'stats' | 'entries'>): void {
  const registers = [registry];
  new Counter({
    name: 'gatewright_budget_refused_total',
    help: 'Calls and requests that a limit did not cover: money by its window, rates by what is limited.',
    labelNames: ['account', 'limit'],
    registers,
    collect() {
      this.reset();
      for (const [name, count] of stats.refused) {
        const [account, limit] = name.split(' ') as [string, string];
        this.inc({ account, limit }, count);
      }
    },
  });
  new Counter({
    name: 'gatewright_spent_usd_total',
    help: 'What calls cost, by project: those that the configuration limits by name, other, or empty for none.',
    labelNames: ['project'],
    registers,
    collect() {
      this.reset();
      for (const [project, usd] of stats.spentUsd) this.inc({ project }, usd);
    },
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('gatewright_reservations_open', 'Reservations of calls under way.', () => stats.open);
  gauge(
    'gatewright_ledger_lost_calls',
    'Calls that were under way when the process before was killed.',
    () => entries.stats.lost,
  );
  gauge('gatewright_ledger_dropped', 'Calls that could not be written.', () => entries.stats.dropped);
  gauge('gatewright_ledger_failing', '1 while writing fails.', () => (entries.stats.failing === undefined ? 0 : 1));
}
