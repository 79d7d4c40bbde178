// Tables for people: plain columns, no frames, so that they can be cut and searched like any other text.
import Table from 'cli-table3';

const FRAME_PARTS =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid';
const NO_FRAME = {
  ...Object.fromEntries(FRAME_PARTS.split(' ').map((part) => [part, ''])),
  middle: '  ',
};

export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const table = new Table({
    head: headings.map((heading) => heading.toUpperCase()),
    chars: NO_FRAME,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => row.map((cell) => printable(String(cell)))));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Text of clients reaches the terminal without control characters, so that no name can move the cursor. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\u{fffd}');
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Sizes for people: `64.0 MiB`. */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 'B';
  for (const next of UNITS) {
    if (size < 1024) break;
    size /= 1024;
    unit = next;
  }
  return unit === 'B' ? `${size} B` : `${size.toFixed(1)} ${unit}`;
}
