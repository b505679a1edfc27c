import { expect, test } from 'vitest'
import { groupId } from '../../../src/memlogd/start/group-file.ts'

const file = 'root:x:0:\nadm:x:4:syslog,me\nbroken\nbad:x:abc:\nhuge:x:4294967295:\nlast:x:99:'

test.each([
  ['root', 0],
  ['adm', 4],
  ['last', 99],
  ['0', 0],
  ['1234', 1234],
  ['4294967294', 4_294_967_294],
])('%s is %d', (name, id) => {
  expect(groupId(name, file)).toBe(id)
})

test.each(['', 'x', 'broken', 'bad', 'huge', 'syslog', '-1', '4294967295', '99999999999', '07'])(
  '%j is none',
  (name) => {
    expect(groupId(name, file)).toBeUndefined()
  },
)

test('an empty file has no groups', () => {
  expect(groupId('root', '')).toBeUndefined()
  expect(groupId('5', '')).toBe(5)
})
