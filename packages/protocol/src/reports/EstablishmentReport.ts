/**
 * What was done until a connection was there, or was given up: each attempt, layer by layer from the bottom up, and how long that
 * took. It is plain data, and `format` prints it.
 *
 *     attempt 1
 *          3.1 ms  tcp: 192.0.2.1:443 refused the connection
 *     attempt 2
 *         24.0 ms  tcp
 *                    address 192.0.2.2:443
 *         31.2 ms  tls
 *                    version TLSv1.3
 *         58.9 ms  in all
 */
import type * as Context from "effect/Context"
import type { ConnectError, ConnectReason } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import { journalOf, reportOf } from "../internal/Journal.ts"
import { lifeOf } from "../internal/LiveConnection.ts"

/** What a layer tells about its part, as plain data; what is named `took` or `after` is in milliseconds. */
export interface Facts {
  readonly [name: string]: Fact
}

export type Fact = string | number | boolean | undefined | ReadonlyArray<Facts>

/** How a layer tells its facts, from the details of its connection. */
export type Telling = (details: Context.Context<any>) => Facts

/** What one layer did. */
export interface Step {
  readonly layer: string
  /** Milliseconds from the beginning until it began. */
  readonly after: number
  /** Milliseconds it took. */
  readonly took: number
  /** Why it failed, if it did. */
  readonly reason: ConnectReason | undefined
  /** What the layer tells of itself, if it is part of the connection. */
  readonly facts: Facts
}

/** One way from the bottom up: the first, or one after a redirection, a failure, or to another address. */
export type Attempt = ReadonlyArray<Step>

/** How a connection came about. */
export interface EstablishmentReport {
  /** Milliseconds of all attempts together; of an accepted connection, since its listener began to handle it. */
  readonly took: number
  /** In their order: all but the last have failed. Of very many the latest 64. */
  readonly attempts: ReadonlyArray<Attempt>
}

const nothing = { attempts: [], took: 0 }

/** The report of a connection, or of what `connect` failed with. */
export const of = <In, Out, D>(self: Connection<In, Out, D> | ConnectError): EstablishmentReport =>
  "pull" in self ? reportOf(lifeOf(self).journal, self.details) : reportOf(journalOf(self) ?? nothing)

const millis = (time: number): string => `${time.toFixed(1)} ms`

/** Behind the times. */
const indent = " ".repeat(13)

const line = (time: number, text: string): string => `${millis(time).padStart(indent.length - 2)}  ${text}`

const shown = (name: string, fact: Exclude<Fact, undefined>): string =>
  typeof fact === "object"
    ? fact.map(onOneLine).join("; ")
    : typeof fact === "number" && (name === "took" || name === "after")
    ? millis(fact)
    : `${fact}`

const onOneLine = (facts: Facts): string =>
  Object.entries(facts).flatMap(([name, fact]) => fact === undefined ? [] : [`${name} ${shown(name, fact)}`]).join(", ")

const factLines = (facts: Facts): ReadonlyArray<string> =>
  Object.entries(facts).flatMap(([name, fact]) =>
    typeof fact === "object"
      ? fact.map((entry) => `${indent}  ${name} ${onOneLine(entry)}`)
      : fact === undefined
      ? []
      : [`${indent}  ${name} ${shown(name, fact)}`]
  )

const stepLines = ({ facts, layer, reason, took }: Step): ReadonlyArray<string> => [
  line(took, reason === undefined ? layer : `${layer}: ${reason.message}`),
  ...factLines(facts)
]

/** The report for people, one layer a line and below it what it tells. */
export const format = ({ attempts, took }: EstablishmentReport): string =>
  [
    ...attempts.flatMap((attempt, index) => [
      ...attempts.length === 1 ? [] : [`attempt ${index + 1}`],
      ...attempt.flatMap(stepLines)
    ]),
    line(took, "in all")
  ].join("\n")
