/** Puts a WebSocket's machine on a connection whose opening handshake is done. */
import { type Fields, headersOf } from "@wirestack/http/HttpHead"
import { Negotiated } from "@wirestack/protocol/Ask"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import * as Connection from "@wirestack/protocol/Connection"
import { Closed, ConnectionError, type ConnectionReason, Unencodable } from "@wirestack/protocol/ConnectionError"
import { TimedOut } from "@wirestack/protocol/Reason"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Agreed } from "../extensions/Extension.ts"
import { ExtensionChain } from "../extensions/ExtensionChain.ts"
import { maxReasonSize } from "../frames/CloseBody.ts"
import { type CloseCode, isCloseCode } from "../frames/CloseCode.ts"
import type { CommonOptions } from "../WebSocket.ts"
import { layer, WebSocket } from "./details.ts"
import { type Framed, maxControls } from "./Framed.ts"
import type { Hearts, Living } from "./Hearts.ts"
import { Meter } from "./Meter.ts"
import { millis } from "./millis.ts"
import { Pings } from "./Pings.ts"
import type { Role } from "./Role.ts"

export type Lower = Connection.Connection<Uint8Array, Uint8Array>

type WebSocketDetails = WebSocket["Service"]

/** What the handshake has found out. */
export interface Facts {
  readonly protocol: string | undefined
  readonly path: string
  readonly query: string
  readonly fields: Fields
  readonly extensions: ReadonlyArray<Agreed>
}

const refused = (reason: ConnectionReason) => new ConnectionError({ layer, reason })

/** A WebSocket's details: one small object a connection, which makes its effects when they are asked for. */
class Upgraded implements WebSocketDetails, Living {
  readonly machine: Framed<any, any>
  control!: Connection.Control
  private readonly facts: Facts
  private readonly clock: Clock.Clock
  private readonly took: bigint
  private asking: Pings | undefined = undefined

  constructor(facts: Facts, started: bigint, machine: Framed<any, any>, clock: Clock.Clock) {
    this.facts = facts
    this.took = clock.monotonicTimeNanosUnsafe() - started
    this.machine = machine
    this.clock = clock
  }

  get protocol() {
    return this.facts.protocol
  }

  get extensions() {
    return this.facts.extensions.map(({ name, params }) => ({ name, params }))
  }

  get path() {
    return this.facts.path
  }

  get query() {
    return this.facts.query
  }

  get headers() {
    return headersOf(this.facts.fields)
  }

  get handshakeTime() {
    return Duration.nanos(this.took)
  }

  /** The pings under way. */
  get asked(): Pings {
    return this.asking ??= new Pings(this, this.clock)
  }

  get ping() {
    const { control } = this
    const pong = Effect.suspend(() =>
      Effect.raceFirst(
        this.asked.send(() => control.flush()),
        Effect.andThen(control.closed, Effect.fail(new Closed()))
      )
    )
    return Effect.mapBoth(pong, { onSuccess: Duration.millis, onFailure: refused })
  }

  get pings() {
    const { control, machine } = this
    return Stream.unwrap(Effect.map(Queue.sliding<Uint8Array>(maxControls), (queue) => {
      machine.onPing = (payload) => Queue.offerUnsafe(queue, payload.slice())
      return Stream.interruptWhen(Stream.fromQueue(queue), control.closed)
    }))
  }

  get pong() {
    const { control, machine } = this
    return (payload?: Uint8Array) =>
      Effect.suspend(() => {
        try {
          if (!machine.pong(payload)) return Effect.fail(refused(machine.refusal!))
        } catch (reason) {
          return Effect.fail(refused(reason as ConnectionReason))
        }
        control.flush()
        return Effect.void
      })
  }

  get close() {
    const { control, machine } = this
    return (code: CloseCode, reason = "") =>
      Effect.suspend(() => {
        if (!isCloseCode(code)) {
          return Effect.fail(refused(new Unencodable({ detail: `${code} can't be sent as a close code` })))
        }
        const size = Utf8.encode(reason).length
        if (size > maxReasonSize) {
          const detail = `a close reason of ${size} bytes is longer than ${maxReasonSize}`
          return Effect.fail(refused(new Unencodable({ detail })))
        }
        machine.closeWith(code, reason)
        control.close("done")
        return control.closed
      })
  }
}

const meterOf = (options: CommonOptions<any, any>, clock: Clock.Clock): Meter | undefined => {
  const { maxBytesPerSecond = Infinity, maxMessagesPerSecond = Infinity } = options
  return maxBytesPerSecond === Infinity && maxMessagesPerSecond === Infinity
    ? undefined
    : new Meter({ maxBytesPerSecond, maxMessagesPerSecond }, () => millis(clock))
}

const defaultControlRate = 1_000

const controlMeterOf = (
  { maxControlsPerSecond = defaultControlRate }: CommonOptions<any, any>,
  clock: Clock.Clock
) =>
(): Meter =>
  new Meter(
    { maxBytesPerSecond: Infinity, maxMessagesPerSecond: maxControlsPerSecond },
    () => millis(clock),
    "control frames"
  )

/** A function that holds the WebSocket and nothing else, as it lives as long. */
const detailsOf = (live: Upgraded) => (): Context.Context<WebSocket | Negotiated> =>
  Context.make(WebSocket, live).pipe(Context.add(Negotiated, { protocol: live.protocol }))

/** Takes the WebSocket's pulse, from when it has its control until its machine is released. */
const enlist = (hearts: Hearts, live: Upgraded, clock: Clock.Clock, context: Context.Context<never>): void => {
  hearts.add(live, clock, context)
  live.machine.onRelease = () => hearts.delete(live)
}

/** `leftover` is what came behind the handshake; `started` is when that began. */
export const upgraded = <In, Out>(
  lower: Lower,
  { hearts, machine: make, options, role }: Role<In, Out>,
  facts: Facts,
  leftover: ReadonlyArray<Uint8Array>,
  started: bigint
) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const clock = Context.get(context, Clock.Clock)
    const { answersPings, firstMessageWithin, maxFragments, maxFrameSize, maxMessageSize, payloads } = options
    const machine = make({
      role,
      answersPings,
      maxFrameSize,
      payloads,
      extensions: facts.extensions.length === 0 ? undefined : new ExtensionChain(facts.extensions),
      meter: meterOf(options, clock),
      controlMeter: controlMeterOf(options, clock),
      ...maxMessageSize === undefined ? undefined : { maxMessageSize },
      ...maxFragments === undefined ? undefined : { maxFragments }
    })
    const live = new Upgraded(facts, started, machine, clock)
    const begun = (control: Connection.Control) => {
      live.control = control
      if (hearts !== undefined) enlist(hearts, live, clock, context)
    }
    const connection = Connection.fuse<Uint8Array, Uint8Array, never, In, Out, WebSocket | Negotiated>(lower, machine, {
      layer,
      // Nothing is no sign of life.
      leftover: leftover.filter((chunk) => chunk.length > 0),
      begun,
      details: detailsOf(live),
      closePolicy: options.closePolicy
    })
    if (firstMessageWithin === undefined) return connection
    return Effect.tap(
      connection,
      Effect.forkScoped(
        Effect.andThen(
          Effect.sleep(firstMessageWithin),
          Effect.sync(() => {
            const after = Duration.toMillis(Duration.fromInputUnsafe(firstMessageWithin))
            if (!machine.spoken) live.control.fail(new TimedOut({ phase: "the first message", after }))
          })
        )
      )
    )
  })
