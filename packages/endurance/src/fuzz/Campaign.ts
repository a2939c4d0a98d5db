/**
 * A target under its inputs, for some time: first its corpus, then what is made of that. Each input is a case with a number, and what is
 * drawn for it depends on the seed and the number only, and on what came of the cases before.
 *
 * It ends with the first finding: something was thrown, an input took too long, or, at the end, nothing was ever accepted or refused as it
 * should be.
 */
import { Samples } from "@wirestack/protocol/testing"
import { mutate } from "./mutate.ts"
import { reduce } from "./reduce.ts"
import type { Target, Verdict } from "./Target.ts"

/** What must not be, and the input that shows it. */
export interface Finding {
  readonly target: string
  readonly what: string
  /** The number of the case; undefined for what is wrong with all of them. */
  readonly number: number | undefined
  readonly input: Uint8Array
}

export interface Report {
  readonly target: string
  readonly cases: number
  readonly accepted: number
  /** In how many ways inputs were accepted or refused. */
  readonly ways: number
  readonly seconds: number
  readonly finding: Finding | undefined
}

export interface Options {
  readonly seed: number
  readonly seconds: number
  /** Is told each input before it is shown. */
  readonly watch: (input: Uint8Array) => void
}

/** How many inputs are kept. */
const maxPool = 1_000

/** How often what took too long is tried again, as garbage may have been collected meanwhile. */
const secondLooks = 3

/** So that what takes longer than it should shows in large inputs, and large ones are not slow for that. */
const millisPerByte = 20 / 1_024

const messageOf = (thrown: unknown): string => thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)

/** How long this thread has worked, in milliseconds: others use the machine too. */
const busy = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

/** Shows an input: what came of it, or what is wrong with that. */
export const examine = async (target: Target, input: Uint8Array): Promise<Verdict | { readonly wrong: string }> => {
  const within = (target.within ?? 250) + input.length * millisPerByte
  let fastest = Infinity
  for (let looks = 0; looks <= secondLooks; looks++) {
    const start = busy()
    let verdict: Verdict
    try {
      const shown = target.show(input.slice())
      verdict = shown instanceof Promise ? await shown : shown
    } catch (thrown) {
      return { wrong: messageOf(thrown) }
    }
    fastest = Math.min(fastest, busy() - start)
    if (fastest <= within) return verdict
  }
  return { wrong: `it took ${fastest.toFixed(0)} ms` }
}

/** Lets the timers and sockets of others have their turn. */
const breath = (): Promise<void> => new Promise((done) => setImmediate(done))

const turnMillis = 20

export const campaign = async (target: Target, { seconds, seed, watch }: Options): Promise<Report> => {
  const { corpus, dictionary = [], name, takes = "some" } = target
  const pool = [...corpus]
  const ways = new Set<string>()
  const begin = performance.now()
  const end = begin + seconds * 1_000
  let cases = 0
  let accepted = 0
  let turn = begin
  const report = (finding?: Finding): Report => ({
    target: name,
    cases,
    accepted,
    ways: ways.size,
    seconds: (performance.now() - begin) / 1_000,
    finding
  })
  const wrong = (what: string, input: Uint8Array = new Uint8Array(0), number?: number) =>
    report({ target: name, what, number, input })

  for (; cases < corpus.length || performance.now() < end; cases++) {
    const roll = Samples.dice(seed * 1_000_003 + cases + 1)
    const input = cases < corpus.length ? corpus[cases] : mutate(roll, { pool, dictionary })
    watch(input)
    const seen = await examine(target, input)
    if ("wrong" in seen) {
      const fails = async (smaller: Uint8Array): Promise<boolean> => {
        watch(smaller)
        return "wrong" in await examine(target, smaller)
      }
      const simplest = await reduce(input, fails)
      const still = await examine(target, simplest)
      return wrong("wrong" in still ? still.wrong : seen.wrong, simplest, cases)
    }
    if (seen.accepted) accepted++
    const way = `${seen.accepted} ${seen.how.replace(/\d+/g, "#")}`
    if (!ways.has(way)) {
      ways.add(way)
      if (pool.length < maxPool) pool.push(input)
      else pool[corpus.length + roll(maxPool - corpus.length)] = input
    }
    if (performance.now() > turn + turnMillis) {
      await breath()
      turn = performance.now()
    }
  }
  if (accepted === 0 && takes === "some") return wrong("nothing was accepted")
  if (accepted > 0 && takes === "none") return wrong("something was accepted")
  if (accepted === cases) return wrong("nothing was refused")
  return report()
}
