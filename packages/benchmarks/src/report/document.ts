/** A result as a document: what was measured and how, what came of it, and what limits it. */
import { bytes, many, percent, plain, time } from "../format.ts"
import { median } from "../median.ts"
import type { Row as Held } from "../Memory.ts"
import * as Ratio from "../Ratio.ts"
import { latencyAt, type Measured, type Result, type Row } from "../Result.ts"
import * as Verdict from "../Verdict.ts"
import { limitOf } from "./limits.ts"
import { list, paragraph, table } from "./markdown.ts"
import type { Picture } from "./Picture.ts"

const rowOf = ({ rows }: Measured, id: string): Row | undefined => rows.find(({ contestant }) => contestant === id)

const code = (text: string): string => `\`${text}\``

const machine = ({ commit, date, machine: { cores, cpu, kernel, memory }, versions }: Result): string => {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")
  const when = `Measured on ${date.slice(0, 10)}${commit === undefined ? "" : ` at ${code(commit)}`}`
  return `${when}, with ${programs}; on ${cpu}, ${cores} cores, ${bytes(memory)} of memory, ${kernel}.`
}

const method = ({ generator, workloads: [{ millis, rounds }] }: Result): ReadonlyArray<string> => [
  `Each contestant is a process that runs what its users would write. It has one core, the load generator (${
    generator === "C" ? "in C, one thread, epoll" : "on Node"
  }) has another. All contestants of a workload keep their connections open side by side and are measured in turns, in
  ${rounds} rounds of windows of ${millis} ms, so that whatever else the machine does meets them all.`,
  `What is counted is **CPU**: the time that all threads of a server were running, for each message that came back. It tells
  more than throughput, because it stays the same when the generator is slow, and a program rarely has a core for its sockets
  alone.`,
  `Every byte that comes back is compared with what has to come back. Each server is asked for that once before, and its
  answer is read by the rules of the RFC; from then on it has to say the same again.`,
  `A **ratio** compares two contestants within the same round. The table has the median of all rounds, and how far
  their middle half reaches. Where a ratio would mislead there is a dash: with fewer than 5 rounds, if a contestant failed, or if in most
  rounds the generator was busy while the server was not.`,
  `Everything runs with its defaults, but for limits of size and number; and there is no heartbeat in \`broadcast\`, whose receivers
  say nothing and could not answer a ping.`,
  `"10 x 64" means 10 connections with 64 messages under way on each. In the workloads whose names begin with \`client\`,
  clients are measured, all against the same server.`
]

const ratioCell = (measured: Measured, id: string): string => {
  const row = rowOf(measured, id)
  if (row === undefined) return ""
  const ratio = Ratio.between(rowOf(measured, "ws"), row)
  if (Ratio.isDoubt(ratio)) return "-"
  const goal = measured.workload.goals.find(({ contestant, over }) => contestant === id && over === "ws")
  const value = plain(ratio.median)
  const spread = percent((ratio.high - ratio.low) / 2 / ratio.median).replace(" ", "&nbsp;")
  return `${goal !== undefined && ratio.median >= goal.least ? `**${value}**` : value}<br><sub>±${spread}</sub>`
}

/** Ours come first. */
const ratios = ({ titles, workloads }: Result): string => {
  const ids = Object.keys(titles).filter((id) => id !== "ws" && workloads.some((measured) => rowOf(measured, id)))
    .toReversed()
  return table(
    ["ws = 1", ...ids.map(code)],
    workloads.map((measured) => [
      `${measured.workload.id}<br><sub>${measured.workload.title}</sub>`,
      ...ids.map((id) => ratioCell(measured, id))
    ])
  )
}

const doubts = ({ workloads }: Result): ReadonlyArray<string> =>
  workloads.flatMap(({ rows, workload }) =>
    rows.filter(({ doubt }) => doubt !== undefined)
      .map(({ contestant, doubt }) => `${workload.id}, ${code(contestant)}: ${doubt}`)
  )

const figures = (measured: Measured, id: string): ReadonlyArray<string> => {
  const row = rowOf(measured, id)
  if (row === undefined || row.doubt !== undefined) return ["-", "-", "-"]
  return [plain(median(row.costs)), `${many(median(row.rates))}/s`, time(latencyAt(row, 99))]
}

const shown = ["ws", "batch", "message"]

const absolute = ({ workloads }: Result): string =>
  table(
    ["", ...shown.flatMap((id) => [`${code(id)} µs`, "rate", "p99"])],
    workloads.map((measured) => [measured.workload.id, ...shown.flatMap((id) => figures(measured, id))])
  )

const calls = (measured: ReadonlyArray<Measured>): string =>
  table(
    ["", "ratio", "ours µs", "rate", "theirs µs", "rate"],
    measured.map((one) => {
      const ratio = Ratio.between(rowOf(one, "rpc-effect"), rowOf(one, "rpc"))
      return [
        `${one.workload.id}<br><sub>${one.workload.title}</sub>`,
        Ratio.isDoubt(ratio) ? "-" : plain(ratio.median),
        ...["rpc", "rpc-effect"].flatMap((id) => figures(one, id).slice(0, 2))
      ]
    })
  )

const held = ({ samples }: Held, state: "idle" | "remaining"): ReadonlyArray<string> =>
  (["rss", "heapUsed", "external"] as const).map((kind) => bytes(median(samples.map((sample) => sample[state][kind]))))

const memory = ({ memory, titles }: Result): string =>
  table(
    ["", "rss", "heap", "external", "rss after", "heap after", "external after"],
    memory!.rows.map((row) => [
      [titles[row.contestant], ...row.deflate === undefined ? [] : [row.deflate]].join(", "),
      ...held(row, "idle"),
      ...held(row, "remaining")
    ])
  )

const limits = ({ workloads }: Result): string =>
  list(workloads.flatMap((measured) => {
    const limit = limitOf(measured)
    return limit === undefined ? [] : [`**${measured.workload.id}**: ${limit}`]
  }))

const reproduce = `\`\`\`sh
npm ci
npm run bench -- --json docs/benchmarks/result.json   # all of it; nothing else should run meanwhile
npm run bench -- --report docs/benchmarks/result.json # this document and its pictures
npm run bench -- --quick                              # in three minutes, with more noise
\`\`\``

/** The document; pictures lie in a folder below it. */
export const document = (result: Result, pictures: ReadonlyArray<Picture>, folder: string): string => {
  const show = (...files: ReadonlyArray<string>): ReadonlyArray<string> =>
    pictures.filter(({ file }) => files.includes(file)).map(({ file, title }) => `![${title}](${folder}/${file})`)
  const section = (title: string, parts: ReadonlyArray<string>): ReadonlyArray<string> =>
    parts.length === 0 ? [] : [`## ${title}`, ...parts]
  const verdicts = Verdict.all(result)
  const untrusted = doubts(result)
  const blocks = [
    "# Benchmarks",
    "<!-- Written by `npm run bench -- --report`: change packages/benchmarks/src/report instead. -->",
    paragraph(
      `What a message costs a WebSocket server: Wirestack beside others, in the same run on the same machine.
      ${verdicts.filter(Verdict.isMet).length} of ${verdicts.length} [goals](#goals) are met.`
    ),
    ...show("ratios.svg"),
    paragraph(machine(result)),
    ...section("How it is measured", method(result).map(paragraph)),
    ...section("CPU per message", [
      "How many times less CPU than `ws` with `bufferutil`; above 1 is better, and what meets a goal is bold.",
      ratios(result),
      list(Object.entries(result.titles).map(([id, title]) => `${code(id)}: ${title}`)),
      ...untrusted.length === 0 ? [] : ["Not to be trusted:", list(untrusted)]
    ]),
    ...section("Goals", [
      table(
        ["workload", "goal", "got"],
        verdicts.map((verdict) => [verdict.of, verdict.goal, Verdict.text(verdict)]),
        2
      )
    ]),
    ...section("What limits each workload", [limits(result)]),
    ...section("Figures of this machine", [
      paragraph(
        `Microseconds of CPU a message, messages (or connections) a second, and the time within which 99 % of all echoes came.
        They are of use beside one another only.`
      ),
      absolute(result)
    ]),
    ...section("Latency", show("latency.svg")),
    ...section("Growth", show("byConnections.svg", "bySize.svg")),
    ...result.rpc === undefined ? [] : section("Calls", [
      paragraph(
        `Effect's RPC over our sockets, and how many times less CPU a call takes there than over Effect's own, both ends together. Of a
        stream each number counts.`
      ),
      calls(result.rpc)
    ]),
    ...result.memory === undefined ? [] : section("Memory", [
      ...show("memory.svg"),
      paragraph(
        `Bytes of each connection: while it is idle, and what is left of it after it has closed. A connection of ours has a fiber
        and a Stream that wait, a scope that closes it, and a machine for each of its layers; one of \`ws\` is an event emitter.`
      ),
      memory(result)
    ]),
    ...section("Measuring again", [
      reproduce,
      paragraph(
        `A C compiler and the headers of OpenSSL and zlib are wanted; without them a generator on Node does what it can. What else a run
        can be told is at the top of \`packages/benchmarks/src/main.ts\`.`
      )
    ])
  ]
  return `${blocks.join("\n\n")}\n`
}
