/** The fault matrix as a table. */
import type { MatrixResult } from './matrix.ts';

/** Results of one target. */
export interface TargetResults {
  readonly target: string;
  readonly results: readonly MatrixResult[];
}

/** A row for each fault and form, a column for each target, format and place; a wrong cell says what was seen. */
export function renderMatrix(targets: readonly TargetResults[]): string {
  const columns = targets.flatMap(({ target, results }) =>
    [...new Set(results.map(({ case: { dialect, place } }) => `${dialect} ${place}`))].map((key) => ({
      title: `${target} ${key}`,
      cells: new Map(
        results
          .filter(({ case: { dialect, place } }) => `${dialect} ${place}` === key)
          .map((result) => [`${result.case.fault} ${result.case.form}`, result]),
      ),
    })),
  );
  const rows = [...new Set(columns.flatMap(({ cells }) => [...cells.keys()]))];
  const table = [
    ['fault', ...columns.map(({ title }) => title)],
    ...rows.map((row) => [
      row,
      ...columns.map(({ cells }) => {
        const result = cells.get(row);
        if (result === undefined) return '-';
        return result.isRight ? 'ok' : `WRONG: ${result.seen}, not ${result.case.expected}`;
      }),
    ]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  const lines = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  const totals = targets.map(({ target, results }) => {
    const right = results.filter(({ isRight }) => isRight).length;
    return `${target}: ${right} of ${results.length} cells are right`;
  });
  return `${lines.join('\n')}\n\n${totals.join('\n')}\n`;
}
