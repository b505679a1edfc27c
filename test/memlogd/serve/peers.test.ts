import { expect, it } from 'vitest'
import { type Peer, Peers } from '../../../src/memlogd/serve/peers.ts'
import { controlPeer, controlPeersMax } from '../../../src/protocol/constants.ts'

class Intake {
  readonly sent: { type: number; descriptor: number; token: number }[] = []
  readonly peers = new Peers((type, descriptor, token) => this.sent.push({ type, descriptor, token }))
  answer(token: number, uid: number, pid: number): void {
    this.peers.answered({ type: controlPeer, arg: uid, value: token * 2 ** 32 + pid })
  }
}

it('asks by descriptor and returns each answer to its question, in any order', () => {
  const intake = new Intake()
  const found: Peer[] = []
  intake.peers.ask(10, (peer) => found.push(peer))
  intake.peers.ask(11, (peer) => found.push(peer))
  expect(intake.sent.map(({ type, descriptor }) => [type, descriptor])).toEqual([
    [controlPeer, 10],
    [controlPeer, 11],
  ])
  intake.answer(intake.sent[1]?.token ?? 0, 1000, 4_000_000)
  intake.answer(intake.sent[0]?.token ?? 0, 0xffffffff, 0)
  expect(found).toEqual([
    { uid: 1000, pid: 4_000_000 },
    { uid: 0xffffffff, pid: 0 },
  ])
})

it.each([controlPeersMax - 1, controlPeersMax, controlPeersMax + 1])(
  'sends %i questions, those beyond the limit when an answer comes',
  (count) => {
    const intake = new Intake()
    let answers = 0
    for (let index = 0; index < count; index++) intake.peers.ask(index, () => answers++)
    expect(intake.sent).toHaveLength(Math.min(count, controlPeersMax))
    for (let index = 0; index < count; index++) intake.answer(intake.sent[index]?.token ?? 0, 0, 1)
    expect(answers).toBe(count)
  },
)

it('a cancelled question gets no answer, and an answer without a question is ignored', () => {
  const intake = new Intake()
  const forget = intake.peers.ask(3, () => expect.unreachable())
  forget()
  intake.answer(intake.sent[0]?.token ?? 0, 0, 1)
  intake.answer(99, 0, 1)
})
