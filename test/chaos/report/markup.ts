// Text and numbers as HTML.

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);

/** With a blank between thousands. */
export const counted = (value: number): string =>
  Math.round(value)
    .toString()
    .replaceAll(/\B(?=(?:\d{3})+$)/g, '\u202f');

/** 1 fault, 2 faults. */
export const numbered = (count: number, one: string): string =>
  `${counted(count)} ${one}${count === 1 ? '' : 's'}`;

/** A duration at a precision that can be read: 7.3 ms, 412 ms, 1.42 s. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return ms < 100_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(0)} s`;
}

/** A moment of the run: 02:07, or 02:07.3. */
export function clock(ms: number, tenths = false): string {
  const seconds = Math.max(0, ms) / 1000;
  const minutes = Math.floor(seconds / 60);
  const rest = tenths
    ? (Math.floor((seconds % 60) * 10) / 10).toFixed(1).padStart(4, '0')
    : Math.floor(seconds % 60)
        .toString()
        .padStart(2, '0');
  return `${minutes.toString().padStart(2, '0')}:${rest}`;
}

/** JSON that may stand inside a script element. */
export const embedded = (value: unknown): string =>
  JSON.stringify(value).replaceAll('<', '\\u003c');

export type Row = readonly string[];

/** Cells are HTML. Columns named in `numbers` are set flush right. */
export function table(head: Row, rows: readonly Row[], numbers: readonly number[] = []): string {
  const cell = (tag: string, html: string, at: number): string =>
    `<${tag}${numbers.includes(at) ? ' class="number"' : ''}>${html}</${tag}>`;
  const row = (tag: string, cells: Row): string =>
    `<tr>${cells.map((html, at) => cell(tag, html, at)).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${row('th', head)}</thead><tbody>${rows
    .map((cells) => row('td', cells))
    .join('\n')}</tbody></table></div>`;
}
