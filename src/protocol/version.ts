/** What `--version` and the header line of the extended query protocol say; package.json says the same. */
export const version = '0.1.0'

/** When the year of this version began, in seconds since 1970: a clock that is in an earlier one is wrong. */
export const versionSeconds = Date.UTC(2026) / 1000
