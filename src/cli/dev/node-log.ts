// The log file of one node of a development cluster, bounded: one file and its predecessor.
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';

const MAX_BYTES = 8 << 20;

/** Appends to `path`; once that holds `maxBytes`, it becomes `path.1` and a new one begins. */
export function openNodeLog(path: string, maxBytes = MAX_BYTES): Writable {
  let file = openSync(path, 'a');
  let size = fstatSync(file).size;
  const append = (chunk: Buffer): void => {
    if (size > 0 && size + chunk.length > maxBytes) {
      closeSync(file);
      renameSync(path, `${path}.1`);
      file = openSync(path, 'a');
      size = 0;
    }
    writeSync(file, chunk);
    size += chunk.length;
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        append(chunk);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error('the log file cannot be written'));
      }
    },
    final(done) {
      closeSync(file);
      done();
    },
  });
}
