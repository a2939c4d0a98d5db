/**
 * A machine above bytes: however an input is cut, lent or read, and whatever room there is, the same messages and the same end come of it;
 * what fails is a typed reason; nothing is larger than the limit, and nothing is written that was not asked for; and what was received
 * is received again once it was sent.
 */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Machine } from "@wirestack/protocol/Machine"
import type { EndOfInput } from "@wirestack/protocol/Outcome"
import { MachineSuite } from "@wirestack/protocol/testing"
import { equal, holds } from "@wirestack/protocol/testing/check"
import { seedOf } from "../bytes.ts"
import type { Target, Verdict } from "../Target.ts"

type OverBytes<In, Out> = Machine<Uint8Array, Uint8Array, In, Out>

export interface Subject<In, Out> extends Omit<Target, "show"> {
  readonly make: () => OverBytes<In, Out>
  /** How large what it emits may be, in bytes. */
  readonly limit: number
  /** What received messages say, where they don't keep their boundaries; what is not `whole` at the end is left out unless that is wanted. */
  readonly said?: (messages: ReadonlyArray<In>, whole: boolean) => unknown
  /** How received messages are sent to the same machine again; undefined if they can't be. */
  readonly again: { readonly peer: () => OverBytes<any, Out>; readonly message: (message: In) => Out } | undefined
  /** Whether of several faults in an input another one may be found first when it is cut in another way: then it only has to fail. */
  readonly anyFault?: boolean
  /** What else must hold of an input. */
  readonly beside?: (input: Uint8Array, io: MachineSuite.Probe<In, Uint8Array>) => void
}

/** Up to this size an input is also shown byte by byte. */
const bytewise = 400

/** What may be written to the peer without being asked, for each byte of it and in all: answers to pings, and a goodbye. */
const mayBeWritten = (received: number): number => 4 * received + 512

const reasonIsTyped = (reason: ConnectionReason): void => {
  holds("a reason has a tag", typeof reason._tag === "string", reason)
  holds("a reason says something", typeof reason.message === "string" && reason.message !== "", reason)
}

const fed = <In, Out>(
  machine: OverBytes<In, Out>,
  pieces: ReadonlyArray<Uint8Array>,
  end: EndOfInput,
  options?: MachineSuite.FeedOptions
): MachineSuite.Probe<In, Uint8Array> => {
  const io = MachineSuite.feed(machine, pieces.map((piece) => [piece.slice()]), { end, ...options })
  machine.release?.()
  return io
}

const ended = ({ ending, reason }: MachineSuite.Probe<any, any>): string => `${ending} ${reason?.message ?? ""}`

const endedOrFailed = ({ ending, reason }: MachineSuite.Probe<any, any>): string =>
  reason === undefined ? ending : "failed"

const total = (pieces: ReadonlyArray<Uint8Array>): number => pieces.reduce((sum, { length }) => sum + length, 0)

/** What of received messages can be sent: a machine may be stricter there, but refuses only with a reason. */
const sendable = <In, Out>(
  peer: OverBytes<any, Out>,
  messages: ReadonlyArray<In>,
  message: (message: In) => Out
): readonly [sent: ReadonlyArray<In>, written: ReadonlyArray<Uint8Array>] => {
  const io = new MachineSuite.Probe<any, Uint8Array>()
  const sent: Array<In> = []
  peer.start?.(io, io)
  for (const one of messages) {
    try {
      peer.encode(message(one), io)
      sent.push(one)
    } catch (thrown) {
      const reason = thrown as ConnectionReason
      if (!["Unencodable", "TooLarge", "Closing"].includes(reason._tag)) throw thrown
    }
  }
  while (peer.proceed?.(io) === true);
  io.settle()
  peer.release?.()
  return [sent, io.written]
}

export const machine = <In, Out>(subject: Subject<In, Out>): Target => {
  const { again, anyFault = false, beside, limit, make } = subject
  const why = anyFault ? endedOrFailed : ended
  const said = subject.said ?? ((messages: ReadonlyArray<In>) => messages)

  const show = (input: Uint8Array): Verdict => {
    const seed = seedOf(input)
    const end = seed % 3 === 0 ? "unannounced" : "announced"
    const run = (pieces: ReadonlyArray<Uint8Array>, options?: MachineSuite.FeedOptions) =>
      fed(make(), pieces, end, options)
    const says = (io: MachineSuite.Probe<In, any>) => said(io.emitted, io.reason === undefined)
    const first = run([input])
    const same = (how: string, io: MachineSuite.Probe<In, Uint8Array>): void => {
      equal(`${how}: ending`, why(io), why(first))
      equal(`${how}: messages`, says(io), says(first))
      io.verify(how)
    }
    same("whole", first)
    same("in pieces", run(MachineSuite.randomSplit(input, seed)))
    same("lent", run(MachineSuite.randomSplit(input, seed + 1), { lent: true }))
    same("with room for 1", run(MachineSuite.randomSplit(input, seed + 2), { room: 1, lent: seed % 2 === 0 }))
    same("read into its place", run(MachineSuite.randomSplit(input, seed + 3), { placed: true }))
    if (input.length <= bytewise) same("byte by byte", run(Array.from(input, (byte) => Uint8Array.of(byte))))

    if (first.reason !== undefined) reasonIsTyped(first.reason)
    for (const size of first.sizes) holds(`a message has at most ${limit} bytes`, size <= limit, size)
    holds("what it writes of itself is bounded", total(first.written) <= mayBeWritten(input.length), first.written)
    if (again !== undefined && first.emitted.length > 0) {
      const [sent, written] = sendable(again.peer(), first.emitted, again.message)
      const io = fed(make(), written, "announced")
      equal("what was received, once it was sent", said(io.emitted, false), said(sent, false))
    }
    beside?.(input, first)
    return {
      accepted: first.emitted.length > 0,
      how: `${ended(first)}, ${Math.min(first.emitted.length, 4)} messages`
    }
  }

  return { ...subject, show }
}
