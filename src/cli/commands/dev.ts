// `rollcall dev`: the flags of the development cluster.
import type { Command } from 'commander';
import { wholeNumber } from '../client-options.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { runDev } from '../dev/run-dev.ts';

interface DevFlags {
  readonly nodes: number;
  readonly basePort: number;
  readonly dataDir: string;
  readonly verbose?: true;
}

export function addDev(program: Command, context: CliContext): void {
  program
    .command('dev')
    .summary('run a whole cluster on this machine')
    .description(
      'Runs a cluster on this machine, one process per node, until Ctrl-C. Its data stays for the next start.\n' +
        'Node k takes port base + 10 (k - 1) for clients and the next one for the other nodes.',
    )
    .option('--nodes <n>', 'how many nodes, 1 to 7', wholeNumber(1, 7), 3)
    .option('--base-port <port>', 'first port', wholeNumber(1, 65_534), 7400)
    .option('--data-dir <dir>', 'data and logs of all nodes, one folder each', './data/dev')
    .option('--verbose', "show the nodes' logs too")
    .action(async (flags: DevFlags) => {
      const code = await runDev({ ...flags, verbose: flags.verbose === true }, context);
      if (code !== 0) throw new CommandFailed('the cluster cannot go on', code);
    });
}
