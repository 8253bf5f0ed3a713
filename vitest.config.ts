import { defineConfig } from 'vitest/config'

// Tests against real peers need Debian's packages: .ci/run installs those and sets this.
const peers = process.env.NARTHEX_PEERS === undefined ? [] : ['test/peers/**/*.test.ts']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/peers/**'],
          pool: 'forks',
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole servers that scrape on time: one after the other, when nothing else uses the processors.
        test: {
          name: 'server',
          include: ['test/e2e/**/*.test.ts', ...peers],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 20_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
