/** What members have to say about a time, and what is wrong with what they have heard. */
import type { Speaker } from "./Speaker.ts"

const quantile = (numbers: ReadonlyArray<number>, part: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(numbers.length * part) - 1)] ?? 0

const millis = (number: number): string => `${number.toFixed(number < 10 ? 1 : 0)} ms`

/** A line about a time, since when the numbers of the speakers are. */
export const figures = (name: string, speakers: ReadonlyArray<Speaker>): string => {
  const latencies = speakers.flatMap((speaker) => speaker.latencies)
  const outages = speakers.flatMap((speaker) => speaker.outages)
  const heard = `${latencies.length} messages, heard within ${millis(quantile(latencies, 0.5))} (median), ` +
    `${millis(quantile(latencies, 0.99))} (99 %)`
  const moved = outages.length === 0
    ? "nobody moved"
    : `${outages.length} moves, without a room for ${millis(quantile(outages, 0.5))} (median), ${
      millis(Math.max(...outages))
    } (at most)`
  return `${name}: ${heard}; ${moved}`
}

/** What is wrong: everybody hears everything that was said, once, and in the order in which each has said it. */
export const check = (speakers: ReadonlyArray<Speaker>): ReadonlyArray<string> => {
  const [first] = speakers
  const all = first.heard.map(({ key, n }) => `${n} ${key}`).join()
  const faults = speakers.flatMap(({ faults }) => faults)
  for (const { heard, name, said } of speakers) {
    if (heard.map(({ key, n }) => `${n} ${key}`).join() !== all) {
      faults.push(`${name} has not heard what ${first.name} has`)
    }
    const own = first.heard.filter((entry) => entry.name === name)
    if (own.length !== said) faults.push(`${name} has said ${said}, and ${own.length} of it was heard`)
    const wrong = own.findIndex(({ text }, index) => text !== `${name} ${index + 1}`)
    if (wrong >= 0) faults.push(`${own[wrong].text} was heard where ${wrong + 1} belongs`)
  }
  return faults
}
