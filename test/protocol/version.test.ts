import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { version } from '../../src/protocol/version.ts'

test("the version is package.json's", () => {
  const { version: packaged } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(version).toBe(packaged)
})
