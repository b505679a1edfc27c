/** Names of syslog severities and facilities (RFC 5424, tables 1 and 2; the names are those of syslog(3)). */
import { priorityNone } from './constants.ts'

export const severityNames = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const

export const facilityNames = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const

/** What an entry without priority counts as: `info`. */
const severityDefault = 6

/** The largest priority: facility local7, severity debug. */
export const priorityMax = 191

export function hasPriority(priority: number): boolean {
  return priority <= priorityMax && priority !== priorityNone
}

/** 0 (emerg) to 7 (debug). */
export function severityOf(priority: number): number {
  return hasPriority(priority) ? priority & 7 : severityDefault
}

/** 0 (kern) to 23 (local7), or undefined if there is no priority. */
export function facilityOf(priority: number): number | undefined {
  return hasPriority(priority) ? priority >> 3 : undefined
}
