// --generation, shared by the commands that can be fenced.
import { InvalidArgumentError, Option } from 'commander';

/** Kept as text: a generation is a 64-bit number. */
export function generationOption(): Option {
  return new Option('--generation <n>', 'only if this generation is current').argParser((text) => {
    if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
    return text;
  });
}
