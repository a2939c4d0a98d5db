/**
 * What a server has heard of each member: exactly the next number each time, and from one connection only. A member that comes back
 * takes its place over, and what its former connection still says counts no more.
 */
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Served, textOf } from "./Chat.ts"
import type { Ledger } from "./Ledger.ts"

interface Place {
  readonly member: number
  connection: Served
  heard: number
}

export class Room {
  private readonly places = new Map<number, Place>()
  private readonly ledger: Ledger

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  /** How many messages of a member were heard. */
  heardOf(member: number): number {
    return this.places.get(member)?.heard ?? 0
  }

  readonly serve = (connection: Served): Effect.Effect<void, ConnectionError> => {
    let place: Place | undefined
    return Effect.andThen(
      this.ledger.watch(connection),
      Stream.runForEach(Connection.messages(connection), (message) => {
        if (message._tag === "Hello") {
          return Effect.flatMap(this.enter(message.member, connection), (entered) => {
            place = entered
            return connection.send({ _tag: "Welcome", heard: entered.heard })
          })
        }
        const { number, text } = message
        return place !== undefined && this.hears(place, connection, number, text)
          ? connection.send({ _tag: "Heard", number })
          : Effect.void
      })
    )
  }

  private enter(member: number, connection: Served): Effect.Effect<Place> {
    return Effect.suspend(() => {
      const place = this.places.get(member)
      if (place === undefined) {
        const first = { member, connection, heard: 0 }
        this.places.set(member, first)
        return Effect.succeed(first)
      }
      const former = place.connection
      place.connection = connection
      return Effect.as(former.abort, place)
    })
  }

  private hears(place: Place, connection: Served, number: number, text: string): boolean {
    const { heard, member } = place
    if (place.connection !== connection) return false
    if (number !== heard + 1) this.ledger.breaks(`${member} said ${number} after ${heard}`)
    if (text !== textOf(member, number)) this.ledger.breaks(`${member} did not say message ${number} so`)
    place.heard = number
    this.ledger.messages++
    return true
  }
}
