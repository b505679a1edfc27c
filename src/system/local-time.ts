/** This machine's time zone, from TZ or /etc/localtime: the engine knows it without Intl too. */
export function localOffset(seconds: number): number {
  return -new Date(seconds * 1000).getTimezoneOffset()
}
