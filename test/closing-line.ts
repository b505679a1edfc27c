/** Prints why tests were skipped and, as the last line of a run, the totals: `N passed, N failed, N skipped`. */
import type { Reporter, TestModule } from 'vitest/node'

export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const reasons = new Map<string, number>()
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result()
        counts[result.state]++
        if (result.state !== 'skipped') continue
        const [note = ''] = (result.note ?? test.fullName).split('\n')
        const reason = `${module.relativeModuleId}: ${note}`
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
      // A file that could not be loaded, or a failed hook, has no tests to count, and is a failure all the same.
      counts.failed += [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0).length
    }
    const failed = counts.failed + errors.length
    const lines = [...reasons].map(([reason, times]) => `skipped: ${reason}${times > 1 ? ` (${times} tests)` : ''}`)
    lines.push(`${counts.passed} passed, ${failed} failed, ${counts.skipped + counts.pending} skipped`)
    process.on('exit', () => void process.stdout.write(`${lines.join('\n')}\n`))
  }
}
