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

const heardBy = ({ heard }: Speaker): string => heard.map(({ key, n }) => `${n} ${key}`).join()

/** What is wrong: everybody hears everything that was said in the room, once, and in the order in which each has said it. */
export const check = (speakers: ReadonlyArray<Speaker>): ReadonlyArray<string> =>
  speakers.flatMap((speaker) => {
    const { faults, heard, name, room, said } = speaker
    const first = speakers.find((other) => other.room === room)!
    const own = heard.filter((entry) => entry.name === name)
    const wrong = own.findIndex(({ text }, index) => text !== `${name} ${index + 1}`)
    return [
      ...faults,
      ...heardBy(speaker) === heardBy(first) ? [] : [`${name} has not heard what ${first.name} has`],
      ...own.length === said ? [] : [`${name} has said ${said}, and ${own.length} of it was heard`],
      ...wrong < 0 ? [] : [`${own[wrong].text} was heard where ${wrong + 1} belongs`]
    ]
  })
