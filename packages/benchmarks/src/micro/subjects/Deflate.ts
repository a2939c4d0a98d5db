/**
 * permessage-deflate of JSON, beside a call of Node for each message. Such a call has no context, so with takeover it is only a
 * measure that does not change.
 */
import * as NodeZlib from "@wirestack/node/NodeZlib"
import type { Session } from "@wirestack/websocket/extensions/Extension"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import { constants, deflateRawSync, inflateRawSync } from "node:zlib"
import type { Benchmark } from "../Benchmark.ts"
import { sameMessages } from "./same.ts"
import { batch, order } from "./samples.ts"

/** Together longer than a window: with takeover no message finds itself. */
const messages = Array.from({ length: batch }, (_, n) => Buffer.from(JSON.stringify(order(n))))

/** Its engines live as long as the process. */
const runtime = ManagedRuntime.make(NodeZlib.layer)

/** Both ends of a connection. */
const sessions = (takeover: boolean): { readonly client: Session; readonly server: Session } => {
  const extension = runtime.runSync(
    PerMessageDeflate.make({ serverNoContextTakeover: !takeover, clientNoContextTakeover: !takeover, threshold: 0 })
  )
  const { params, session } = extension.answer(extension.offers[0])!
  return { client: Result.getOrThrow(extension.agree(params))(), server: session() }
}

const compress = ({ outgoing }: Session, messages: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> =>
  messages.map((message) => {
    outgoing.begin(message.length)
    return outgoing.encode(message, true).slice()
  })

const decompress = ({ incoming }: Session, messages: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> =>
  messages.flatMap((message) => {
    incoming.feed(message, true)
    const pieces: Array<Uint8Array> = []
    for (let piece = incoming.next(); piece !== undefined; piece = incoming.next()) pieces.push(piece.slice())
    return pieces
  })

const flushed = { finishFlush: constants.Z_SYNC_FLUSH }

const nameOf = (verb: string, takeover: boolean): string => `${verb} 900 B of JSON, ${takeover ? "" : "no "}takeover`

const deflate = (takeover: boolean): Benchmark => ({
  name: nameOf("deflate", takeover),
  reference: "deflateRawSync",
  messages: batch,
  prepare: () => {
    const { client, server } = sessions(takeover)
    return {
      ours: () => compress(server, messages),
      reference: () => messages.map((message) => deflateRawSync(message, flushed)),
      agree: (ours, reference) =>
        sameMessages(decompress(client, ours), reference.map((message: Buffer) => inflateRawSync(message, flushed)))
    }
  }
})

const inflate = (takeover: boolean): Benchmark => ({
  name: nameOf("inflate", takeover),
  reference: "inflateRawSync",
  messages: batch,
  prepare: () => {
    const { client, server } = sessions(takeover)
    // The second time round the window is the same at the beginning as at the end.
    decompress(client, compress(server, messages))
    const ours = compress(server, messages)
    const others = messages.map((message) => deflateRawSync(message, flushed))
    return {
      ours: () => decompress(client, ours),
      reference: () => others.map((message) => inflateRawSync(message, flushed)),
      agree: sameMessages
    }
  }
})

export const benchmarks: ReadonlyArray<Benchmark> = [deflate(false), inflate(false), deflate(true), inflate(true)]
