/**
 * Run as a program: fetches pkg's static Node for the CPU in argv[2] into PKG_CACHE_PATH and prints
 * its path. pkg's fetcher checks the hash. A page that does not answer within argv[3] milliseconds is
 * given up at once, because the fetcher itself would go on to build Node from source.
 */
import { createRequire } from 'node:module'

interface Fetcher {
  need(options: { nodeRange: string; platform: string; arch: string; forceFetch: boolean }): Promise<string>
}

const releasePage = 'https://github.com/yao-pkg/pkg-fetch/releases'

async function main(): Promise<void> {
  const [arch = '', probeMs = ''] = process.argv.slice(2)
  await probe(Number(probeMs))
  const { need } = createRequire(import.meta.url)('@yao-pkg/pkg-fetch') as Fetcher
  const path = await need({ nodeRange: 'node24', platform: 'linuxstatic', arch, forceFetch: true })
  process.stdout.write(`${path}\n`)
}

async function probe(timeoutMs: number): Promise<void> {
  try {
    await fetch(releasePage, { method: 'HEAD', signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new Error(`${releasePage} can't be reached: ${cause}`)
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
