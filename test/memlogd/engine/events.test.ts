import { describe, expect, it } from 'vitest'
import { eventText } from '../../../src/memlogd/engine/events.ts'
import { eventDescriptorRefused } from '../../../src/protocol/constants.ts'

describe('what memlogd says of refused descriptors', () => {
  it.each([
    [4, 'a directory'],
    [6, 'a block device'],
    [12, 'a socket'],
    [0, 'of unknown type'],
  ])('names the file type %i as %s', (argument, name) => {
    const event = { code: eventDescriptorRefused, count: 1, argument, text: 'x.stdout' }
    expect(eventText(event)).toBe(`refused a descriptor that can't be read (${name}): x.stdout`)
  })
})
