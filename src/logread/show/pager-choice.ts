/** Whether a pager is started, and which: as git and journalctl choose. */

export interface PagerFacts {
  /** Standard output and standard input are both terminals. */
  isTerminal: boolean
  isFollowing: boolean
  isUnwanted: boolean
  env: NodeJS.ProcessEnv
  /** Whether a command can be found. */
  isThere: (command: string) => boolean
}

/** Quit if it fits on a screen, keep colours, don't clear the screen, chop nothing. */
const lessDefault = 'FRX'
const candidates = ['less', 'more']

/** The command, or undefined for none. LOGREAD_PAGER comes before PAGER; empty or `cat` means none. */
export function choosePager(facts: PagerFacts): string | undefined {
  const { env, isThere } = facts
  if (!facts.isTerminal || facts.isFollowing || facts.isUnwanted || env.TERM === 'dumb') return undefined
  const wanted = env.LOGREAD_PAGER ?? env.PAGER
  if (wanted !== undefined && wanted.trim() !== '' && wanted.trim() !== 'cat') return startable(wanted, isThere)
  if (wanted !== undefined) return undefined
  return candidates.find(isThere)
}

/** A plain command that can't be found shows nothing: better no pager. What only a shell understands is left to it. */
function startable(command: string, isThere: PagerFacts['isThere']): string | undefined {
  return /^[\s\w./-]+$/.test(command) && !isThere(command) ? undefined : command
}

/** The pager's environment: less is told how to behave unless the user told it already. */
export function pagerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, LESS: env.LESS ?? lessDefault, LESSCHARSET: env.LESSCHARSET ?? 'utf-8' }
}
