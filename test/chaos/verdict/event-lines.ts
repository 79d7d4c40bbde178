// Reads a file of JSON lines piece by piece, as one of a long run does not fit into a string. A process that was killed may
// have left half a line at the end of its file: that one is left out, and told.
import { createReadStream } from 'node:fs';

const NEWLINE = 0x0a;
const PIECE_BYTES = 1 << 20;

/** Calls `take` for each line. Resolves to whether the last line was cut short. Rejects where any other line is no JSON,
 * naming file and line. */
export async function readEventLines(
  file: string,
  take: (event: unknown) => void,
): Promise<{ readonly lines: number; readonly cutShort: boolean }> {
  let lines = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
    const bytes: Buffer = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      lines++;
      if (to > from) take(parsed(bytes.toString('utf8', from, to), file, lines));
      from = to + 1;
    }
    rest = bytes.subarray(from);
  }
  if (rest.length === 0) return { lines, cutShort: false };
  const last = rest.toString('utf8');
  // Only a whole event ends like this.
  if (!last.endsWith('}') || !isJson(last)) return { lines, cutShort: true };
  take(parsed(last, file, lines + 1));
  return { lines: lines + 1, cutShort: false };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parsed(line: string, file: string, number: number): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new Error(`${file}: line ${number} is no JSON`, { cause: error });
  }
}
