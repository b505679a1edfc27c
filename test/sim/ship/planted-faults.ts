/** Faults that the simulation of the shipper must find. */
import { Backoff } from '../../../src/logread/ship/shipper.ts'
import { ListSource } from '../../logread/ship/entries.ts'
import { replace } from '../planted-faults.ts'
import { TargetModel } from './target-model.ts'

export const plantedShipFaults: Record<string, () => () => void> = {
  'a loss between two deliveries is not noticed': () =>
    replace(TargetModel.prototype, 'breakOff', (breakOff) => {
      return function (this: TargetModel, part) {
        this.onLost = undefined
        breakOff.call(this, part)
      }
    }),
  'deliveries that may not have arrived are taken for confirmed': () => {
    const original = Object.getOwnPropertyDescriptor(TargetModel.prototype, 'unconfirmed')
    Object.defineProperty(TargetModel.prototype, 'unconfirmed', { configurable: true, get: () => 0 })
    return () => Object.defineProperty(TargetModel.prototype, 'unconfirmed', original as PropertyDescriptor)
  },
  'the source skips a line after a cursor': () =>
    replace(ListSource.prototype, 'open', (open) => {
      return function (this: ListSource, cursor, signal) {
        const later = cursor && cursor.sequence > 1 ? { ...cursor, sequence: cursor.sequence + 1 } : cursor
        return open.call(this, later, signal)
      }
    }),
  'a failed delivery is not tried again': () =>
    replace(TargetModel.prototype, 'deliver', (deliver) => {
      return async function (this: TargetModel, bytes, start, end, signal) {
        await deliver.call(this, bytes, start, end, signal).catch(() => undefined)
      }
    }),
  'a shipper that was started again never tries': () => replace(Backoff.prototype, 'next', () => () => 1e9),
}
