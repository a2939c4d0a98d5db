/**
 * What is spoken: a member says numbered things, and each is acknowledged. Who comes back is told what was heard of it, and goes on
 * behind that.
 */
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import { random } from "@wirestack/test-support"
import * as Schema from "effect/Schema"

const Hello = Schema.TaggedStruct("Hello", { member: Schema.Finite })
const Said = Schema.TaggedStruct("Said", { number: Schema.Finite, text: Schema.String })
const Welcome = Schema.TaggedStruct("Welcome", { heard: Schema.Finite })
const Heard = Schema.TaggedStruct("Heard", { number: Schema.Finite })

export class Chat extends Subprotocol.Service<Chat>()("soak.v1", {
  client: Schema.Union([Hello, Said]),
  server: Schema.Union([Welcome, Heard])
}) {}

export type Served = Subprotocol.ServerConnection<typeof Chat>
export type Connected = Subprotocol.ClientConnection<typeof Chat>
export type FromServer = typeof Chat.server.Type

/** Most messages are small, few are large. */
const sizeOf = (chance: number): number => chance < 0.005 ? 100_000 : chance < 0.05 ? 8_000 : Math.floor(chance * 200)

/** What a member says by this number, as both ends know it. */
export const textOf = (member: number, number: number): string =>
  `${member}:${number}:`.padEnd(sizeOf(random(member * 65_537 + number)()), "a text ")
