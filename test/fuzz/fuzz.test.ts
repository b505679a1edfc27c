// Every parser of outside bytes, with damaged pieces of the corpus. FUZZ_INPUTS says how many for each, SEED where to
// begin:
// `make fuzz INPUTS=1000000 SEED=7`. An input that finds something is printed; its place is in the corpus then.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { randomFrom } from '../support/random.ts'
import { mutate } from './mutate.ts'
import { targets } from './targets.ts'

const inputs = Number(process.env.FUZZ_INPUTS ?? 2000)
const firstSeed = Number(process.env.SEED ?? 1)
const corpusDirectory = join(import.meta.dirname, 'corpus')

function readCorpus(name: string): Buffer[] {
  const directory = join(corpusDirectory, name)
  return readdirSync(directory)
    .sort()
    .map((file) => readFileSync(join(directory, file)))
}

describe('no input is too much for', () => {
  it.each(Object.entries(targets))('%s', { timeout: 3_600_000 }, (_name, target) => {
    const corpus = readCorpus(target.corpus)
    const take = target.make()
    for (const input of corpus) take(input, randomFrom(firstSeed))
    for (let seed = firstSeed; seed < firstSeed + inputs; seed++) {
      const random = randomFrom(seed)
      const input = mutate(corpus, random)
      try {
        take(input, random)
      } catch (error) {
        console.error(`seed ${seed}, input (base64): ${input.toString('base64').slice(0, 4000)}`)
        throw error
      }
    }
  })
})
