/**
 * Asks a server what it can, registers there, and answers until interrupted.
 *
 *     npm run example -- sip ws://localhost:5080/ sip:alice@localhost
 *     npm run example -- sip ws://localhost:5080/ sip:alice@localhost --password secret
 */
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { parseArgs } from "node:util"
import { options } from "../runProgram.ts"
import * as Client from "./client.ts"
import { codec, Sip } from "./Sip.ts"

const parse = (args: ReadonlyArray<string>) => {
  const { positionals: [url, address, ...more], values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { password: { type: "string" } }
  })
  if (address === undefined || more.length > 0) throw new Error("sip takes a URL and an address")
  if (!/^sip:[^@]+@[^;?]+$/.test(address)) throw new Error("an address is such as sip:alice@localhost")
  return { url, address, ...values.password !== undefined && { password: Redacted.make(values.password) } }
}

const stack = () => Tcp.layer().pipe(WebSocket.client(), Sip.over(codec))

const run = Effect.fnUntraced(function*({ url, ...account }: ReturnType<typeof parse>) {
  const agent = yield* Client.make(url, {
    ...account,
    answer: ({ body, headers, method }) =>
      Effect.as(
        Console.log(`${method} ${headers.find(([name]) => name === "From")?.[1]} ${body}`),
        { status: 200, reason: "OK" }
      )
  })
  const { reason, status } = yield* agent.request("OPTIONS", account.address.replace(/^sip:.*@/, "sip:"))
  yield* Console.log(`OPTIONS ${status} ${reason}`)
  if (account.password === undefined) return
  for (const contact of yield* agent.register()) yield* Console.log(`registered ${contact}`)
  return yield* Effect.race(Effect.never, agent.connection.closed)
}, Effect.scoped)

export const main = (args: ReadonlyArray<string>) =>
  Effect.flatMap(options(() => parse(args)), (asked) => Effect.provide(run(asked), stack()))
