/** Where relative paths begin. A folder that has been removed counts as `/`, where memlogd goes anyway. */
export function currentFolder(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}
