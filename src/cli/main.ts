#!/usr/bin/env node
// The composition root: here, and in the modules of this folder, the process's environment, arguments, streams, clock and
// entropy enter the program; everything below is handed what it needs.
import { EXIT } from './exit-codes.ts';
import { processContext } from './process-context.ts';
import { runProgram } from './program.ts';
import { softwareVersion } from './software-version.ts';

// A reader that went away, as in `rollcall watch | head -1`, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
});

void runProgram(process.argv.slice(2), processContext(), softwareVersion()).then((code) => {
  // What is still in flight by now (a stream that is closing) is of no interest to the caller.
  process.stdout.write('', () => process.exit(code));
});
