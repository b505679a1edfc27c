/** What `--version` and the header line of the extended query protocol say; package.json says the same. */
export const version = '0.1.0'
