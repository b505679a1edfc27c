/**
 * yargs as its own build for browsers: the same parser without Node's file system. Loading Node's build
 * takes three times as long, and it looks for package.json and for locale files around the executable.
 */
import { createRequire } from 'node:module'
import type { Plugin } from 'esbuild'

/** That build imports its two dependencies from a web server; the installed ones are taken instead. */
const installed: readonly [RegExp, string][] = [
  [/^https:\/\/unpkg\.com\/cliui@/, 'cliui/index.mjs'],
  [/^https:\/\/unpkg\.com\/yargs-parser@/, 'yargs-parser/browser.js'],
]

export const yargsShim: Plugin = {
  name: 'yargs-shim',
  setup(build) {
    const root = createRequire(import.meta.url)
      .resolve('yargs/package.json')
      .replace(/yargs\/package\.json$/, '')
    build.onResolve({ filter: /^yargs\/yargs$/ }, () => ({ path: `${root}yargs/browser.mjs` }))
    for (const [filter, file] of installed) build.onResolve({ filter }, () => ({ path: root + file }))
  },
}
