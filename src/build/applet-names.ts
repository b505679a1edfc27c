/** The names under which the one executable is linked. */
export const applets = ['memlogd', 'logread', 'logwrite'] as const
