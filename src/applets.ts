/**
 * The names that the executable answers to. Each row loads its module when it is called: no applet
 * pays for another's start.
 */

export interface Applet {
  readonly name: string
  readonly help: string
  /** Runs with the words after the name and gives the exit status. */
  readonly run: (words: readonly string[]) => Promise<number>
}

/**
 * What users run. In the packaged executable the native half answers to all but logread before these are asked.
 */
export const applets: readonly Applet[] = [
  {
    name: 'memlogd',
    help: 'keep the log of this machine in memory',
    run: async (words) => (await import('./memlogd/start/command-line.ts')).runMemlogd(words),
  },
  {
    name: 'logread',
    help: 'show, follow and ship the log',
    run: async (words) => (await import('./logread/main.ts')).runLogread(words),
  },
  {
    name: 'logwrite',
    help: 'run a command and log its output',
    run: async (words) => (await import('./logwrite/main.ts')).runLogwrite(words),
  },
  {
    name: 'memlogd-containerd',
    help: "be containerd's logger of a container",
    run: async (words) => (await import('./containerd/main.ts')).runContainerdLogger(words),
  },
]

/** What the native half runs: never named by users. The names are those of src/protocol/constants.ts. */
export const roles: readonly Applet[] = [
  {
    name: 'memlogd-engine',
    help: 'store lines and serve readers',
    run: async (words) => (await import('./memlogd/main.ts')).runEngine(words),
  },
  {
    name: 'memlogd-config',
    help: "check memlogd's options",
    run: async (words) => (await import('./memlogd/start/command-line.ts')).runMemlogdConfig(words),
  },
  {
    name: 'logwrite-config',
    help: "check logwrite's options",
    run: async (words) => (await import('./logwrite/main.ts')).runLogwriteConfig(words),
  },
  {
    name: 'memlogd-containerd-config',
    help: "check memlogd-containerd's options",
    run: async (words) => (await import('./containerd/main.ts')).runContainerdConfig(words),
  },
]
