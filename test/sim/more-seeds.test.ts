// The second half of the seeds that run with each change, in a file of its own so that both halves run at the same time.
import { describeSeeds } from './seed-suite.ts';

describeSeeds(101, 100);
