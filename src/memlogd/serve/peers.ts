/**
 * Who the clients of the query socket are. JavaScript can't ask the kernel, so the intake is asked, by the number of
 * the engine's descriptor. Only a few questions are under way at a time: the answers must find room in the control
 * stream.
 */
import { controlPeer, controlPeersMax } from '../../protocol/constants.ts'
import type { ControlMessage } from '../../protocol/frame.ts'

/** The other end of a connection; uid is `uidUnknown` where the kernel does not say. */
export interface Peer {
  pid: number
  uid: number
}

interface Question {
  descriptor: number
  answer: (peer: Peer) => void
}

/** Tokens count up to here and begin anew: token * 2^32 + pid must stay a whole number. */
const tokenLimit = 2 ** 20

export class Peers {
  readonly #sendMessage: (type: number, descriptor: number, token: number) => void
  readonly #asked = new Map<number, Question>()
  readonly #waiting: Question[] = []
  #token = 0

  constructor(send: (type: number, descriptor: number, token: number) => void) {
    this.#sendMessage = send
  }

  /** Asks who is connected to a descriptor of this process; returns a function that cancels the question. */
  ask(descriptor: number, answer: (peer: Peer) => void): () => void {
    const question = { descriptor, answer }
    if (this.#asked.size < controlPeersMax) this.#send(question)
    else this.#waiting.push(question)
    return () => {
      question.answer = () => {}
      const place = this.#waiting.indexOf(question)
      if (place >= 0) this.#waiting.splice(place, 1)
    }
  }

  /** Handles an answer of the intake. */
  answered(message: ControlMessage): void {
    const token = Math.floor(message.value / 0x1_0000_0000)
    const question = this.#asked.get(token)
    if (question === undefined) return
    this.#asked.delete(token)
    const next = this.#waiting.shift()
    if (next !== undefined) this.#send(next)
    question.answer({ pid: message.value % 0x1_0000_0000, uid: message.arg })
  }

  #send(question: Question): void {
    this.#token = (this.#token + 1) % tokenLimit
    this.#asked.set(this.#token, question)
    this.#sendMessage(controlPeer, question.descriptor, this.#token)
  }
}
