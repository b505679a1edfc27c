/** Prints the totals as the last line of a test run: `N passed, N failed, N skipped`. */
import type { Reporter, TestModule } from 'vitest/node'

export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++
      // A file that could not be loaded has no tests to count, and is a failure all the same.
      if (module.state() === 'failed' && module.errors().length > 0) counts.failed++
    }
    const failed = counts.failed + errors.length
    const line = `${counts.passed} passed, ${failed} failed, ${counts.skipped + counts.pending} skipped`
    process.on('exit', () => void process.stdout.write(`${line}\n`))
  }
}
