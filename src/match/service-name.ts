/**
 * The streams of a service, as LinuxKit and logwrite name them: `nginx`, `nginx.stdout`, `nginx.stderr`, `nginx.out`,
 * and the same behind `002-`, `onboot.002-` or `shutdown.002-`.
 */
const order = /^(?:(?:onboot|shutdown)\.)?[0-9]{3}-/
const stream = /\.(?:stdout|stderr|out)$/
const globCharacters = /[*?[\\]/

/** Whether a text names a service: it is no glob, and not the full name of one stream. */
export function isServiceName(text: string): boolean {
  return !globCharacters.test(text) && !stream.test(text)
}

/** Whether `name` is one of the streams of `service`. */
export function isStreamOf(service: string, name: string): boolean {
  const base = name.replace(stream, '')
  return base === service || name === service || base.replace(order, '') === service
}

/** The service that a source belongs to: `onboot.001-dhcpcd.out` is of `dhcpcd`. */
export function serviceOf(name: string): string {
  const service = name.replace(stream, '').replace(order, '')
  return service === '' ? name : service
}
