/** What requests and responses have in common, by which they belong together. */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { type Headers, type Message, type Request, value } from "./Sip.ts"

/** What nobody else has chosen. */
export const random = (): string => randomBytes(12).toString("hex")

/** Which transaction a message belongs to, section 17.1.3. */
export const transactionOf = (message: Message): string => {
  const branch = /;\s*branch=([^;,\s]+)/i.exec(value(message, "Via"))?.[1]
  return `${branch} ${value(message, "CSeq").split(/\s+/)[1]}`
}

/** How requests are answered by who has nothing to say to them. */
export const byDefault = ({ method }: Request) =>
  Effect.succeed(method === "OPTIONS" ? { status: 200, reason: "OK" } : { status: 501, reason: "Not Implemented" })

/** What a response repeats of its request, section 8.2.6.2. */
export const repeated = (request: Request): Headers =>
  request.headers.flatMap(([name, value]): Headers => {
    const isTo = name.toLowerCase() === "to"
    if (isTo && !/;\s*tag=/i.test(value)) return [[name, `${value};tag=${random()}`]]
    return isTo || /^(via|from|call-id|cseq)$/i.test(name) ? [[name, value]] : []
  })
