import { defineConfig } from 'vitest/config';

// One project per kind of test, so that `vitest --project unit` runs one kind alone.
const project = (name: string, include: string[], testTimeout: number) => ({
  test: { name, include, testTimeout, hookTimeout: testTimeout, environment: 'node' as const },
});

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        [
          'test/{api,chaos,checkers,cli,client,config,damage,fuzz,golden,lib,node,raft,recovery,registry,rpc,storage,telemetry,tidy,transport,upgrade}/**/*.test.ts',
        ],
        30_000,
      ),
      project('conformance', ['test/conformance/**/*.test.ts'], 30_000),
      project('sim', ['test/sim/**/*.test.ts'], 60_000),
      project('integration', ['test/integration/**/*.test.ts'], 60_000),
    ],
  },
});
