import { defineConfig } from 'vitest/config'
import { ClosingLine } from './closing-line.ts'
import { testMs, waitMs } from './support/wait.ts'

/** Suites that build, boot or start daemons: one after another, when the quick ones are done. */
const slow = ['packaged', 'image', 'docker', 'qemu'].map((directory) => `test/${directory}/**/*.test.ts`)

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    reporters: ['default', new ClosingLine()],
    testTimeout: testMs,
    hookTimeout: testMs,
    expect: { poll: { timeout: waitMs, interval: 20 } },
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: slow, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: slow,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
