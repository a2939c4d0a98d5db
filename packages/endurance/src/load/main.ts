/**
 * Many connections to one server: all open at once, each says something now and then, and the server tells all of them something
 * every second; the same for `ws` in the same run. Exits with 1 if anything was lost, came twice, or failed.
 */
import { numbers } from "../support/numbers.ts"
import { table } from "../support/table.ts"
import { type Trial, trial } from "./Trial.ts"

const load = numbers({ connections: 10_000, seconds: 30, every: 10, "at-once": 500 })

const servers = ["wirestack", "ws"]

type Figure = readonly [name: string, value: (trial: Trial) => number, digits: number]

const millis = (nanos: number): number => nanos / 1e6
/** KiB a connection, of MiB. */
const perConnection = (mebibytes: number): number => mebibytes * 1_024 / load.connections

const figures: ReadonlyArray<Figure> = [
  ["storm, s", ({ stormed }) => stormed.seconds, 2],
  ["storm, connections a second", ({ stormed }) => load.connections / stormed.seconds, 0],
  ["opening one p99, ms", ({ stormed }) => millis(stormed.opening.p99), 0],
  ["echoes", ({ seen }) => seen.echo.count, 0],
  ["echo p50, ms", ({ seen }) => millis(seen.echo.p50), 2],
  ["echo p99, ms", ({ seen }) => millis(seen.echo.p99), 2],
  ["echo max, ms", ({ seen }) => millis(seen.echo.max), 2],
  ["broadcasts received", ({ seen }) => seen.broadcast.count, 0],
  ["broadcast p50, ms", ({ seen }) => millis(seen.broadcast.p50), 2],
  ["broadcast p99, ms", ({ seen }) => millis(seen.broadcast.p99), 2],
  ["broadcast max, the last of all, ms", ({ seen }) => millis(seen.broadcast.max), 2],
  ["server RSS, MiB", ({ end }) => end.rss, 0],
  ["heap a connection at rest, KiB", ({ before, rest }) => perConnection(rest.heap - before.heap), 2],
  ["heap a connection at the end, KiB", ({ before, end }) => perConnection(end.heap - before.heap), 2],
  ["buffers a connection at rest, KiB", ({ before, rest }) => perConnection(rest.external - before.external), 2],
  ["RSS a connection at rest, KiB", ({ before, rest }) => perConnection(rest.rss - before.rss), 2],
  ["RSS a connection at the end, KiB", ({ before, end }) => perConnection(end.rss - before.rss), 2],
  ["server CPU in the storm, cores", ({ opening }) => opening, 2],
  ["server CPU under load, cores", ({ busy }) => busy, 2],
  ["errors", ({ seen }) => seen.errors, 0]
]

const written = (value: number, digits: number): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })

console.log(
  `${load.connections} connections, each sends every ${load.every} s, one broadcast a second, ${load.seconds} s a server\n`
)
const trials: Array<Trial> = []
for (const server of servers) trials.push(await trial(server, { ...load, atOnce: load["at-once"] }))

console.log(table([
  ["", ...servers, "ratio"],
  ...figures.map(([name, value, digits]) => {
    const [own, other] = trials.map(value)
    return [name, written(own, digits), written(other, digits), other === 0 ? "" : written(own / other, 2)]
  })
]))
for (const [index, { seen }] of trials.entries()) {
  for (const sample of seen.samples) console.log(`${servers[index]}: ${sample}`)
}
process.exitCode = trials.some(({ seen }) => seen.errors > 0) ? 1 : 0
