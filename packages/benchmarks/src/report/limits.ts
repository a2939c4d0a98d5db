/**
 * What limits each workload now, in words; figures come from the result. `{batch}` is the CPU that a contestant takes for a
 * message, `{raw/batch}` which part of that of the second one the first one takes.
 */
import { percent, plain } from "../format.ts"
import { median } from "../median.ts"
import * as Ratio from "../Ratio.ts"
import type { Measured } from "../Result.ts"

const limits: Readonly<Record<string, string>> = {
  "pipelined":
    `The frames: a head, unmasking, and memory for each message; the Stream around them is the smaller part. It is {batch} a
    message, of which node:net itself takes {raw/batch}.`,
  "pipelined-text": `As \`pipelined\`; and each text becomes a string, and bytes again: {batch} a message.`,
  "depth-1":
    `The kernel, which is asked to read and to write for each message; node:net itself takes {raw/batch} of our CPU. Then what
    Node does around each call into JavaScript, and the fiber that wakes up.`,
  "large":
    `Memory. A message that its receiver may keep has memory of its own: V8 then collects all garbage every few dozen
    messages, and the system has to clear pages for each. If it is only lent there is neither: {lent} instead of {batch}. What
    remains are the kernel's copies, and unmasking. node:net itself, which leaves each chunk to the collector, takes {raw}.`,
  "text-16k":
    `The kernel's copies: node:net itself takes {raw/batch} of our CPU. Then the string, which is written to memory that is
    no longer in the cache, unmasked before and encoded after.`,
  "typed":
    "JSON, then Schemas, on both ways: {batch} a message, against {ws} of ws, which parses and prints JSON, and checks nothing.",
  "typed-depth-1": "As `depth-1` and `typed` together: {batch} a message, against {ws} of ws, which checks nothing.",
  "deflate": "zlib: {batch} a message, against {ws} of ws, which goes through the thread pool for each.",
  "handshake":
    `What a connection needs for its life: a socket of Node, a scope, a fiber and a Stream, which the collector copies
    until they are old. It is {message}, against {ws} of ws, whose connection is an event emitter.`,
  "handshake-tls": "As `handshake`, beside TLS itself: {message}, against {ws} of ws.",
  "visit": "As `handshake`; and closing in order, layer by layer: {message}, against {ws} of ws.",
  "wss-depth-1": "TLS and the kernel: node:tls itself takes {raw/batch} of our CPU.",
  "wss-pipelined":
    "TLS: node:tls itself takes {raw/batch} of our CPU. A write goes through its stream, which small ones feel.",
  "wss-large":
    `Memory, as for \`large\`: lent messages take {lent} instead of {batch}. What remains is what Node's TLS takes to
    encrypt, decrypt and copy; node:tls itself, which leaves each chunk to the collector, takes {raw}.`,
  "broadcast":
    "A write of the kernel for each receiver, and a frame made anew for each: {message} a receiver, against {ws} of ws.",
  "client": "As `pipelined`, and each message is masked with a key of its own: {batch} a message, against {ws} of ws.",
  "client-large":
    `Memory, as for \`large\`: lent messages take {lent} instead of {batch}, against {ws} of ws. And masking, for which each
    message is copied.`
}

/** What limits a workload; nothing if nobody has said it. */
export const limitOf = ({ rows, workload }: Measured): string | undefined => {
  const row = (id: string) => rows.find(({ contestant, doubt }) => contestant === id && doubt === undefined)
  const figure = (_: string, own: string, base?: string): string => {
    if (base === undefined) return `${plain(median(row(own)?.costs ?? []))} µs`
    const ratio = Ratio.between(row(own), row(base))
    return Ratio.isDoubt(ratio) ? "-" : percent(ratio.median)
  }
  return limits[workload.id]?.replace(/\s+/g, " ").replace(/\{([\w-]+)(?:\/([\w-]+))?\}/g, figure)
}
