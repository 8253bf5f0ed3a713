import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests against real peers need Debian's packages: .ci/run installs those and runs this folder by itself.
    exclude: process.env.NARTHEX_PEERS ? ['node_modules/**'] : ['test/peers/**', 'node_modules/**'],
    pool: 'forks',
    testTimeout: 20_000,
  },
})
