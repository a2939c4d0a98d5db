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
    "The codec and the Stream around it: node:net itself takes {raw/batch} of our CPU, which is {batch} a message.",
  "pipelined-text":
    "The codec, and text that is decoded to a string and encoded again: {batch} a message; node:net itself takes {raw/batch} of it.",
  "depth-1": "A read and a write of the kernel for each message: node:net itself takes {raw/batch} of our CPU.",
  "large":
    "The kernel's copies: node:net itself takes {raw/batch} of our CPU. The rest is masking, and memory for the message.",
  "text-16k":
    "Text is decoded to a string and encoded again: {batch} a message; node:net itself takes {raw/batch} of it.",
  "typed": "JSON and Schemas, on both ways; {batch} a message. ws parses and prints JSON, and checks nothing: {ws}.",
  "typed-depth-1":
    "JSON, Schemas and the kernel together: {batch} a message, against {ws} of ws, which checks nothing.",
  "deflate": "zlib: {batch} a message, against {ws} of ws, which goes through the thread pool.",
  "handshake": "What a connection needs to begin: {message}, against {ws} of ws.",
  "handshake-tls": "TLS itself: with it, a connection takes {message}, against {ws} of ws.",
  "visit": "A handshake, a Close and the end of a connection: {message}, against {ws} of ws.",
  "wss-depth-1": "TLS and the kernel: node:tls itself takes {raw/batch} of our CPU.",
  "wss-pipelined": "TLS: node:tls itself takes {raw/batch} of our CPU.",
  "wss-large": "Encryption and copies: node:tls itself takes {raw/batch} of our CPU.",
  "broadcast": "A write of the kernel for each receiver: {message} a receiver, against {ws} of ws.",
  "client": "As a server's pipelined messages, and each is masked: {batch} a message, against {ws} of ws.",
  "client-large": "Masking and the kernel's copies: {batch} a message, against {ws} of ws."
}

/** What limits a workload; nothing if nobody has said it. */
export const limitOf = ({ rows, workload }: Measured): string | undefined => {
  const row = (id: string) => rows.find(({ contestant, doubt }) => contestant === id && doubt === undefined)
  const figure = (_: string, own: string, base?: string): string => {
    if (base === undefined) return `${plain(median(row(own)?.costs ?? []))} µs`
    const ratio = Ratio.between(row(own), row(base))
    return Ratio.isDoubt(ratio) ? "-" : percent(ratio.median)
  }
  return limits[workload.id]?.replace(/\{([\w-]+)(?:\/([\w-]+))?\}/g, figure)
}
