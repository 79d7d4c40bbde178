// Seeded runs of the whole system on simulated time. A failing seed is replayed with: npm run sim -- --seed N --trace
import { describeSeeds } from './seed-suite.ts';

describeSeeds(1, 100);
