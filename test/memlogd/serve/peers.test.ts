import { expect, it } from 'vitest'
import { type Peer, Peers } from '../../../src/memlogd/serve/peers.ts'
import { controlPeer, controlPeersMax } from '../../../src/protocol/constants.ts'

class Intake {
  readonly sent: { type: number; descriptor: number; token: number }[] = []
  readonly peers = new Peers((type, descriptor, token) => this.sent.push({ type, descriptor, token }))
  answer(token: number, uid: number, pid: number): void {
    this.peers.take({ type: controlPeer, arg: uid, value: token * 2 ** 32 + pid })
  }
}

it('asks by descriptor and hands the answer to whoever asked, in any order', () => {
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
  '%i questions: the rest waits for an answer',
  (count) => {
    const intake = new Intake()
    let answers = 0
    for (let index = 0; index < count; index++) intake.peers.ask(index, () => answers++)
    expect(intake.sent).toHaveLength(Math.min(count, controlPeersMax))
    for (let index = 0; index < count; index++) intake.answer(intake.sent[index]?.token ?? 0, 0, 1)
    expect(answers).toBe(count)
  },
)

it('a question that was taken back is not answered, and an answer that nobody asked for is ignored', () => {
  const intake = new Intake()
  const forget = intake.peers.ask(3, () => expect.unreachable())
  forget()
  intake.answer(intake.sent[0]?.token ?? 0, 0, 1)
  intake.answer(99, 0, 1)
})

it('tells when the intake has had a turn of its own: after the second answer', () => {
  const intake = new Intake()
  let isTold = false
  intake.peers.whenTold(() => {
    isTold = true
  })
  expect(intake.sent).toHaveLength(1)
  intake.answer(intake.sent[0]?.token ?? 0, 0xffffffff, 0)
  expect([isTold, intake.sent.length]).toEqual([false, 2])
  intake.answer(intake.sent[1]?.token ?? 0, 0xffffffff, 0)
  expect(isTold).toBe(true)
})
