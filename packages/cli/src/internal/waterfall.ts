/**
 * How a connection came about, as bars over time: one line a layer, one block an attempt.
 *
 *     wss://localhost:8443/ in 29.1 ms
 *     tcp        ███▌                      4.1 ms  address 127.0.0.1:8443
 *     tls            █████████████████▌   21.9 ms  version TLSv1.3, cipher TLS_AES_256_GCM_SHA384
 *     websocket                       ██   3.1 ms  path /
 */
import type * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"

const width = 32

/** Eighths of a cell, from none to seven. */
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

const cells = (length: number): string => {
  const parts = Math.round(length * 8)
  return "█".repeat(Math.floor(parts / 8)) + eighths[parts % 8]
}

const millis = (time: number): string => `${time.toFixed(1)} ms`

/** Times are told by the bars, and what was tried by the attempts. */
const factsOf = (facts: EstablishmentReport.Facts): string =>
  Object.entries(facts).flatMap(([name, fact]) =>
    fact === undefined || typeof fact === "object" || typeof fact === "number" ? [] : [`${name} ${fact}`]
  ).join(", ")

export const waterfall = (title: string, { attempts, took }: EstablishmentReport.EstablishmentReport): string => {
  const column = Math.max(0, ...attempts.flat().map(({ layer }) => layer.length)) + 2
  const unit = took > 0 ? width / took : 0
  const line = ({ after, facts, layer, reason, took }: EstablishmentReport.Step): string => {
    const before = Math.min(width - 1, Math.floor(after * unit))
    const bar = " ".repeat(before) + (cells(Math.min(took * unit, width - before)) || "▏")
    const told = reason === undefined ? factsOf(facts) : reason.message
    return `${layer.padEnd(column)}${bar.padEnd(width)} ${millis(took).padStart(10)}  ${told}`.trimEnd()
  }
  return [
    `${title} in ${millis(took)}`,
    ...attempts.flatMap((attempt, index) => [
      ...attempts.length === 1 ? [] : [`attempt ${index + 1}`],
      ...attempt.map(line)
    ])
  ].join("\n")
}
