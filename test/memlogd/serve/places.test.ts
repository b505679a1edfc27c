import { expect, test } from 'vitest'
import { type PlaceStore, Places } from '../../../src/memlogd/serve/places.ts'
import { controlKeep, controlRelease, keptReadersMax } from '../../../src/protocol/constants.ts'

const ringId = '0123456789abcdef0123456789abcdef'

class MemoryPlaces implements PlaceStore {
  readonly bytes = new Map<number, Buffer>()
  readPlace(place: number): Buffer {
    return this.bytes.get(place) ?? Buffer.alloc(0)
  }
  writePlace(place: number, bytes: Buffer): void {
    this.bytes.set(place, Buffer.from(bytes))
  }
}

function made(store = new MemoryPlaces(), id = ringId) {
  const sent: [number, number, number][] = []
  const places = new Places({ store, ringId: id, send: (...message) => sent.push(message) })
  return { store, sent, places }
}

test('the next engine finds how far a reader was', () => {
  const { store, sent, places } = made()
  places.keep(20, { next: 1, end: 9 })
  places.keep(21, { next: 1, end: Number.POSITIVE_INFINITY })?.record({ next: 2 ** 40, end: Number.POSITIVE_INFINITY })
  expect(sent).toEqual([
    [controlKeep, 20, 0],
    [controlKeep, 21, 1],
  ])
  const next = made(store)
  expect(next.places.adopt(0).progress).toEqual({ next: 1, end: 9 })
  expect(next.places.adopt(1).progress).toEqual({ next: 2 ** 40, end: Number.POSITIVE_INFINITY })
})

test('a place of another ring, or without bytes, has no progress', () => {
  const { store, places } = made()
  places.keep(20, { next: 5, end: 9 })
  expect(made(store, ringId.replace('0', '1')).places.adopt(0).progress).toBeUndefined()
  expect(made().places.adopt(7).progress).toBeUndefined()
})

test('a place is released once, and used again', () => {
  const { sent, places } = made()
  const kept = places.keep(20, { next: 1, end: 2 })
  kept?.release()
  kept?.release()
  expect(sent).toEqual([
    [controlKeep, 20, 0],
    [controlRelease, 0, 0],
  ])
  places.adopt(0)
  places.keep(21, { next: 1, end: 2 })
  expect(sent.at(-1)).toEqual([controlKeep, 21, 1])
})

test('readers beyond the number of places are not kept', () => {
  const { places } = made()
  for (let count = 0; count < keptReadersMax; count++) expect(places.keep(20, { next: 1, end: 2 })).toBeDefined()
  expect(places.keep(20, { next: 1, end: 2 })).toBeUndefined()
})
